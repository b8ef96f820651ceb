//! Workflows that are spoken to: signals, queries, updates.

use std::error::Error;
use std::time::Duration;

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

use crate::activities::Echo;

/// What handlers answer with when they refuse.
type Refusal = Box<dyn Error + Send + Sync>;

#[workflow]
#[derive(Default)]
pub(crate) struct Signalled {
    words: Vec<String>,
    finished: bool,
}

#[workflow_methods]
impl Signalled {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        ctx.wait_condition(|workflow| workflow.finished).await?;
        Ok(ctx.state(|workflow| workflow.words.clone()))
    }

    #[signal]
    pub(crate) fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.words.push(word);
    }

    #[signal]
    pub(crate) fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    #[query]
    pub(crate) fn words(&self, _ctx: &WorkflowContextView) -> Vec<String> {
        self.words.clone()
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Inbox {
    answers: Vec<String>,
}

#[workflow_methods]
impl Inbox {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        count: usize,
    ) -> WorkflowResult<Vec<String>> {
        ctx.wait_condition(|workflow| workflow.answers.len() >= count)
            .await?;
        ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
        Ok(ctx.state(|workflow| workflow.answers.clone()))
    }

    #[signal]
    pub(crate) async fn echo(ctx: &mut WorkflowContext<Self>, word: String) {
        let options = activity_options(Timeout::Short, Retry::Standard);
        let answer = match ctx.execute_activity(Echo, word, options).await {
            Ok(answer) => answer.as_str().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        };
        ctx.state_mut(|workflow| workflow.answers.push(answer));
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Ledger {
    balance: i64,
    closed: bool,
}

#[workflow_methods]
impl Ledger {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<i64> {
        ctx.wait_condition(|workflow| workflow.closed).await?;
        ctx.wait_condition(|_| ctx.all_handlers_finished()).await?;
        Ok(ctx.state(|workflow| workflow.balance))
    }

    #[signal]
    pub(crate) fn close(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.closed = true;
    }

    #[query]
    pub(crate) fn balance(&self, _ctx: &WorkflowContextView) -> i64 {
        self.balance
    }

    #[query]
    pub(crate) fn scaled(&self, _ctx: &WorkflowContextView, factor: i64) -> i64 {
        self.balance * factor
    }

    /// Fails, whatever the balance.
    #[query]
    pub(crate) fn broken(&self, _ctx: &WorkflowContextView) -> Result<i64, Refusal> {
        Err("this query is broken".into())
    }

    #[update]
    pub(crate) fn deposit(&mut self, _ctx: &mut SyncWorkflowContext<Self>, amount: i64) -> i64 {
        self.balance += amount;
        self.balance
    }

    #[update_validator(deposit)]
    fn validate_deposit(&self, _ctx: &WorkflowContextView, amount: &i64) -> Result<(), Refusal> {
        if *amount > 0 {
            return Ok(());
        }
        Err(format!("an amount of {amount} cannot be deposited").into())
    }

    /// Without a validator: accepted, and then it fails if there is not enough.
    #[update]
    pub(crate) fn withdraw(
        &mut self,
        _ctx: &mut SyncWorkflowContext<Self>,
        amount: i64,
    ) -> Result<i64, Refusal> {
        if amount > self.balance {
            return Err(format!("only {} left", self.balance).into());
        }
        self.balance -= amount;
        Ok(self.balance)
    }

    /// Accepted at once, done after an activity and a timer.
    #[update]
    pub(crate) async fn deposit_later(ctx: &mut WorkflowContext<Self>, amount: i64) -> i64 {
        let options = activity_options(Timeout::Short, Retry::Standard);
        let echoed = ctx.execute_activity(Echo, amount, options).await;
        ctx.timer(Duration::from_millis(10)).await;
        let amount = echoed.ok().and_then(|value| value.as_i64()).unwrap_or(0);
        ctx.state_mut(|workflow| {
            workflow.balance += amount;
            workflow.balance
        })
    }
}
