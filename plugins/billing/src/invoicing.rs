//! The activity `ProcessInvoice`: an invoice is drafted, then finalised, or voided.

use serde::Serialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::charge::{self, Line};
use crate::model::name;
use crate::{money, provider};

/// The failure type of an invoice that could not be collected for the customer's sake: no money, no valid card.
pub(crate) const PAYMENT_DECLINED: &str = "PaymentDeclined";
/// The invoice service's answer to that.
const PAYMENT_REQUIRED: u16 = 402;
/// The most lines of one invoice.
const LINES_MAX: usize = 1_000;

/// A step with an invoice.
#[payload]
#[derive(Clone, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvoiceStep {
    /// A reference that has an invoice already, other than a voided one, is a `Conflict`.
    Draft(Draft),
    /// Makes it final. What is to be collected by a method that declines is a failure of type `PaymentDeclined`.
    Finalise {
        invoice_id: String,
        /// Collected by this method at once; without it, however the customer pays.
        payment_method: Option<String>,
    },
    /// Takes it back, and gives back what was collected. One that is void already is no error.
    Void { invoice_id: String },
}

/// An invoice to be.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// What it is for; there is one invoice for one reference.
    pub(crate) reference: String,
    pub(crate) subscription_id: String,
    pub(crate) customer_id: String,
    pub(crate) currency: String,
    pub(crate) lines: Vec<Line>,
    /// The sum of the lines.
    pub(crate) total: i64,
}

/// An invoice as it is now.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    pub(crate) invoice_id: String,
    /// `draft`, `final` or `void`, in the service's words.
    pub(crate) status: String,
    /// In minor units.
    pub(crate) total: i64,
    pub(crate) currency: String,
}

impl InvoiceStep {
    /// The step that undoes the invoice.
    pub(crate) fn void(invoice: &Invoice) -> Self {
        Self::Void {
            invoice_id: invoice.invoice_id.clone(),
        }
    }
}

#[derive(Serialize)]
struct Collect {
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<String>,
}

#[derive(Serialize)]
struct Nothing {}

/// Takes one step with an invoice: drafts it, finalises it (and collects it, if it says by what), or voids it.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn process_invoice(
    ctx: &ActivityContext,
    step: InvoiceStep,
) -> Result<Invoice, ActivityError> {
    info!("invoice: {}", said(&step));
    check(&step)?;
    let invoice = match &step {
        InvoiceStep::Draft(draft) => {
            let to = (Method::Post, "invoices");
            provider::change(ctx, provider::INVOICES, to, draft)?
        }
        InvoiceStep::Finalise {
            invoice_id,
            payment_method,
        } => finalise(ctx, invoice_id, payment_method.clone())?,
        InvoiceStep::Void { invoice_id } => {
            let path = format!("invoices/{}/void", encode_segment(invoice_id));
            let to = (Method::Post, path.as_str());
            provider::change(ctx, provider::INVOICES, to, &Nothing {})?
        }
    };
    let Invoice {
        invoice_id, status, ..
    } = &invoice;
    info!(
        "invoice {invoice_id} is {status} (attempt {})",
        ctx.attempt()
    );
    Ok(invoice)
}

fn finalise(
    ctx: &ActivityContext,
    invoice_id: &str,
    payment_method: Option<String>,
) -> Result<Invoice, ActivityError> {
    let path = format!("invoices/{}/finalise", encode_segment(invoice_id));
    let to = (Method::Post, path.as_str());
    let body = Collect { payment_method };
    let response =
        provider::request(ctx.idempotency_key(), provider::INVOICES, to, &body)?.send()?;
    if response.status() == PAYMENT_REQUIRED {
        let message = format!("invoice {invoice_id} was declined");
        return Err(ActivityError::custom(PAYMENT_DECLINED, message)
            .non_retryable()
            .benign());
    }
    response.ok()?.json()
}

fn said(step: &InvoiceStep) -> String {
    match step {
        InvoiceStep::Draft(draft) => format!("draft for {}", draft.reference),
        InvoiceStep::Finalise { invoice_id, .. } => format!("finalise {invoice_id}"),
        InvoiceStep::Void { invoice_id } => format!("void {invoice_id}"),
    }
}

fn check(step: &InvoiceStep) -> Result<(), ActivityError> {
    let mut findings = Findings::default();
    match step {
        InvoiceStep::Draft(draft) => {
            findings.check(!draft.reference.is_empty(), "reference is empty");
            name(&mut findings, "subscription_id", &draft.subscription_id);
            name(&mut findings, "customer_id", &draft.customer_id);
            findings.check(money::is_currency(&draft.currency), "currency is none");
            findings.check(draft.lines.len() <= LINES_MAX, "there are too many lines");
            let total = findings.value(charge::total(&draft.lines));
            let sums = total.is_none_or(|total| total == draft.total);
            findings.check(sums, "total is not the sum of the lines");
        }
        InvoiceStep::Finalise { invoice_id, .. } | InvoiceStep::Void { invoice_id } => {
            name(&mut findings, "invoice_id", invoice_id);
        }
    }
    findings.verdict("what is to be done with the invoice is wrong")
}
