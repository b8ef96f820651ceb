//! Subscriptions: who pays how much for which plan, how often, and whether still.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, Request, instant, money, name, page_limit};
use super::routes::{change, look};

/// A subscription as it is now, and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The caller's id.
    pub subscription_id: String,
    /// Who pays.
    pub customer_id: String,
    /// What is paid for.
    pub plan: String,
    /// What a period costs, in minor units.
    pub price: u64,
    /// ISO 4217, three upper-case letters.
    pub currency: String,
    /// How often it is paid.
    pub period: Period,
    /// How it is paid, in the gateway's words.
    pub payment_method: String,
    /// Whether it is paid.
    pub status: SubscriptionStatus,
    /// When the first period began, RFC 3339 with its offset: the day of the month that counts.
    pub started_at: String,
    /// When the period that runs, or the next that is due, began; RFC 3339.
    pub period_start: String,
    /// When it ends and the next one is due; RFC 3339.
    pub period_end: String,
    /// Whether it ends with the period.
    #[serde(default)]
    pub cancel_at_period_end: bool,
    /// Every change after it was made, as it was asked for, the last one last.
    #[serde(default)]
    pub history: Vec<Value>,
}

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// To the same day of the next month, or its last.
    Month,
    /// To the same day of the next year, or the last of its month.
    Year,
}

/// Whether a subscription is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// Made, and not paid for the first time.
    Pending,
    /// Paid.
    Active,
    /// Not paid in time, and not given up.
    PastDue,
    /// Over; nothing changes it any more.
    Cancelled,
}

/// The whole of a subscription, to be made or put in place of what is there.
#[derive(Debug, Serialize, Deserialize)]
struct SubscriptionRequest {
    #[serde(flatten)]
    subscription: Subscription,
}

/// What is to change; the rest stays.
#[derive(Debug, Serialize, Deserialize)]
struct SubscriptionChange {
    subscription_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<SubscriptionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_at_period_end: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct SubscriptionLook {
    subscription_id: String,
}

/// Which subscriptions to list, in the order of their ids.
#[derive(Debug, Deserialize)]
struct SubscriptionList {
    plan: Option<String>,
    status: Option<SubscriptionStatus>,
    /// Only those whose period ends at this time or before it; RFC 3339.
    due_by: Option<String>,
    /// Only those whose id comes after this one.
    after: Option<String>,
    /// The most of one page, as text.
    limit: Option<String>,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/subscriptions/subscriptions",
            get(look::<SubscriptionList>),
        )
        .route(
            "/{book}/subscriptions/subscriptions/{subscription_id}",
            put(change::<SubscriptionRequest>)
                .patch(change::<SubscriptionChange>)
                .get(look::<SubscriptionLook>),
        )
}

impl Request for SubscriptionRequest {
    const OPERATION: Operation = Operation::Subscriptions;

    fn validate(&self) -> Result<(), String> {
        let subscription = &self.subscription;
        name("subscription_id", &subscription.subscription_id)?;
        name("customer_id", &subscription.customer_id)?;
        name("plan", &subscription.plan)?;
        name("payment_method", &subscription.payment_method)?;
        money(subscription.price, &subscription.currency)?;
        instant("started_at", &subscription.started_at)?;
        instant("period_start", &subscription.period_start)?;
        instant("period_end", &subscription.period_end).map(drop)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let mut subscription = self.subscription;
        let id = subscription.subscription_id.clone();
        let before = book.subscriptions.remove(&id);
        let status = match before {
            Some(_) => StatusCode::OK,
            None => StatusCode::CREATED,
        };
        let mut history = before.map(|before| before.history).unwrap_or_default();
        if status == StatusCode::OK {
            history.push(shown(&subscription));
        }
        subscription.history = history;
        let answer = Answer::with(status, shown(&subscription));
        book.subscriptions.insert(id, subscription);
        answer
    }
}

impl Request for SubscriptionChange {
    const OPERATION: Operation = Operation::SubscriptionChanges;

    fn validate(&self) -> Result<(), String> {
        name("subscription_id", &self.subscription_id)?;
        for (field, value) in [
            ("plan", &self.plan),
            ("payment_method", &self.payment_method),
        ] {
            value.as_ref().map_or(Ok(()), |value| name(field, value))?;
        }
        for (field, value) in [
            ("period_start", &self.period_start),
            ("period_end", &self.period_end),
        ] {
            value
                .as_ref()
                .map_or(Ok(()), |value| instant(field, value).map(drop))?;
        }
        match (self.price, &self.currency) {
            (None, None) => Ok(()),
            (price, currency) => money(price.unwrap_or(1), currency.as_deref().unwrap_or("EUR")),
        }
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(subscription) = book.subscriptions.get_mut(&self.subscription_id) else {
            return unknown();
        };
        if subscription.status == SubscriptionStatus::Cancelled {
            let message = "the subscription is cancelled, and stays as it is";
            return Answer::refusal(StatusCode::CONFLICT, "subscription_cancelled", message);
        }
        let mut asked = serde_json::to_value(&self).unwrap_or_default();
        if let Some(fields) = asked.as_object_mut() {
            fields.remove("subscription_id");
        }
        subscription.history.push(asked);
        self.write_into(subscription);
        Answer::with(StatusCode::OK, shown(subscription))
    }
}

impl SubscriptionChange {
    fn write_into(self, subscription: &mut Subscription) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut subscription.plan, self.plan);
        set(&mut subscription.price, self.price);
        set(&mut subscription.currency, self.currency);
        set(&mut subscription.payment_method, self.payment_method);
        set(&mut subscription.status, self.status);
        set(&mut subscription.period_start, self.period_start);
        set(&mut subscription.period_end, self.period_end);
        set(
            &mut subscription.cancel_at_period_end,
            self.cancel_at_period_end,
        );
    }
}

impl Look for SubscriptionLook {
    const OPERATION: Operation = Operation::SubscriptionReads;

    fn look(&self, book: &Book) -> Answer {
        match book.subscriptions.get(&self.subscription_id) {
            Some(subscription) => Answer::with(StatusCode::OK, shown(subscription)),
            None => unknown(),
        }
    }
}

impl Look for SubscriptionList {
    const OPERATION: Operation = Operation::SubscriptionLists;

    fn validate(&self) -> Result<(), String> {
        page_limit(self.limit.as_deref())?;
        self.due_by
            .as_ref()
            .map_or(Ok(()), |due| instant("due_by", due).map(drop))
    }

    fn look(&self, book: &Book) -> Answer {
        let limit = page_limit(self.limit.as_deref()).unwrap_or_default();
        let mut found = self.matching(&book.subscriptions);
        let page: Vec<_> = found.by_ref().take(limit).collect();
        let next = match found.next() {
            Some(_) => page.last().map(|last| last.subscription_id.clone()),
            None => None,
        };
        let page: Vec<_> = page.into_iter().map(shown).collect();
        Answer::with(
            StatusCode::OK,
            json!({ "subscriptions": page, "next": next }),
        )
    }
}

impl SubscriptionList {
    fn matching<'a>(
        &'a self,
        all: &'a BTreeMap<String, Subscription>,
    ) -> impl Iterator<Item = &'a Subscription> {
        let due_by = self
            .due_by
            .as_ref()
            .and_then(|due| instant("due_by", due).ok());
        all.values().filter(move |subscription| {
            let is = |wanted: &Option<String>, value: &String| {
                wanted.as_ref().is_none_or(|wanted| wanted == value)
            };
            is(&self.plan, &subscription.plan)
                && self
                    .status
                    .is_none_or(|status| status == subscription.status)
                && self
                    .after
                    .as_ref()
                    .is_none_or(|after| subscription.subscription_id > *after)
                && due_by.is_none_or(|due| {
                    instant("period_end", &subscription.period_end).is_ok_and(|end| end <= due)
                })
        })
    }
}

/// Without its history, which is the book's alone.
fn shown(subscription: &Subscription) -> Value {
    let mut shown = serde_json::to_value(subscription).unwrap_or_default();
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("history");
    }
    shown
}

fn unknown() -> Answer {
    let message = "there is no such subscription";
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_subscription", message)
}
