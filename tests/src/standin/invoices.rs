//! The invoice service: drafts, final invoices, voided ones; what is collected at once.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book, DECLINED_METHOD, numbered};
use super::operation::Operation;
use super::request::{Request, currency, name};
use super::routes::change;

/// Lines of one invoice.
const LINES_MAX: usize = 1_000;

/// How far an invoice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// It can be finalised, or voided.
    Draft,
    /// The customer has it.
    Final,
    /// It counts for nothing, and what was collected is given back.
    Void,
}

/// An invoice, voided ones included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// The service's own id.
    pub invoice_id: String,
    /// What it is for, in the caller's words; one invoice that is not void has it.
    pub reference: String,
    /// The subscription it is for.
    pub subscription_id: String,
    /// In minor units; below zero is a credit.
    pub total: i64,
    /// ISO 4217.
    pub currency: String,
    /// What it lists.
    pub lines: Vec<InvoiceLine>,
    /// How far it is.
    pub status: InvoiceStatus,
    /// By what it was collected when it became final; gone once it is given back.
    pub collected_by: Option<String>,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// For a person.
    pub what: String,
    /// In minor units.
    pub amount: i64,
}

/// `POST invoices/invoices`
#[derive(Debug, Serialize, Deserialize)]
struct DraftRequest {
    reference: String,
    subscription_id: String,
    customer_id: String,
    currency: String,
    lines: Vec<InvoiceLine>,
    total: i64,
}

/// `POST invoices/invoices/{invoice_id}/finalise`
#[derive(Debug, Serialize, Deserialize)]
struct FinaliseRequest {
    invoice_id: String,
    #[serde(default)]
    payment_method: Option<String>,
}

/// `POST invoices/invoices/{invoice_id}/void`
#[derive(Debug, Serialize, Deserialize)]
struct VoidRequest {
    invoice_id: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route("/{book}/invoices/invoices", post(change::<DraftRequest>))
        .route(
            "/{book}/invoices/invoices/{invoice_id}/finalise",
            post(change::<FinaliseRequest>),
        )
        .route(
            "/{book}/invoices/invoices/{invoice_id}/void",
            post(change::<VoidRequest>),
        )
}

impl Request for DraftRequest {
    const OPERATION: Operation = Operation::InvoiceDrafts;

    fn validate(&self) -> Result<(), String> {
        name("subscription_id", &self.subscription_id)?;
        name("customer_id", &self.customer_id)?;
        name("reference", &self.reference)?;
        currency(&self.currency)?;
        let lines = self.lines.len();
        if lines > LINES_MAX {
            return Err(format!("lines has {lines} lines, more than {LINES_MAX}"));
        }
        let sum: i64 = self.lines.iter().map(|line| line.amount).sum();
        if sum != self.total {
            return Err(format!("the lines sum to {sum}, not to {}", self.total));
        }
        Ok(())
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let taken =
            |it: &&Invoice| it.reference == self.reference && it.status != InvoiceStatus::Void;
        if let Some(invoice) = book.invoices.iter().find(taken) {
            let message = format!("{} is invoiced as {}", self.reference, invoice.invoice_id);
            return Answer::refusal(StatusCode::CONFLICT, "invoice_exists", &message);
        }
        book.invoices.push(Invoice {
            invoice_id: numbered("in", book.invoices.len()),
            reference: self.reference,
            subscription_id: self.subscription_id,
            total: self.total,
            currency: self.currency,
            lines: self.lines,
            status: InvoiceStatus::Draft,
            collected_by: None,
        });
        let drafted = book.invoices.last().expect("one was put there");
        Answer::created(shown(drafted))
    }
}

impl Request for FinaliseRequest {
    const OPERATION: Operation = Operation::InvoiceFinals;

    fn validate(&self) -> Result<(), String> {
        name("invoice_id", &self.invoice_id)?;
        match &self.payment_method {
            Some(method) => name("payment_method", method),
            None => Ok(()),
        }
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(invoice) = book.invoice(&self.invoice_id) else {
            return unknown();
        };
        if invoice.status == InvoiceStatus::Void {
            return Answer::refusal(StatusCode::CONFLICT, "invoice_void", "it is void");
        }
        if self.payment_method.as_deref() == Some(DECLINED_METHOD) {
            let message = "the card was declined by its issuer";
            return Answer::refusal(StatusCode::PAYMENT_REQUIRED, "card_declined", message);
        }
        invoice.status = InvoiceStatus::Final;
        invoice.collected_by = self.payment_method;
        let answer = Answer::with(StatusCode::OK, shown(invoice));
        let invoice = invoice.clone();
        book.renewed(&invoice);
        answer
    }
}

impl Request for VoidRequest {
    const OPERATION: Operation = Operation::InvoiceVoids;

    fn validate(&self) -> Result<(), String> {
        name("invoice_id", &self.invoice_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(invoice) = book.invoice(&self.invoice_id) else {
            return unknown();
        };
        let was_final = invoice.status == InvoiceStatus::Final;
        invoice.status = InvoiceStatus::Void;
        invoice.collected_by = None;
        let answer = Answer::with(StatusCode::OK, shown(invoice));
        if was_final {
            let invoice = invoice.clone();
            book.renewal_void(&invoice);
        }
        answer
    }
}

impl Book {
    fn invoice(&mut self, invoice_id: &str) -> Option<&mut Invoice> {
        self.invoices
            .iter_mut()
            .find(|invoice| invoice.invoice_id == invoice_id)
    }
}

fn shown(invoice: &Invoice) -> serde_json::Value {
    json!({
        "invoice_id": invoice.invoice_id,
        "status": invoice.status,
        "total": invoice.total,
        "currency": invoice.currency,
    })
}

fn unknown() -> Answer {
    let message = "there is no such invoice";
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_invoice", message)
}
