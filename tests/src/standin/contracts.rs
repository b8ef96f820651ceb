//! Contracts: subscriptions as billing has them. What is agreed, the period that is paid for in whole days of a zone,
//! and the one that comes next.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Books;
use super::book::{Answer, Book};
use super::invoices::Invoice;
use super::operation::Operation;
use super::request::{Look, Request, currency, instant, name, page_limit};
use super::routes::{change, look};

/// The contract whose price is under negotiation: it takes no other.
const LOCKED: &str = "locked";

/// A contract as it is now, and what its terms were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The caller's id of the subscription.
    pub subscription_id: String,
    /// Who pays.
    pub customer_id: String,
    /// What is agreed.
    #[serde(flatten)]
    pub terms: Terms,
    /// Of one piece in one period, in minor units.
    pub price: u64,
    /// Which of the plan's prices that is.
    pub price_version: u64,
    /// ISO 4217.
    pub currency: String,
    /// What is paid for.
    pub period: Days,
    /// What comes next.
    pub renews_to: Option<Days>,
    /// When the period is over in its zone, RFC 3339.
    pub due_at: Option<String>,
    /// The period before the one that is paid for, and when that was over: an invoice can be voided.
    #[serde(default)]
    pub renewed_from: Option<(Days, Option<String>)>,
    /// Everything that was agreed before, oldest first.
    #[serde(default)]
    pub history: Vec<Agreed>,
}

/// What was agreed once, and at which price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// The terms.
    #[serde(flatten)]
    pub terms: Terms,
    /// Of one piece in one period, in minor units.
    pub price: u64,
    /// Which of the plan's prices that was.
    pub price_version: u64,
}

/// What is agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The plan.
    pub plan_id: String,
    /// How many.
    pub quantity: u64,
    /// `pending`, `active` or `cancelled`.
    pub status: String,
}

/// A billing period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// Its first day, `2026-03-01`.
    pub starts_on: String,
    /// The first day after it.
    pub ends_on: String,
    /// Whose days these are, `Europe/Berlin`.
    pub zone: String,
}

impl Days {
    /// A period of days in Berlin.
    #[must_use]
    pub fn berlin(starts_on: &str, ends_on: &str) -> Self {
        Self {
            starts_on: starts_on.to_owned(),
            ends_on: ends_on.to_owned(),
            zone: "Europe/Berlin".to_owned(),
        }
    }
}

/// `POST contracts/subscriptions`
#[derive(Debug, Serialize, Deserialize)]
struct ContractRequest {
    subscription_id: String,
    customer_id: String,
    plan_id: String,
    quantity: u64,
    period: Days,
}

/// `PUT contracts/subscriptions/{subscription_id}/terms`, and the same for `POST …/revert`.
#[derive(Debug, Serialize, Deserialize)]
struct TermsRequest<const REVERT: bool> {
    subscription_id: String,
    #[serde(flatten)]
    terms: Terms,
}

/// `PUT contracts/subscriptions/{subscription_id}/price`
#[derive(Debug, Serialize, Deserialize)]
struct PriceRequest {
    subscription_id: String,
    price: u64,
    currency: String,
    price_version: u64,
}

/// `GET contracts/subscriptions/{subscription_id}`
#[derive(Debug, Deserialize)]
struct ContractLook {
    subscription_id: String,
}

/// `GET contracts/subscriptions?due_at=&after=&limit=`
#[derive(Debug, Deserialize)]
struct DueList {
    due_at: String,
    #[serde(default)]
    after: String,
    limit: Option<String>,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/contracts/subscriptions",
            post(change::<ContractRequest>).get(look::<DueList>),
        )
        .route(
            "/{book}/contracts/subscriptions/{subscription_id}",
            get(look::<ContractLook>),
        )
        .route(
            "/{book}/contracts/subscriptions/{subscription_id}/terms",
            put(change::<TermsRequest<false>>),
        )
        .route(
            "/{book}/contracts/subscriptions/{subscription_id}/revert",
            post(change::<TermsRequest<true>>),
        )
        .route(
            "/{book}/contracts/subscriptions/{subscription_id}/price",
            put(change::<PriceRequest>),
        )
}

impl Request for ContractRequest {
    const OPERATION: Operation = Operation::Contracts;

    fn validate(&self) -> Result<(), String> {
        name("subscription_id", &self.subscription_id)?;
        name("customer_id", &self.customer_id)?;
        name("plan_id", &self.plan_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        if book.contracts.contains_key(&self.subscription_id) {
            let message = "there is a subscription of this id";
            return Answer::refusal(StatusCode::CONFLICT, "subscription_exists", message);
        }
        let Some(plan) = book.plans.get(&self.plan_id) else {
            let message = "there is no such plan";
            return Answer::refusal(StatusCode::NOT_FOUND, "unknown_plan", message);
        };
        let contract = Contract {
            subscription_id: self.subscription_id.clone(),
            customer_id: self.customer_id,
            terms: Terms {
                plan_id: self.plan_id,
                quantity: self.quantity,
                status: "pending".to_owned(),
            },
            price: plan.price,
            price_version: plan.price_version,
            currency: plan.currency.clone(),
            period: self.period,
            renews_to: None,
            due_at: None,
            renewed_from: None,
            history: Vec::new(),
        };
        let id = self.subscription_id;
        let answer = Answer::created(json!({ "subscription_id": id, "status": "pending" }));
        book.contract_order.push(id.clone());
        book.contracts.insert(id, contract);
        answer
    }
}

impl<const REVERT: bool> Request for TermsRequest<REVERT> {
    const OPERATION: Operation = match REVERT {
        false => Operation::TermsChanges,
        true => Operation::TermsReverts,
    };

    fn validate(&self) -> Result<(), String> {
        name("subscription_id", &self.subscription_id)?;
        name("plan_id", &self.terms.plan_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(plan) = book.plans.get(&self.terms.plan_id) else {
            let message = "there is no such plan";
            return Answer::refusal(StatusCode::NOT_FOUND, "unknown_plan", message);
        };
        let Some(contract) = book.contracts.get_mut(&self.subscription_id) else {
            return unknown();
        };
        let before = Agreed {
            terms: std::mem::replace(&mut contract.terms, self.terms),
            price: contract.price,
            price_version: contract.price_version,
        };
        if before.terms.plan_id != contract.terms.plan_id {
            // Who goes back goes back to the price that was agreed.
            let mut agreed = contract.history.iter().rev();
            let agreed = agreed.find(|it| REVERT && it.terms == contract.terms);
            let price = (plan.price, plan.price_version);
            let price = agreed.map_or(price, |it| (it.price, it.price_version));
            (contract.price, contract.price_version) = price;
        }
        let id = self.subscription_id;
        let answer = json!({ "subscription_id": id, "previous": before.terms });
        contract.history.push(before);
        Answer::with(StatusCode::OK, answer)
    }
}

impl Request for PriceRequest {
    const OPERATION: Operation = Operation::Prices;

    fn validate(&self) -> Result<(), String> {
        name("subscription_id", &self.subscription_id)?;
        currency(&self.currency)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(contract) = book.contracts.get_mut(&self.subscription_id) else {
            return unknown();
        };
        if contract.terms.status == LOCKED {
            let message = "the price is under negotiation";
            return Answer::refusal(StatusCode::CONFLICT, "price_locked", message);
        }
        let cancelled = contract.terms.status == "cancelled";
        let changed = !cancelled && contract.price_version < self.price_version;
        if changed {
            contract.price = self.price;
            contract.price_version = self.price_version;
        }
        Answer::with(StatusCode::OK, json!({ "changed": changed }))
    }
}

impl Look for ContractLook {
    const OPERATION: Operation = Operation::ContractReads;

    fn look(&self, book: &Book) -> Answer {
        match book.contracts.get(&self.subscription_id) {
            Some(contract) => Answer::with(StatusCode::OK, json!(contract)),
            None => unknown(),
        }
    }
}

impl Look for DueList {
    const OPERATION: Operation = Operation::DueLists;

    fn validate(&self) -> Result<(), String> {
        page_limit(self.limit.as_deref())?;
        instant("due_at", &self.due_at).map(drop)
    }

    fn look(&self, book: &Book) -> Answer {
        let limit = page_limit(self.limit.as_deref()).unwrap_or_default();
        let Ok(at) = instant("due_at", &self.due_at) else {
            return unknown();
        };
        let due = |contract: &&Contract| {
            let over = contract.due_at.as_deref().map(|due| instant("due_at", due));
            contract.terms.status == "active" && over.is_some_and(|it| it.is_ok_and(|it| it <= at))
        };
        let after = |contract: &&Contract| contract.subscription_id > self.after;
        let page = book.contracts.values().filter(after).filter(due);
        let shown = |it: &Contract| -> Value {
            json!({ "subscription_id": it.subscription_id, "period": it.period })
        };
        let page: Vec<_> = page.take(limit).map(shown).collect();
        Answer::with(StatusCode::OK, json!({ "subscriptions": page }))
    }
}

impl Book {
    /// Puts a contract where there may be one, as if it had always been there.
    pub fn agree(&mut self, contract: Contract) {
        let id = contract.subscription_id.clone();
        if self.contracts.insert(id.clone(), contract).is_none() {
            self.contract_order.push(id);
        }
    }

    /// The invoice of a renewal is final: the next period is paid for.
    pub(super) fn renewed(&mut self, invoice: &Invoice) {
        let Some(contract) = self.contracts.get_mut(&invoice.subscription_id) else {
            return;
        };
        let (id, period) = (&contract.subscription_id, &contract.period.starts_on);
        if invoice.reference == format!("renewal/{id}/{period}")
            && let Some(next) = contract.renews_to.take()
        {
            let before = std::mem::replace(&mut contract.period, next);
            contract.renewed_from = Some((before, contract.due_at.take()));
        }
    }

    /// The invoice of a renewal is void: the period is over, and due again.
    pub(super) fn renewal_void(&mut self, invoice: &Invoice) {
        let Some(contract) = self.contracts.get_mut(&invoice.subscription_id) else {
            return;
        };
        let id = &contract.subscription_id;
        let voided = |(before, _): &mut (Days, Option<String>)| {
            invoice.reference == format!("renewal/{id}/{}", before.starts_on)
        };
        if let Some((before, due_at)) = contract.renewed_from.take_if(voided) {
            let after = std::mem::replace(&mut contract.period, before);
            contract.renews_to = Some(after);
            contract.due_at = due_at;
        }
    }
}

fn unknown() -> Answer {
    let message = "there is no such subscription";
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_subscription", message)
}
