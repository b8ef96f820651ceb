//! Workflows that deal with other workflows.

use std::time::Duration;

use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ChildWorkflowCancellationType, ChildWorkflowOptions, ParentClosePolicy, SignalWorkflowOptions,
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::payload;

use crate::chain::{Link, chain};
use crate::messages::Signalled;

/// What [`Parent`] does with its child.
#[payload]
#[derive(Clone, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// Signals it to finish, and takes its result.
    Finish,
    /// Lets it fail.
    Fail,
    /// Cancels it.
    Cancel,
    /// Leaves it alone, and ends.
    Abandon,
    /// Starts a second one of the same id.
    StartTwice,
}

/// The input of [`Parent`].
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Upbringing {
    pub(crate) plan: Plan,
    /// The child's id; without it Temporal's SDK makes one.
    #[serde(default)]
    pub(crate) child_id: Option<String>,
}

/// What came of it.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct Raised {
    pub(crate) result: Option<String>,
    pub(crate) run_id: String,
    pub(crate) error: Option<String>,
    pub(crate) failure: Vec<Link>,
}

#[workflow]
#[derive(Default)]
pub(crate) struct Parent {
    child_id: Option<String>,
}

#[workflow_methods]
impl Parent {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Upbringing,
    ) -> WorkflowResult<Raised> {
        ctx.state_mut(|workflow| workflow.child_id.clone_from(&input.child_id));
        let options = || {
            ChildWorkflowOptions::builder()
                .maybe_workflow_id(input.child_id.clone())
                .cancel_type(ChildWorkflowCancellationType::WaitCancellationCompleted)
                .parent_close_policy(match input.plan {
                    Plan::Abandon => ParentClosePolicy::Abandon,
                    _ => ParentClosePolicy::Terminate,
                })
                .build()
        };
        let fails = matches!(input.plan, Plan::Fail);
        let child = ctx
            .start_child_workflow(Child::run, fails, options())
            .await?;
        let mut raised = Raised {
            run_id: child.run_id.clone(),
            ..Raised::default()
        };
        match input.plan {
            Plan::Finish => {
                let word = "from the parent".to_owned();
                child
                    .signal(Child::finish, word, SignalWorkflowOptions::default())
                    .await?;
            }
            Plan::Fail => {}
            Plan::Cancel => child.cancel("the parent said so".to_owned()),
            Plan::Abandon => return Ok(raised),
            Plan::StartTwice => {
                let second = ctx.start_child_workflow(Child::run, fails, options()).await;
                raised.error = second.err().map(|error| error.to_string());
                return Ok(raised);
            }
        }
        match child.result().await {
            Ok(result) => raised.result = Some(result),
            Err(error) => {
                raised.error = Some(error.to_string());
                raised.failure = chain(error.failure());
            }
        }
        Ok(raised)
    }

    #[query]
    pub(crate) fn child_id(&self, _ctx: &WorkflowContextView) -> Option<String> {
        self.child_id.clone()
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Child {
    word: Option<String>,
}

#[workflow_methods]
impl Child {
    /// The input says whether it fails after a moment.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        fails: bool,
    ) -> WorkflowResult<String> {
        if fails {
            ctx.timer(Duration::from_millis(1)).await;
            let failure = ApplicationFailure::builder("the child fell")
                .type_name("ChildError".to_owned())
                .non_retryable(true)
                .details(42_u32)
                .build();
            return Err(failure.into());
        }
        ctx.wait_condition(|workflow| workflow.word.is_some())
            .await?;
        Ok(ctx.state(|workflow| workflow.word.clone().unwrap_or_default()))
    }

    #[signal]
    pub(crate) fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.word = Some(word);
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct SignalsOther;

#[workflow_methods]
impl SignalsOther {
    /// The input is the other's id, which should be a `Signalled`.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        other: String,
    ) -> WorkflowResult<Option<String>> {
        let other = ctx.external_workflow(other, None);
        let word = "from another workflow".to_owned();
        let options = SignalWorkflowOptions::default();
        if let Err(error) = other.signal(Signalled::add, word, options.clone()).await {
            return Ok(Some(error.to_string()));
        }
        other.signal(Signalled::finish, (), options).await?;
        Ok(None)
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct CancelsOther;

#[workflow_methods]
impl CancelsOther {
    /// The input is the other's id.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        other: String,
    ) -> WorkflowResult<Option<String>> {
        let other = ctx.external_workflow(other, None);
        let reason = Some("another workflow said so".to_owned());
        Ok(other
            .cancel(reason)
            .await
            .err()
            .map(|error| error.to_string()))
    }
}
