//! The workflow `SubscriptionCreation`: made, paid for the first time, active; or cancelled, with the money back.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::payload;

use crate::calculate_charges::{Invoiced, Progress, calculate, draft_of, invoice};
use crate::charging::Occasion;
use crate::date::Date;
use crate::model::{Period, Status, Terms};
use crate::steps::{Staged, Steps, Stop};
use crate::subscribing::{
    NewSubscription, TermsChange, apply_subscription_change, create_subscription,
    revert_subscription_change,
};

/// A subscription to make.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct CreationInput {
    /// The caller's id of it.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) subscription_id: String,
    #[schemars(length(min = 1, max = 200))]
    pub(crate) customer_id: String,
    #[schemars(length(min = 1, max = 200))]
    pub(crate) plan_id: String,
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) quantity: u64,
    /// The billing period that it starts in.
    pub(crate) period: Period,
    /// The day of the period on which it starts, and from which on the first charge counts; else the period's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starts_on: Option<Date>,
    /// What the first charge is taken from, in the invoice service's words.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) payment_method: String,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

impl CreationInput {
    fn terms(&self, status: Status) -> TermsChange {
        TermsChange {
            subscription_id: self.subscription_id.clone(),
            terms: Terms {
                plan_id: self.plan_id.clone(),
                quantity: self.quantity,
                status,
            },
        }
    }
}

/// One subscription under way.
#[workflow]
pub(crate) struct SubscriptionCreation {
    input: CreationInput,
    stage: &'static str,
}

impl Staged for SubscriptionCreation {
    fn enter(&mut self, stage: &'static str) {
        self.stage = stage;
    }
}

#[workflow_methods]
impl SubscriptionCreation {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, input: CreationInput) -> Self {
        Self {
            input,
            stage: "beginning",
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Invoiced> {
        let input = ctx.state(|workflow| workflow.input.clone());
        let what = format!("the creation of subscription {}", input.subscription_id);
        let mut steps = Steps::begin(ctx, what, input.retry_initial_ms);
        let outcome = go_on(ctx, &mut steps, input).await;
        steps.end(ctx, outcome).await
    }

    #[query]
    pub(crate) fn progress(&self, _ctx: &WorkflowContextView) -> Progress {
        Progress {
            subscription_id: self.input.subscription_id.clone(),
            step: self.stage.to_owned(),
        }
    }
}

async fn go_on(
    ctx: &WorkflowContext<SubscriptionCreation>,
    steps: &mut Steps<SubscriptionCreation>,
    input: CreationInput,
) -> Result<Invoiced, Stop> {
    let id = input.subscription_id.clone();
    let new = NewSubscription {
        subscription_id: id.clone(),
        customer_id: input.customer_id.clone(),
        plan_id: input.plan_id.clone(),
        quantity: input.quantity,
        period: input.period.clone(),
    };
    let cancelled = input.terms(Status::Cancelled);
    let undo = move |_: &_| revert_subscription_change(cancelled.clone());
    let create = create_subscription(new);
    steps.take_undoable(ctx, "create", create, undo).await?;
    let starts_on = match &input.starts_on {
        Some(day) => day.clone(),
        None => input.period.starts_on.clone(),
    };
    let charges = calculate(ctx, steps, &id, Occasion::First { starts_on }).await?;
    let draft = draft_of(format!("first/{id}"), &id, charges);
    let method = Some(input.payment_method.clone());
    let invoice = invoice(ctx, steps, draft, method).await?;
    let activate = apply_subscription_change(input.terms(Status::Active));
    let undo = |applied: &_| revert_subscription_change(TermsChange::back(applied));
    steps.take_undoable(ctx, "activate", activate, undo).await?;
    Ok(Invoiced::of(id, invoice))
}
