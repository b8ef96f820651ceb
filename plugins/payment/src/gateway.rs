//! The payment gateway: charges and refunds.

use serde::Deserialize;
use tenterhook_sdk::http::Method;
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::finding::OfPayments as _;
use crate::model::TEXT_CHARS_MAX;
use crate::provider;

/// The failure type of a charge that the gateway refused for the customer's sake: no money, no valid card.
pub(crate) const PAYMENT_DECLINED: &str = "PaymentDeclined";

/// The gateway's answer to a charge that it does not make.
const PAYMENT_REQUIRED: u16 = 402;

const URL_KEY: &str = "gateway_url";

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ChargeRequest {
    pub(crate) payment_id: String,
    pub(crate) amount: u64,
    pub(crate) currency: String,
    pub(crate) method: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Charged {
    pub(crate) charge_id: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct RefundRequest {
    pub(crate) charge_id: String,
    pub(crate) amount: u64,
    pub(crate) currency: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Refunded {
    pub(crate) refund_id: String,
}

impl ChargeRequest {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.present("payment_id", &self.payment_id);
        findings.money(self.amount, &self.currency);
        findings.text("method", &self.method, TEXT_CHARS_MAX);
        findings.verdict("the charge cannot be made")
    }
}

impl RefundRequest {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.present("charge_id", &self.charge_id);
        findings.money(self.amount, &self.currency);
        findings.verdict("the charge cannot be given back")
    }

    /// The refund of the whole of a charge.
    pub(crate) fn of(charge: &ChargeRequest, charged: &Charged) -> Self {
        Self {
            charge_id: charged.charge_id.clone(),
            amount: charge.amount,
            currency: charge.currency.clone(),
        }
    }
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Declined {
    error: String,
    #[serde(default)]
    message: String,
}

/// Charges the customer. A declined charge is a failure of type `PaymentDeclined`, which is not retried.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn process_payment_gateway(
    ctx: &ActivityContext,
    input: ChargeRequest,
) -> Result<Charged, ActivityError> {
    input.check()?;
    let response = provider::request(ctx, URL_KEY, Method::Post, "charges")?
        .json(&input)?
        .send()?;
    if response.status() == PAYMENT_REQUIRED {
        return Err(declined(&input, response.json().ok()));
    }
    let charged: Charged = response.ok()?.json()?;
    info!(
        "payment {} charged as {} (attempt {})",
        input.payment_id,
        charged.charge_id,
        ctx.attempt()
    );
    Ok(charged)
}

/// An expected outcome of business, not a fault of anybody's: final, and quiet in the logs.
fn declined(input: &ChargeRequest, answer: Option<Declined>) -> ActivityError {
    let answer = answer.unwrap_or(Declined {
        error: "declined".to_owned(),
        message: String::new(),
    });
    let mut message = format!(
        "payment {} was declined: {}",
        input.payment_id, answer.error
    );
    if !answer.message.is_empty() {
        message = format!("{message}, {}", answer.message);
    }
    ActivityError::custom(PAYMENT_DECLINED, message)
        .non_retryable()
        .benign()
        .with_detail(&answer.error)
}

/// Gives a charge back.
#[activity(timeout = Short)]
pub(crate) fn refund_payment(
    ctx: &ActivityContext,
    input: RefundRequest,
) -> Result<Refunded, ActivityError> {
    input.check()?;
    let refunded: Refunded = provider::request(ctx, URL_KEY, Method::Post, "refunds")?
        .json(&input)?
        .send()?
        .ok()?
        .json()?;
    info!(
        "charge {} refunded as {}",
        input.charge_id, refunded.refund_id
    );
    Ok(refunded)
}
