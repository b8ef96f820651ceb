//! What can be known to be wrong without asking anybody.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

use crate::model::{ITEMS_MAX, PaymentRequest, RETRY_INITIAL_MS_MAX, RETRY_INITIAL_MS_MIN};

/// Checks what can be checked without asking a provider.
///
/// Fails with `ValidationError` that names everything that is wrong.
#[activity(timeout = Short)]
pub(crate) fn validate_payment(
    _: &ActivityContext,
    payment: PaymentRequest,
) -> Result<(), ActivityError> {
    let wrong = findings(&payment);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(
        ActivityError::validation(format!("the payment cannot be taken: {}", wrong.join("; ")))
            .with_detail(&wrong),
    )
}

fn findings(payment: &PaymentRequest) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |fits: bool, what: &str| {
        if !fits {
            wrong.push(what.to_owned());
        }
    };
    check(!payment.payment_id.is_empty(), "payment_id is empty");
    check(!payment.order_id.is_empty(), "order_id is empty");
    check(!payment.customer_id.is_empty(), "customer_id is empty");
    check(!payment.method.is_empty(), "method is empty");
    check(payment.amount > 0, "amount is not positive");
    let currency = payment.currency.as_bytes();
    check(
        currency.len() == 3 && currency.iter().all(u8::is_ascii_uppercase),
        "currency is not of three capital letters",
    );
    check(!payment.items.is_empty(), "there are no items");
    check(
        payment.items.len() <= ITEMS_MAX,
        "there are too many different items",
    );
    check(
        payment.items.iter().all(|item| !item.sku.is_empty()),
        "an item has no sku",
    );
    check(
        payment.items.iter().all(|item| item.quantity > 0),
        "an item's quantity is not positive",
    );
    check(
        payment
            .retry_initial_ms
            .is_none_or(|ms| (RETRY_INITIAL_MS_MIN..=RETRY_INITIAL_MS_MAX).contains(&ms)),
        "retry_initial_ms is out of bounds",
    );
    wrong
}
