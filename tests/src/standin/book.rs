//! One tenant's book: every entry, the answers given, the switches. Pure: no I/O, no clock.

use std::collections::{BTreeMap, HashMap};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contracts::Contract;
use super::entry::{Charge, Order, Refund, Reservation, Shipment};
use super::imports::Import;
use super::invoices::Invoice;
use super::items::Items;
use super::listings::{Listing, Notice};
use super::messages::Message;
use super::objects::{LogEntry, Object};
use super::operation::{Counts, Operation, Switch};
use super::plans::Plan;
use super::reminders::Reminder;
use super::request::{
    ChargeRequest, OrderRequest, RefundRequest, ReleaseRequest, ReservationRequest, ShipmentRequest,
};
use super::sources::Happening;
use super::subscriptions::Subscription;
use super::tenancy::{Access, Session};
use super::usage::UsageByDay;
use super::users::User;

/// Answers a book remembers, and so the most it can hold; the next is refused with 507.
const ANSWERS_MAX: usize = 500_000;

/// The card the gateway always declines.
pub(super) const DECLINED_METHOD: &str = "card_declined";
/// The sku that is never on the shelf.
const OUT_OF_STOCK_SKU: &str = "out-of-stock";
/// The sku that can be reserved, but never shipped.
const UNSHIPPABLE_SKU: &str = "unshippable";

/// Everything the providers have on record for one tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Book {
    /// Charges in the order they were made.
    pub charges: Vec<Charge>,
    /// Refunds in the order they were made.
    pub refunds: Vec<Refund>,
    /// Reservations in the order they were made, released ones included.
    pub reservations: Vec<Reservation>,
    /// Orders by their id.
    pub orders: BTreeMap<String, Order>,
    /// Shipments in the order they were made.
    pub shipments: Vec<Shipment>,
    /// Subscriptions by their id.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Contracts by the ids of their subscriptions.
    pub contracts: BTreeMap<String, Contract>,
    /// The same ids, in the order in which they were made.
    pub contract_order: Vec<String>,
    /// Plans by their id.
    pub plans: BTreeMap<String, Plan>,
    /// Usage by subscription.
    pub usage: BTreeMap<String, UsageByDay>,
    /// Invoices in the order they were drafted, voided ones included.
    pub invoices: Vec<Invoice>,
    /// Imports by their id.
    pub imports: BTreeMap<String, Import>,
    /// Who may be where.
    pub access: Access,
    /// The tenant that each user is in.
    pub user_tenants: BTreeMap<String, String>,
    /// What users were logged in to, in that order.
    pub sessions: Vec<Session>,
    /// Users by their id.
    pub users: BTreeMap<String, User>,
    /// Messages in the order they were taken.
    pub messages: Vec<Message>,
    /// Listings by their id.
    pub listings: BTreeMap<String, Listing>,
    /// What reviewers were told, in that order.
    pub notices: Vec<Notice>,
    /// The search index, by the documents' ids.
    pub documents: BTreeMap<String, Value>,
    /// What happened at each source of analytics.
    pub sources: BTreeMap<String, Vec<Happening>>,
    /// The object store, by the objects' names.
    pub objects: BTreeMap<String, Object>,
    /// Operations on record, in that order.
    pub log: Vec<LogEntry>,
    /// Items that grow old.
    pub items: Items,
    /// Reminders by their id.
    pub reminders: BTreeMap<String, Reminder>,
    /// What happened to the calls of each operation.
    pub counts: BTreeMap<Operation, Counts>,
    #[serde(skip)]
    switches: HashMap<Operation, Switch>,
    #[serde(skip)]
    answers: HashMap<(Operation, String), Remembered>,
}

/// An answer, before it becomes HTTP.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Option<Value>,
}

/// The first answer to an idempotency key, and what had been asked.
#[derive(Clone, Debug)]
struct Remembered {
    asked: Value,
    answer: Answer,
}

impl Answer {
    pub(super) fn created(body: Value) -> Self {
        Self::with(StatusCode::CREATED, body)
    }

    pub(super) fn with(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
        }
    }

    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
        }
    }

    pub(super) fn refusal(status: StatusCode, error: &str, message: &str) -> Self {
        Self {
            status,
            body: Some(json!({ "error": error, "message": message })),
        }
    }
}

impl Book {
    /// What happened to the calls of `operation`.
    #[must_use]
    pub fn counts(&self, operation: Operation) -> Counts {
        self.counts.get(&operation).cloned().unwrap_or_default()
    }

    /// The refunds of one charge.
    pub fn refunds_of<'a>(&'a self, charge_id: &'a str) -> impl Iterator<Item = &'a Refund> {
        self.refunds
            .iter()
            .filter(move |refund| refund.charge_id == charge_id)
    }

    pub(super) fn set_switch(&mut self, operation: Operation, switch: Switch) {
        self.switches.insert(operation, switch);
    }

    pub(super) fn switches(&self) -> BTreeMap<Operation, Switch> {
        self.switches
            .iter()
            .map(|(operation, switch)| (*operation, switch.clone()))
            .collect()
    }

    /// Counts a call that arrived and says how long it has to wait.
    pub(super) fn arrived(&mut self, operation: Operation) -> std::time::Duration {
        self.count(operation).calls += 1;
        self.switches
            .get(&operation)
            .map(Switch::delay)
            .unwrap_or_default()
    }

    /// Counts a call that was refused before it reached the books.
    pub(super) fn refused(&mut self, operation: Operation) {
        self.count(operation).refused += 1;
    }

    /// The failure the switch of `operation` has for this call, if any.
    pub(super) fn switched_failure(&mut self, operation: Operation) -> Option<Switch> {
        let switch = self.switches.get_mut(&operation)?;
        switch.fail_next = switch.fail_next.checked_sub(1)?;
        let switch = switch.clone();
        self.count(operation).failed += 1;
        Some(switch)
    }

    /// Whether the connection is to be cut instead of answering.
    pub(super) fn switched_drop(&mut self, operation: Operation) -> bool {
        let Some(switch) = self.switches.get_mut(&operation) else {
            return false;
        };
        let Some(left) = switch.drop_after_booking.checked_sub(1) else {
            return false;
        };
        switch.drop_after_booking = left;
        self.count(operation).dropped += 1;
        true
    }

    /// Answers a request: as before if its key was seen, else with what `book` makes of it.
    pub(super) fn answer(
        &mut self,
        operation: Operation,
        key: &str,
        asked: Value,
        book: impl FnOnce(&mut Self) -> Answer,
    ) -> Answer {
        if let Some(first) = self.answers.get(&(operation, key.to_owned())) {
            let answer = if first.asked == asked {
                first.answer.clone()
            } else {
                Answer::refusal(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "idempotency_key_reused",
                    "this Idempotency-Key was used with another request",
                )
            };
            self.count(operation).repeated += 1;
            return answer;
        }
        if self.answers.len() >= ANSWERS_MAX {
            return Answer::refusal(
                StatusCode::INSUFFICIENT_STORAGE,
                "book_full",
                "the book is full",
            );
        }
        let answer = book(self);
        let count = self.count(operation);
        if answer.status.is_success() {
            count.booked += 1;
        } else {
            count.refused += 1;
        }
        let first = Remembered {
            asked,
            answer: answer.clone(),
        };
        self.answers.insert((operation, key.to_owned()), first);
        answer
    }

    pub(super) fn charge(&mut self, request: ChargeRequest, key: &str) -> Answer {
        if request.method == DECLINED_METHOD {
            let (status, message) = (
                StatusCode::PAYMENT_REQUIRED,
                "the card was declined by its issuer",
            );
            return Answer::refusal(status, "card_declined", message);
        }
        let charge_id = numbered("ch", self.charges.len());
        let answer = Answer::created(json!({ "charge_id": charge_id, "status": "succeeded" }));
        self.charges.push(Charge {
            charge_id,
            payment_id: request.payment_id,
            amount: request.amount,
            currency: request.currency,
            idempotency_key: key.to_owned(),
        });
        answer
    }

    pub(super) fn refund(&mut self, request: RefundRequest, key: &str) -> Answer {
        let Some(charge) = self
            .charges
            .iter()
            .find(|charge| charge.charge_id == request.charge_id)
        else {
            return Answer::refusal(
                StatusCode::NOT_FOUND,
                "unknown_charge",
                "there is no such charge",
            );
        };
        let refunded: u64 = self
            .refunds_of(&charge.charge_id)
            .map(|refund| refund.amount)
            .sum();
        if charge.currency != request.currency || refunded + request.amount > charge.amount {
            let message = "more than was charged, or in another currency";
            return Answer::refusal(StatusCode::CONFLICT, "refund_exceeds_charge", message);
        }
        let refund_id = numbered("re", self.refunds.len());
        let answer = Answer::created(json!({ "refund_id": refund_id }));
        self.refunds.push(Refund {
            refund_id,
            charge_id: request.charge_id,
            amount: request.amount,
            currency: request.currency,
            idempotency_key: key.to_owned(),
        });
        answer
    }

    pub(super) fn reserve(&mut self, request: ReservationRequest, key: &str) -> Answer {
        if request
            .items
            .iter()
            .any(|item| item.sku == OUT_OF_STOCK_SKU)
        {
            return Answer::refusal(
                StatusCode::CONFLICT,
                "out_of_stock",
                "an item is not on the shelf",
            );
        }
        let reservation_id = numbered("rv", self.reservations.len());
        let answer = Answer::created(json!({ "reservation_id": reservation_id }));
        self.reservations.push(Reservation {
            reservation_id,
            order_id: request.order_id,
            items: request.items,
            released: false,
            idempotency_key: key.to_owned(),
        });
        answer
    }

    pub(super) fn release(&mut self, request: &ReleaseRequest) -> Answer {
        let id = &request.reservation_id;
        let Some(held) = self
            .reservations
            .iter_mut()
            .find(|held| held.reservation_id == *id)
        else {
            return unknown_reservation();
        };
        held.released = true;
        Answer::nothing()
    }

    pub(super) fn order(&mut self, request: OrderRequest) -> Answer {
        let OrderRequest { order_id, status } = request;
        let order = self
            .orders
            .entry(order_id.clone())
            .or_insert_with(|| Order {
                order_id: order_id.clone(),
                status: String::new(),
                history: Vec::new(),
            });
        order.status.clone_from(&status);
        order.history.push(status.clone());
        let body = json!({ "order_id": order_id, "status": status });
        Answer::with(StatusCode::OK, body)
    }

    pub(super) fn ship(&mut self, request: ShipmentRequest, key: &str) -> Answer {
        let id = &request.reservation_id;
        let Some(held) = self
            .reservations
            .iter()
            .find(|held| held.reservation_id == *id)
        else {
            return unknown_reservation();
        };
        if held.released || held.order_id != request.order_id {
            let message = "the reservation was released, or is another order's";
            return Answer::refusal(StatusCode::CONFLICT, "reservation_not_held", message);
        }
        if held.items.iter().any(|item| item.sku == UNSHIPPABLE_SKU) {
            let message = "an item cannot be shipped, now or later";
            return Answer::refusal(StatusCode::UNPROCESSABLE_ENTITY, "unshippable", message);
        }
        let shipment_id = numbered("sh", self.shipments.len());
        let answer = Answer::created(json!({ "shipment_id": shipment_id }));
        self.shipments.push(Shipment {
            shipment_id,
            order_id: request.order_id,
            reservation_id: request.reservation_id,
            idempotency_key: key.to_owned(),
        });
        answer
    }

    fn count(&mut self, operation: Operation) -> &mut Counts {
        self.counts.entry(operation).or_default()
    }
}

fn unknown_reservation() -> Answer {
    Answer::refusal(
        StatusCode::NOT_FOUND,
        "unknown_reservation",
        "there is no such reservation",
    )
}

/// The id of the entry that comes after `before` others.
pub(super) fn numbered(kind: &str, before: usize) -> String {
    format!("{kind}_{:06}", before + 1)
}
