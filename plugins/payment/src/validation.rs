//! What can be known to be wrong without asking anybody.

use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity};

use crate::finding::OfPayments as _;
use crate::model::{PaymentRequest, RETRY_INITIAL_MS_MAX, RETRY_INITIAL_MS_MIN, TEXT_CHARS_MAX};

/// Checks what can be checked without asking a provider.
///
/// Fails with `ValidationError` that names everything that is wrong.
#[activity(timeout = Short)]
pub(crate) fn validate_payment(
    _: &ActivityContext,
    payment: PaymentRequest,
) -> Result<(), ActivityError> {
    let mut findings = Findings::default();
    findings.text("payment_id", &payment.payment_id, TEXT_CHARS_MAX);
    findings.text("order_id", &payment.order_id, TEXT_CHARS_MAX);
    findings.text("customer_id", &payment.customer_id, TEXT_CHARS_MAX);
    findings.text("method", &payment.method, TEXT_CHARS_MAX);
    findings.money(payment.amount, &payment.currency);
    findings.items(&payment.items);
    findings.check(
        payment
            .retry_initial_ms
            .is_none_or(|ms| (RETRY_INITIAL_MS_MIN..=RETRY_INITIAL_MS_MAX).contains(&ms)),
        "retry_initial_ms is out of bounds",
    );
    findings.verdict("the payment cannot be taken")
}
