//! A stand-in for the providers that the shipped plugins call, from payment gateway to search index, in one small
//! HTTP server that keeps real books.
//!
//! Tenants keep separate [`Book`]s: the first path segment of every address names the book, so a
//! tenant's plugin is configured with `http://HOST:PORT/acme/gateway` and can touch no other's.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /{book}/gateway/charges` `{payment_id, amount, currency, method}` | 201 `{charge_id, status}`; 402 for the method `card_declined` |
//! | `POST /{book}/gateway/refunds` `{charge_id, amount, currency}` | 201 `{refund_id}`; 404 unknown charge; 409 beyond what was charged |
//! | `POST /{book}/inventory/reservations` `{order_id, items: [{sku, quantity}]}` | 201 `{reservation_id}`; 409 for the sku `out-of-stock` |
//! | `DELETE /{book}/inventory/reservations/{id}` | 204, also when released before; 404 if it was never made |
//! | `PUT /{book}/orders/orders/{order_id}/status` `{status}` | 200 |
//! | `POST /{book}/fulfillment/shipments` `{order_id, reservation_id}` | 201 `{shipment_id}`; 422 for a reservation of the sku `unshippable` |
//! | `PUT /{book}/subscriptions/subscriptions/{id}` a [`Subscription`] | 201, or 200 in place of one that is there |
//! | `PATCH /{book}/subscriptions/subscriptions/{id}` any of `{plan, price, currency, payment_method, status, period_start, period_end, cancel_at_period_end}` | 200 the subscription; 404; 409 once cancelled |
//! | `GET /{book}/subscriptions/subscriptions/{id}` | 200 the subscription; 404 |
//! | `GET /{book}/subscriptions/subscriptions?plan=&status=&due_by=&after=&limit=` | 200 `{subscriptions, next}` in the order of ids; `next` is the `after` of the next page |
//! | `POST /{book}/contracts/subscriptions` `{subscription_id, customer_id, plan_id, quantity, period}` | 201 `{subscription_id, status}`; 404 for a plan that is not there; 409 for an id that is |
//! | `GET /{book}/contracts/subscriptions/{id}` | 200 a [`Contract`]; 404 |
//! | `GET /{book}/contracts/subscriptions?due_at=&after=&limit=` | 200 `{subscriptions: [{subscription_id, period}]}`: the active ones whose period is over, in the order of ids |
//! | `PUT /{book}/contracts/subscriptions/{id}/terms`, `POST …/revert` [`Terms`] | 200 `{subscription_id, previous}`; 404 |
//! | `PUT /{book}/contracts/subscriptions/{id}/price` `{price, currency, price_version}` | 200 `{changed}`; 409 while its status is `locked` |
//! | `PUT`, `GET /{book}/plans/plans/{id}` a [`Plan`] | 200 the plan; 404 |
//! | `GET /{book}/plans/plans/{id}/subscriptions?offset=&limit=` | 200 `{total, subscription_ids}` in the order they were made |
//! | `GET /{book}/usage/subscriptions/{id}?from=&until=` | 200 `{totals}` by metric, of the days from `from` to before `until` |
//! | `POST /{book}/usage/records` `{import_id, records: [{row, subscription_id, metric, on, quantity}]}` | 200 |
//! | `POST /{book}/invoices/invoices` `{reference, subscription_id, customer_id, currency, lines, total}` | 201 `{invoice_id, status, total, currency}`; 409 for a reference with an invoice that is not void |
//! | `POST /{book}/invoices/invoices/{id}/finalise` `{payment_method?}` | 200; 402 for the method `card_declined`; 409 once void. A renewal's period is paid for from then on |
//! | `POST /{book}/invoices/invoices/{id}/void` | 200, also when void before; 404. A renewal's period is due again |
//! | `PUT /{book}/imports/imports/{id}` `{rows: ["…"]}` | 201 |
//! | `GET /{book}/imports/imports/{id}/rows?from=&limit=` | 200 `{total, rows}` |
//! | `POST /{book}/imports/imports/{id}/bad-rows` `{bad_rows: [{row, reason}]}` | 200 |
//! | `GET /{book}/tenants/tenants/{id}/access/{user_id}` | 200 `{role}`; 403; 404 |
//! | `PUT /{book}/users/users/{id}/tenant` `{tenant_id}` | 200 `{user_id, previous_tenant_id}`, and the user's sessions elsewhere end |
//! | `POST /{book}/sessions/sessions` `{user_id, tenant_id, role}` | 201 `{session_id}`; 409 where the user is not in the tenant |
//! | `POST /{book}/mail/messages`, `…/push/messages`, `…/inbox/messages` `{user_id, to, subject, body}` | 201 `{message_id}`; 422 for mail to the domain `bounce.example`; 410 for a push to `gone-device` |
//! | `PUT`, `GET /{book}/users/users/{id}` a [`User`] | 200; 404 |
//! | `PUT /{book}/users/users/{id}/status` `{status}` | 200; 404 |
//! | `POST /{book}/users/users/{id}/packages` `{kind}` | 201 `{package_id}`; 404 |
//! | `PUT`, `GET /{book}/listings/listings/{id}` a [`Listing`] | 200; 404 |
//! | `PUT /{book}/listings/listings/{id}/status` `{status, by, comment}` | 200; 404 |
//! | `POST /{book}/checks/checks` `{listing_id, title, description, images}` | 201 `{score, findings}`: 100, less 25 for a short description, 20 without a picture, 50 for the word `counterfeit` |
//! | `POST /{book}/reviewers/notices` `{listing_id, score, escalated, decide_by}` | 201 `{notice_id}` |
//! | `PUT`, `DELETE /{book}/search/documents/{id}` `{title, …}` | 200, 204; 422 for the title `unsearchable`; 404 where there is none to delete |
//! | `GET /{book}/analytics/sources/{source}?from=&to=` | 200 `{source, metrics}`: sums from `from` to before `to`; 404 |
//! | `PUT`, `GET /{book}/objects/objects/{name}` `{content}` | 201 `{location}`, 200; 404 |
//! | `POST /{book}/log/entries` `{kind, facts}` | 201 `{entry_id}` |
//! | `GET /{book}/items/{collection}?older_than=&after=&limit=` | 200 `{ids, next}` |
//! | `POST /{book}/items/{collection}/exports`, `…/deletions` `{ids}` | 200 `{items}`, 200 `{deleted, missing}` |
//! | `PUT`, `GET /{book}/reminders/reminders/{id}` a [`Reminder`] | 200; 404 |
//! | `PUT /{book}/reminders/reminders/{id}/sent` `{sent_at}` | 200; 404; 409 when it was sent before |
//! | `GET /{book}/books` | the whole [`Book`] |
//! | `PUT /{book}/switches` `{"charges": {...}}` | 204; sets the [`Switch`] of each operation named |
//!
//! Every changing request carries an `Idempotency-Key` (400 without). A repeated key returns the
//! first answer and books nothing; a repeated key with another request is refused with 422.
//! What only reads needs none; it is counted, delayed and failed by its switch like the rest. Amounts are whole minor
//! units (cents), times RFC 3339 with their offset. Errors are `{error, message}`.

mod book;
mod contracts;
mod documents;
mod entry;
mod imports;
mod invoices;
mod items;
mod listings;
mod messages;
mod objects;
mod operation;
mod plans;
mod reminders;
mod request;
mod routes;
mod serving;
mod sources;
mod subscriptions;
mod tenancy;
mod usage;
mod users;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use serving::KeepAlive;

pub use book::Book;
pub use contracts::{Agreed, Contract, Days, Terms};
pub use entry::{Charge, Item, Order, Refund, Reservation, Shipment};
pub use imports::{BadRow, Import};
pub use invoices::{Invoice, InvoiceLine, InvoiceStatus};
pub use items::{Items, StoredItem};
pub use listings::{Listing, Notice};
pub use messages::{Channel, Message};
pub use objects::{LogEntry, Object};
pub use operation::{Counts, Operation, Switch};
pub use plans::{Plan, UsagePrice};
pub use reminders::Reminder;
pub use sources::Happening;
pub use subscriptions::{Period, Subscription, SubscriptionStatus};
pub use tenancy::{Access, Session};
pub use usage::UsageByDay;
pub use users::User;

/// Books one stand-in keeps; a request for one more is answered 507.
const BOOKS_MAX: usize = 1_000;

/// A running stand-in. Dropping it stops the server; its books are gone with it.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    books: Books,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts the server on `address`; port 0 takes a free one, see [`StandIn::address`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        Self::serve(address, KeepAlive::Kept).await
    }

    /// The same, but each connection ends with its first answer. For sweeps: each of their many runs is another tenant, which
    /// has connections of its own, and idle ones would hold the places that a host has for all.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_closing(address: SocketAddr) -> io::Result<Self> {
        Self::serve(address, KeepAlive::Closed).await
    }

    async fn serve(address: SocketAddr, keep_alive: KeepAlive) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let books = Books::default();
        let stop = CancellationToken::new();
        let router = routes::router(books.clone());
        let serving = tokio::spawn(serving::serve(listener, router, keep_alive, stop.clone()));
        Ok(Self {
            address,
            books,
            stop,
            serving: Some(serving),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address of one tenant's providers, such as `http://127.0.0.1:4711/acme`.
    #[must_use]
    pub fn base_url(&self, book: &str) -> String {
        format!("http://{}/{book}", self.address)
    }

    /// A copy of a book as it is now, without the way over HTTP; empty when nothing was booked.
    #[must_use]
    pub fn book(&self, name: &str) -> Book {
        self.books.lock().get(name).cloned().unwrap_or_default()
    }

    /// What happened to the calls of one operation so far.
    #[must_use]
    pub fn counts(&self, book: &str, operation: Operation) -> Counts {
        let books = self.books.lock();
        books
            .get(book)
            .map(|book| book.counts(operation))
            .unwrap_or_default()
    }

    /// Writes into a book without the way over HTTP: what was there before anybody asked.
    pub fn edit<T>(&self, book: &str, act: impl FnOnce(&mut Book) -> T) -> T {
        act(self.books.lock().entry(book.to_owned()).or_default())
    }

    /// Sets the switch of one operation, as `PUT /{book}/switches` does.
    pub fn switch(&self, book: &str, operation: Operation, switch: Switch) {
        self.books
            .lock()
            .entry(book.to_owned())
            .or_default()
            .set_switch(operation, switch);
    }

    /// Stops accepting, closes every connection and waits for that.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // The task ends by the token alone; a panic in it has nothing more to tell here.
            serving.await.ok();
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// All books, shared by the connections. Never held across an await: what is booked under one
/// lock is one transaction.
#[derive(Clone, Debug, Default)]
struct Books(Arc<Mutex<HashMap<String, Book>>>);

impl Books {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Book>> {
        // A panic while booking leaves entries, never half an entry: going on is right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `act` on the book `name`, opening it on first use; `None` when there are too many.
    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Book) -> T) -> Option<T> {
        let mut books = self.lock();
        if books.len() >= BOOKS_MAX && !books.contains_key(name) {
            return None;
        }
        Some(act(books.entry(name.to_owned()).or_default()))
    }
}
