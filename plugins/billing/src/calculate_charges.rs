//! The workflow `CalculateCharges`: one subscription's period is over, and is invoiced.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::payload;

use crate::charging::{Charges, ChargesRequest, Occasion, calculate_charges};
use crate::invoicing::{Draft, Invoice, InvoiceStep, process_invoice};
use crate::model::Period;
use crate::steps::{Staged, Steps, Stop};

/// A subscription to invoice.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ChargesInput {
    #[schemars(length(min = 1, max = 200))]
    pub(crate) subscription_id: String,
    /// The period that is over; the next is invoiced with what was used in it.
    pub(crate) period: Period,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// A subscription that was invoiced.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Invoiced {
    pub(crate) subscription_id: String,
    pub(crate) invoice_id: String,
    /// In minor units; below zero is a credit.
    pub(crate) total: i64,
    /// ISO 4217.
    pub(crate) currency: String,
}

/// Where a workflow stands.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) subscription_id: String,
    /// The step under way, or `compensating`, `completed`, `failed`, `cancelled`.
    pub(crate) step: String,
}

/// One subscription under way.
#[workflow]
pub(crate) struct CalculateCharges {
    input: ChargesInput,
    stage: &'static str,
}

impl Staged for CalculateCharges {
    fn enter(&mut self, stage: &'static str) {
        self.stage = stage;
    }
}

#[workflow_methods]
impl CalculateCharges {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, input: ChargesInput) -> Self {
        Self {
            input,
            stage: "beginning",
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Invoiced> {
        let input = ctx.state(|workflow| workflow.input.clone());
        let what = format!("the renewal of subscription {}", input.subscription_id);
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
    ctx: &WorkflowContext<CalculateCharges>,
    steps: &mut Steps<CalculateCharges>,
    input: ChargesInput,
) -> Result<Invoiced, Stop> {
    let reference = format!(
        "renewal/{}/{}",
        input.subscription_id, input.period.starts_on
    );
    let occasion = Occasion::Renewal {
        period: input.period,
    };
    let charges = calculate(ctx, steps, &input.subscription_id, occasion).await?;
    let draft = draft_of(reference, &input.subscription_id, charges);
    let invoice = invoice(ctx, steps, draft, None).await?;
    Ok(Invoiced::of(input.subscription_id, invoice))
}

impl Invoiced {
    pub(crate) fn of(subscription_id: String, invoice: Invoice) -> Self {
        Self {
            subscription_id,
            invoice_id: invoice.invoice_id,
            total: invoice.total,
            currency: invoice.currency,
        }
    }
}

/// The step that works out what a subscription costs.
pub(crate) async fn calculate<W: Staged>(
    ctx: &WorkflowContext<W>,
    steps: &Steps<W>,
    subscription_id: &str,
    occasion: Occasion,
) -> Result<Charges, Stop> {
    let request = ChargesRequest {
        subscription_id: subscription_id.to_owned(),
        occasion,
    };
    steps
        .take(ctx, "calculate", calculate_charges(request))
        .await
}

pub(crate) fn draft_of(reference: String, subscription_id: &str, charges: Charges) -> Draft {
    Draft {
        reference,
        subscription_id: subscription_id.to_owned(),
        customer_id: charges.customer_id,
        currency: charges.currency,
        lines: charges.lines,
        total: charges.total,
    }
}

/// The steps that draft an invoice and finalise it. Whatever fails from then on, it is voided.
pub(crate) async fn invoice<W: Staged>(
    ctx: &WorkflowContext<W>,
    steps: &mut Steps<W>,
    draft: Draft,
    payment_method: Option<String>,
) -> Result<Invoice, Stop> {
    let call = process_invoice(InvoiceStep::Draft(draft));
    let void = |drafted: &Invoice| process_invoice(InvoiceStep::void(drafted));
    let drafted = steps
        .take_undoable(ctx, "draft_invoice", call, void)
        .await?;
    // A void invoice cannot be finalised: an answer that comes late does no harm.
    let finalise = process_invoice(InvoiceStep::Finalise {
        invoice_id: drafted.invoice_id,
        payment_method,
    });
    steps.take(ctx, "finalise_invoice", finalise).await
}
