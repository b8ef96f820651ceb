//! The requests the providers take: their shape, their bounds, and what each does to a book.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::book::{Answer, Book};
use super::entry::Item;
use super::operation::Operation;

/// Bytes of an id, a sku, a method or a status.
const NAME_BYTES_MAX: usize = 256;
/// Bytes of a text.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Minor units of one charge or refund.
const AMOUNT_MAX: u64 = 1_000_000_000_000;
/// Lines of one reservation.
const ITEMS_MAX: usize = 100;
/// Pieces of one line.
const QUANTITY_MAX: u64 = 1_000_000;
/// Letters of an ISO 4217 code.
const CURRENCY_LETTERS: usize = 3;
/// Entries of a page, unless the request says otherwise.
const PAGE_DEFAULT: usize = 100;
/// Entries of a page, whatever the request says.
const PAGE_MAX: usize = 1_000;

/// A request that changes a book.
pub(super) trait Request: DeserializeOwned + Serialize + Send + 'static {
    /// What it is counted and switched as.
    const OPERATION: Operation;

    /// What is wrong with it, before any book is looked at.
    fn validate(&self) -> Result<(), String>;

    /// Does it, once.
    fn apply(self, book: &mut Book, key: &str) -> Answer;
}

/// A request that reads a book: what the path and the query say, as text.
pub(super) trait Look: DeserializeOwned + Send + 'static {
    /// What it is counted and switched as.
    const OPERATION: Operation;

    /// What is wrong with it, before any book is looked at.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// Answers from the book.
    fn look(&self, book: &Book) -> Answer;
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChargeRequest {
    pub(super) payment_id: String,
    pub(super) amount: u64,
    pub(super) currency: String,
    pub(super) method: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefundRequest {
    pub(super) charge_id: String,
    pub(super) amount: u64,
    pub(super) currency: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReservationRequest {
    pub(super) order_id: String,
    pub(super) items: Vec<Item>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReleaseRequest {
    pub(super) reservation_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OrderRequest {
    pub(super) order_id: String,
    pub(super) status: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShipmentRequest {
    pub(super) order_id: String,
    pub(super) reservation_id: String,
}

impl Request for ChargeRequest {
    const OPERATION: Operation = Operation::Charges;

    fn validate(&self) -> Result<(), String> {
        name("payment_id", &self.payment_id)?;
        name("method", &self.method)?;
        money(self.amount, &self.currency)
    }

    fn apply(self, book: &mut Book, key: &str) -> Answer {
        book.charge(self, key)
    }
}

impl Request for RefundRequest {
    const OPERATION: Operation = Operation::Refunds;

    fn validate(&self) -> Result<(), String> {
        name("charge_id", &self.charge_id)?;
        money(self.amount, &self.currency)
    }

    fn apply(self, book: &mut Book, key: &str) -> Answer {
        book.refund(self, key)
    }
}

impl Request for ReservationRequest {
    const OPERATION: Operation = Operation::Reservations;

    fn validate(&self) -> Result<(), String> {
        name("order_id", &self.order_id)?;
        if self.items.is_empty() || self.items.len() > ITEMS_MAX {
            return Err(format!(
                "items has {} lines, not 1 to {ITEMS_MAX}",
                self.items.len()
            ));
        }
        for item in &self.items {
            name("sku", &item.sku)?;
            if item.quantity == 0 || item.quantity > QUANTITY_MAX {
                return Err(format!(
                    "quantity {} is not within 1 to {QUANTITY_MAX}",
                    item.quantity
                ));
            }
        }
        Ok(())
    }

    fn apply(self, book: &mut Book, key: &str) -> Answer {
        book.reserve(self, key)
    }
}

impl Request for ReleaseRequest {
    const OPERATION: Operation = Operation::Releases;

    fn validate(&self) -> Result<(), String> {
        name("reservation_id", &self.reservation_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        book.release(&self)
    }
}

impl Request for OrderRequest {
    const OPERATION: Operation = Operation::Orders;

    fn validate(&self) -> Result<(), String> {
        name("order_id", &self.order_id)?;
        name("status", &self.status)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        book.order(self)
    }
}

impl Request for ShipmentRequest {
    const OPERATION: Operation = Operation::Shipments;

    fn validate(&self) -> Result<(), String> {
        name("order_id", &self.order_id)?;
        name("reservation_id", &self.reservation_id)
    }

    fn apply(self, book: &mut Book, key: &str) -> Answer {
        book.ship(self, key)
    }
}

pub(super) fn name(field: &str, value: &str) -> Result<(), String> {
    if value.is_empty() || value.len() > NAME_BYTES_MAX {
        return Err(format!(
            "{field} has {} bytes, not 1 to {NAME_BYTES_MAX}",
            value.len()
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{field} has control characters"));
    }
    Ok(())
}

/// A text of any letters.
pub(super) fn text(field: &str, value: &str) -> Result<(), String> {
    if value.is_empty() || value.len() > TEXT_BYTES_MAX {
        return Err(format!(
            "{field} has {} bytes, not 1 to {TEXT_BYTES_MAX}",
            value.len()
        ));
    }
    Ok(())
}

/// A time in RFC 3339, with its offset.
pub(super) fn instant(field: &str, value: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(value)
        .map(|time| time.to_utc())
        .map_err(|error| format!("{field} {value:?} is no RFC 3339 time: {error}"))
}

/// The most entries of a page.
pub(super) fn page_limit(limit: Option<&str>) -> Result<usize, String> {
    match limit.map(str::parse) {
        None => Ok(PAGE_DEFAULT),
        Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(format!("limit is not within 1 to {PAGE_MAX}")),
    }
}

/// A position or a number of things, as text.
pub(super) fn number(field: &str, value: &str) -> Result<usize, String> {
    let number = value.parse();
    number.map_err(|_| format!("{field} {value:?} is no number"))
}

pub(super) fn money(amount: u64, currency: &str) -> Result<(), String> {
    if amount == 0 || amount > AMOUNT_MAX {
        return Err(format!("amount {amount} is not within 1 to {AMOUNT_MAX}"));
    }
    self::currency(currency)
}

/// The code of a currency.
pub(super) fn currency(currency: &str) -> Result<(), String> {
    if currency.len() != CURRENCY_LETTERS || !currency.bytes().all(|byte| byte.is_ascii_uppercase())
    {
        return Err(format!(
            "currency {currency:?} is not three upper-case letters"
        ));
    }
    Ok(())
}
