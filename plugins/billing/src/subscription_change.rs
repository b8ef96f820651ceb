//! The workflow `SubscriptionChange`: other terms in the middle of a period, with what that costs or gives back.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::payload;

use crate::calculate_charges::{Invoiced, Progress, calculate, draft_of, invoice};
use crate::charging::Occasion;
use crate::date::Date;
use crate::model::{Status, Terms};
use crate::steps::{Staged, Steps, Stop};
use crate::subscribing::{TermsChange, apply_subscription_change, revert_subscription_change};

/// A change to make: an upgrade or a downgrade.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ChangeInput {
    #[schemars(length(min = 1, max = 200))]
    pub(crate) subscription_id: String,
    /// The plan from then on.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) plan_id: String,
    /// How many from then on.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) quantity: u64,
    /// The first day on the new terms, in the zone of the subscription's period, and within it.
    pub(crate) effective_on: Date,
    /// What the difference is taken from, or given back to, at once; without it, however the customer pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub(crate) payment_method: Option<String>,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// One change under way.
#[workflow]
pub(crate) struct SubscriptionChange {
    input: ChangeInput,
    stage: &'static str,
}

impl Staged for SubscriptionChange {
    fn enter(&mut self, stage: &'static str) {
        self.stage = stage;
    }
}

#[workflow_methods]
impl SubscriptionChange {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, input: ChangeInput) -> Self {
        Self {
            input,
            stage: "beginning",
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Invoiced> {
        let input = ctx.state(|workflow| workflow.input.clone());
        let what = format!("the change of subscription {}", input.subscription_id);
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
    ctx: &WorkflowContext<SubscriptionChange>,
    steps: &mut Steps<SubscriptionChange>,
    input: ChangeInput,
) -> Result<Invoiced, Stop> {
    let id = input.subscription_id;
    let occasion = Occasion::Change {
        plan_id: input.plan_id.clone(),
        quantity: input.quantity,
        effective_on: input.effective_on,
    };
    let charges = calculate(ctx, steps, &id, occasion).await?;
    let terms = Terms {
        plan_id: input.plan_id,
        quantity: input.quantity,
        status: Status::Active,
    };
    let change = TermsChange {
        subscription_id: id.clone(),
        terms,
    };
    let apply = apply_subscription_change(change);
    let undo = |applied: &_| revert_subscription_change(TermsChange::back(applied));
    steps.take_undoable(ctx, "apply", apply, undo).await?;
    // One workflow id is one change, however often it is begun.
    let draft = draft_of(format!("change/{id}/{}", ctx.workflow_id()), &id, charges);
    let invoice = invoice(ctx, steps, draft, input.payment_method).await?;
    Ok(Invoiced::of(id, invoice))
}
