//! The operations of the providers, and the switches that make them misbehave.

use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// The longest delay a switch may ask for.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// The longest `Retry-After` a switch may ask for, in seconds.
const RETRY_AFTER_SECONDS_MAX: u64 = 3_600;

/// Something a provider does; each is counted and switched on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST gateway/charges`
    Charges,
    /// `POST gateway/refunds`
    Refunds,
    /// `POST inventory/reservations`
    Reservations,
    /// `DELETE inventory/reservations/{id}`
    Releases,
    /// `PUT orders/orders/{order_id}/status`
    Orders,
    /// `POST fulfillment/shipments`
    Shipments,
    /// `PUT subscriptions/subscriptions/{id}`
    Subscriptions,
    /// `PATCH subscriptions/subscriptions/{id}`
    SubscriptionChanges,
    /// `GET subscriptions/subscriptions/{id}`
    SubscriptionReads,
    /// `GET subscriptions/subscriptions`
    SubscriptionLists,
    /// `POST contracts/subscriptions`
    Contracts,
    /// `GET contracts/subscriptions/{id}`
    ContractReads,
    /// `GET contracts/subscriptions`
    DueLists,
    /// `PUT contracts/subscriptions/{id}/terms`
    TermsChanges,
    /// `POST contracts/subscriptions/{id}/revert`
    TermsReverts,
    /// `PUT contracts/subscriptions/{id}/price`
    Prices,
    /// `GET plans/plans/{id}`
    Plans,
    /// `PUT plans/plans/{id}`
    PlanChanges,
    /// `GET plans/plans/{id}/subscriptions`
    PlanMembers,
    /// `GET usage/subscriptions/{id}`
    UsageReads,
    /// `POST usage/records`
    UsageRecords,
    /// `POST invoices/invoices`
    InvoiceDrafts,
    /// `POST invoices/invoices/{id}/finalise`
    InvoiceFinals,
    /// `POST invoices/invoices/{id}/void`
    InvoiceVoids,
    /// `PUT imports/imports/{id}`
    Uploads,
    /// `GET imports/imports/{id}/rows`
    ImportRows,
    /// `POST imports/imports/{id}/bad-rows`
    BadRows,
    /// `GET tenants/tenants/{id}/access/{user_id}`
    TenantAccess,
    /// `PUT users/users/{id}/tenant`
    UserMoves,
    /// `POST sessions/sessions`
    Sessions,
    /// `POST mail/messages`
    Mails,
    /// `POST push/messages`
    Pushes,
    /// `POST inbox/messages`
    InAppMessages,
    /// `PUT users/users/{id}`
    Users,
    /// `GET users/users/{id}`
    UserReads,
    /// `PUT users/users/{id}/status`
    UserStatuses,
    /// `POST users/users/{id}/packages`
    Packages,
    /// `PUT listings/listings/{id}`
    Listings,
    /// `GET listings/listings/{id}`
    ListingReads,
    /// `PUT listings/listings/{id}/status`
    ListingStatuses,
    /// `POST checks/checks`
    Checks,
    /// `POST reviewers/notices`
    Notices,
    /// `PUT search/documents/{id}`
    Documents,
    /// `DELETE search/documents/{id}`
    DocumentRemovals,
    /// `GET analytics/sources/{source}`
    SourceReads,
    /// `PUT objects/objects/{name}`
    Objects,
    /// `GET objects/objects/{name}`
    ObjectReads,
    /// `POST log/entries`
    LogEntries,
    /// `GET items/{collection}`
    ItemLists,
    /// `POST items/{collection}/exports`
    Exports,
    /// `POST items/{collection}/deletions`
    Deletions,
    /// `PUT reminders/reminders/{id}`
    Reminders,
    /// `GET reminders/reminders/{id}`
    ReminderReads,
    /// `PUT reminders/reminders/{id}/sent`
    RemindersSent,
}

/// How one operation misbehaves. The default is: not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switch {
    /// The next calls to fail before anything is booked; counts down.
    pub fail_next: u64,
    /// The status those calls are answered with, 400 to 599.
    pub status: u16,
    /// Seconds for the `Retry-After` header of those answers, up to an hour.
    pub retry_after: Option<u64>,
    /// Milliseconds every call waits before it is looked at, up to a minute.
    pub delay_ms: u64,
    /// The next answers to withhold after booking: the connection is cut instead; counts down.
    pub drop_after_booking: u64,
}

impl Default for Switch {
    fn default() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
        Self {
            fail_next: 0,
            status,
            retry_after: None,
            delay_ms: 0,
            drop_after_booking: 0,
        }
    }
}

impl Switch {
    /// A switch that fails the next `calls` calls with `status`.
    #[must_use]
    pub fn failing(calls: u64, status: u16) -> Self {
        Self {
            fail_next: calls,
            status,
            ..Self::default()
        }
    }

    /// What is out of bounds, if anything.
    pub(super) fn validate(&self) -> Result<(), String> {
        if !(400..=599).contains(&self.status) {
            return Err(format!("status {} is not within 400 to 599", self.status));
        }
        if self.delay() > DELAY_MAX {
            return Err(format!(
                "delay_ms {} is over {}",
                self.delay_ms,
                DELAY_MAX.as_millis()
            ));
        }
        match self.retry_after {
            Some(seconds) if seconds > RETRY_AFTER_SECONDS_MAX => Err(format!(
                "retry_after {seconds} is over {RETRY_AFTER_SECONDS_MAX}"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }
}

/// What happened to the calls of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that arrived.
    pub calls: u64,
    /// Calls that wrote into the book.
    pub booked: u64,
    /// Calls with a key seen before, given the first answer again.
    pub repeated: u64,
    /// Calls that the provider refused: declined, out of stock, malformed.
    pub refused: u64,
    /// Calls that a switch failed.
    pub failed: u64,
    /// Answers withheld by cutting the connection.
    pub dropped: u64,
}
