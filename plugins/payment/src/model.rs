//! What goes into a payment and what comes out.

use tenterhook_sdk::payload;

/// The bounds of [`PaymentRequest::retry_initial_ms`].
pub(crate) const RETRY_INITIAL_MS_MIN: u64 = 1;
pub(crate) const RETRY_INITIAL_MS_MAX: u64 = 60_000;
/// The longest text that callers give, such as an id, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 200;
/// The most different items of one order.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// A payment to take.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct PaymentRequest {
    /// The caller's id of this payment.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) payment_id: String,
    /// The order that is paid.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) order_id: String,
    /// Who pays.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) customer_id: String,
    /// The amount in the currency's minor unit: 4200 is EUR 42.00, and JPY 4200.
    #[schemars(range(min = 1))]
    pub(crate) amount: u64,
    /// ISO 4217, for example `EUR`.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub(crate) currency: String,
    /// The payment method, in the gateway's words.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) method: String,
    /// What is bought.
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) items: Vec<Item>,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// Some of one thing.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The stock keeping unit.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) sku: String,
    /// How many.
    #[schemars(range(min = 1))]
    pub(crate) quantity: u32,
}

/// A payment that was taken.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct PaymentResult {
    pub(crate) payment_id: String,
    /// `completed`: any other end is a failure or a cancellation of the workflow.
    pub(crate) status: Stage,
    /// The gateway's id of the charge.
    pub(crate) charge_id: String,
    /// The inventory's id of the reservation.
    pub(crate) reservation_id: String,
    /// The fulfilment's id of the shipment.
    pub(crate) shipment_id: String,
}

/// What the query `status` answers.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct PaymentStatus {
    pub(crate) payment_id: String,
    /// Where the payment stands.
    pub(crate) step: Stage,
    pub(crate) charge_id: Option<String>,
    pub(crate) reservation_id: Option<String>,
    pub(crate) shipment_id: Option<String>,
    /// Why the payment failed, once it has.
    pub(crate) reason: Option<String>,
}

/// Where a payment stands. The order of the first five is the order of the saga.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Validating,
    Reserving,
    /// From here on the update `cancel` is refused.
    Charging,
    Confirming,
    Fulfilling,
    Completed,
    /// What was done is being undone.
    Compensating,
    Failed,
    Cancelled,
}
