//! The payments of the story, each with what has to come of it.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Switch};

/// The first pause between attempts: a person watches, so not the preset's second.
const RETRY_INITIAL_MS: u64 = 200;

/// A payment, and what has to come of it.
pub(crate) struct Payment {
    /// Its id, and its workflow's.
    pub(crate) id: &'static str,
    /// Its order.
    pub(crate) order: &'static str,
    /// In minor units.
    pub(crate) amount: u64,
    /// What it shows, in a few words.
    pub(crate) shows: &'static str,
    method: &'static str,
    sku: &'static str,
    /// What is wrong with the providers meanwhile.
    pub(crate) trouble: Option<(Operation, Switch)>,
    /// What has to come of it.
    pub(crate) expected: Expected,
}

/// What has to come of a payment: in Temporal, and in the books.
pub(crate) struct Expected {
    /// How the workflow ends.
    pub(crate) status: &'static str,
    /// The type of the failure it ends with.
    pub(crate) failure: Option<&'static str>,
    /// The activities in the order they are scheduled, with their attempts.
    pub(crate) steps: &'static [(&'static str, u64)],
    /// How many of the last of them undo earlier ones.
    pub(crate) compensations: usize,
    /// Whether the customer was charged.
    pub(crate) charged: bool,
    /// Whether the charge was given back.
    pub(crate) refunded: bool,
    /// Whether the reservation was given back.
    pub(crate) released: bool,
    /// Every status of the order.
    pub(crate) order: &'static [&'static str],
    /// Whether it was shipped.
    pub(crate) shipped: bool,
}

impl Payment {
    /// What the workflow is started with.
    pub(crate) fn input(&self) -> Value {
        json!({
            "payment_id": self.id,
            "order_id": self.order,
            "customer_id": "customer-7",
            "amount": self.amount,
            "currency": "EUR",
            "method": self.method,
            "items": [{ "sku": self.sku, "quantity": 1 }],
            "retry_initial_ms": RETRY_INITIAL_MS,
        })
    }
}

/// The payments of a tenant.
pub(crate) fn of(tenant: &str) -> Vec<Payment> {
    match tenant {
        "acme" => vec![succeeds(), declined()],
        _ => vec![recovers(), cannot_be_shipped()],
    }
}

fn succeeds() -> Payment {
    Payment {
        id: "payment-1",
        order: "order-1",
        amount: 4_200,
        shows: "everything goes well",
        method: "card",
        sku: "book",
        trouble: None,
        expected: Expected {
            status: "completed",
            failure: None,
            steps: &[
                ("ValidatePayment", 1),
                ("ReserveInventory", 1),
                ("ProcessPaymentGateway", 1),
                ("UpdateOrderStatus", 1),
                ("TriggerFulfillment", 1),
            ],
            compensations: 0,
            charged: true,
            refunded: false,
            released: false,
            order: &["paid"],
            shipped: true,
        },
    }
}

fn declined() -> Payment {
    Payment {
        id: "payment-2",
        order: "order-2",
        amount: 129_900,
        shows: "the card is declined, so what was reserved goes back",
        method: "card_declined",
        sku: "bicycle",
        trouble: None,
        expected: Expected {
            status: "failed",
            failure: Some("PaymentDeclined"),
            steps: &[
                ("ValidatePayment", 1),
                ("ReserveInventory", 1),
                ("ProcessPaymentGateway", 1),
                ("ReleaseInventory", 1),
                ("UpdateOrderStatus", 1),
            ],
            compensations: 2,
            charged: false,
            refunded: false,
            released: true,
            order: &["failed"],
            shipped: false,
        },
    }
}

fn recovers() -> Payment {
    Payment {
        id: "payment-1",
        order: "order-1",
        amount: 990,
        shows: "the gateway fails twice and recovers",
        method: "card",
        sku: "tea",
        trouble: Some((Operation::Charges, Switch::failing(2, 503))),
        expected: Expected {
            steps: &[
                ("ValidatePayment", 1),
                ("ReserveInventory", 1),
                ("ProcessPaymentGateway", 3),
                ("UpdateOrderStatus", 1),
                ("TriggerFulfillment", 1),
            ],
            ..succeeds().expected
        },
    }
}

fn cannot_be_shipped() -> Payment {
    Payment {
        id: "payment-2",
        order: "order-2",
        amount: 75_000,
        shows: "paid, but it can never be shipped, so the money goes back",
        method: "card",
        sku: "unshippable",
        trouble: None,
        expected: Expected {
            status: "failed",
            failure: Some("ValidationError"),
            steps: &[
                ("ValidatePayment", 1),
                ("ReserveInventory", 1),
                ("ProcessPaymentGateway", 1),
                ("UpdateOrderStatus", 1),
                ("TriggerFulfillment", 1),
                ("RefundPayment", 1),
                ("ReleaseInventory", 1),
                ("UpdateOrderStatus", 1),
            ],
            compensations: 3,
            charged: true,
            refunded: true,
            released: true,
            order: &["paid", "failed"],
            shipped: false,
        },
    }
}
