//! The lines of a book: what each provider has on record.

use serde::{Deserialize, Serialize};

/// A charge that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The gateway's own id.
    pub charge_id: String,
    /// The caller's id of the payment.
    pub payment_id: String,
    /// In minor units.
    pub amount: u64,
    /// ISO 4217, three upper-case letters.
    pub currency: String,
    /// The key it was booked under.
    pub idempotency_key: String,
}

/// Money given back for a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The gateway's own id.
    pub refund_id: String,
    /// The charge it gives back.
    pub charge_id: String,
    /// In minor units.
    pub amount: u64,
    /// ISO 4217, as charged.
    pub currency: String,
    /// The key it was booked under.
    pub idempotency_key: String,
}

/// One line of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What is reserved.
    pub sku: String,
    /// How many.
    pub quantity: u64,
}

/// Goods held for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The inventory's own id.
    pub reservation_id: String,
    /// The order it is for.
    pub order_id: String,
    /// What is held.
    pub items: Vec<Item>,
    /// Whether it was given back.
    pub released: bool,
    /// The key it was booked under.
    pub idempotency_key: String,
}

/// An order and every status it was given, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The caller's id.
    pub order_id: String,
    /// The status now.
    pub status: String,
    /// Every status set, the present one last.
    pub history: Vec<String>,
}

/// A parcel on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The fulfilment's own id.
    pub shipment_id: String,
    /// The order it carries.
    pub order_id: String,
    /// The reservation it takes from the shelf.
    pub reservation_id: String,
    /// The key it was booked under.
    pub idempotency_key: String,
}
