//! The plans service: what a plan costs, and who has it.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, Request, currency, name, number};
use super::routes::{change, look};

/// Subscriptions of one page.
const PAGE_MAX: usize = 1_000;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub plan_id: String,
    /// Of one piece in one period, in minor units.
    pub price: u64,
    /// ISO 4217.
    pub currency: String,
    /// Which price that is.
    pub price_version: u64,
    /// What costs by use.
    #[serde(default)]
    pub usage: Vec<UsagePrice>,
}

/// What the use of something costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePrice {
    /// What is used.
    pub metric: String,
    /// So much a period costs nothing.
    pub included: u64,
    /// Of each further piece, in minor units.
    pub unit_price: u64,
}

/// `PUT plans/plans/{plan_id}`
#[derive(Debug, Serialize, Deserialize)]
struct PlanRequest {
    #[serde(flatten)]
    plan: Plan,
}

/// `GET plans/plans/{plan_id}`
#[derive(Debug, Deserialize)]
struct PlanLook {
    plan_id: String,
}

/// `GET plans/plans/{plan_id}/subscriptions?offset=&limit=`
#[derive(Debug, Deserialize)]
struct MembersLook {
    plan_id: String,
    offset: String,
    limit: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/plans/plans/{plan_id}",
            get(look::<PlanLook>).put(change::<PlanRequest>),
        )
        .route(
            "/{book}/plans/plans/{plan_id}/subscriptions",
            get(look::<MembersLook>),
        )
}

impl Request for PlanRequest {
    const OPERATION: Operation = Operation::PlanChanges;

    fn validate(&self) -> Result<(), String> {
        name("plan_id", &self.plan.plan_id)?;
        currency(&self.plan.currency)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let answer = Answer::with(StatusCode::OK, json!(self.plan));
        book.plans.insert(self.plan.plan_id.clone(), self.plan);
        answer
    }
}

impl Look for PlanLook {
    const OPERATION: Operation = Operation::Plans;

    fn look(&self, book: &Book) -> Answer {
        match book.plans.get(&self.plan_id) {
            Some(plan) => Answer::with(StatusCode::OK, json!(plan)),
            None => unknown(),
        }
    }
}

impl Look for MembersLook {
    const OPERATION: Operation = Operation::PlanMembers;

    fn validate(&self) -> Result<(), String> {
        number("offset", &self.offset)?;
        number("limit", &self.limit).map(drop)
    }

    fn look(&self, book: &Book) -> Answer {
        if !book.plans.contains_key(&self.plan_id) {
            return unknown();
        }
        let offset = number("offset", &self.offset).unwrap_or_default();
        let limit = number("limit", &self.limit).unwrap_or_default();
        let of_plan = book.contract_order.iter().filter(|id| {
            let it = book.contracts.get(*id);
            it.is_some_and(|it| it.terms.plan_id == self.plan_id)
        });
        let all: Vec<_> = of_plan.collect();
        let page = all.iter().skip(offset).take(limit.min(PAGE_MAX));
        let page: Vec<_> = page.collect();
        Answer::with(
            StatusCode::OK,
            json!({ "total": all.len(), "subscription_ids": page }),
        )
    }
}

fn unknown() -> Answer {
    Answer::refusal(
        StatusCode::NOT_FOUND,
        "unknown_plan",
        "there is no such plan",
    )
}
