//! Subscriptions at their service: made, changed, changed back, and listed where they are due.

use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::date::is_instant;
use crate::model::{Period, QUANTITY_MAX, Status, Terms, name};
use crate::provider;

/// The most subscriptions of one page.
pub(crate) const PAGE_MAX: u64 = 500;

/// A subscription to be.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct NewSubscription {
    pub(crate) subscription_id: String,
    pub(crate) customer_id: String,
    pub(crate) plan_id: String,
    pub(crate) quantity: u64,
    pub(crate) period: Period,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Created {
    pub(crate) subscription_id: String,
    pub(crate) status: Status,
}

/// Other terms for a subscription.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct TermsChange {
    pub(crate) subscription_id: String,
    pub(crate) terms: Terms,
}

/// Terms that are in force now.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) subscription_id: String,
    /// The terms before.
    pub(crate) previous: Terms,
}

impl TermsChange {
    /// Back to the terms before.
    pub(crate) fn back(applied: &Applied) -> Self {
        Self {
            subscription_id: applied.subscription_id.clone(),
            terms: applied.previous.clone(),
        }
    }
}

/// Which subscriptions are due.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct DueRequest {
    /// The instant at which their period is over, in UTC: the service knows when that is in each period's zone.
    pub(crate) due_at: String,
    /// Those after this one, in the order of their ids.
    pub(crate) after: Option<String>,
    pub(crate) limit: u64,
}

/// Some of the subscriptions that are due.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct DuePage {
    pub(crate) subscriptions: Vec<Due>,
}

/// A subscription whose period is over.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) subscription_id: String,
    /// The period that is over.
    pub(crate) period: Period,
}

/// Makes a subscription, pending until it is paid for. An id that is taken is a `Conflict`.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn create_subscription(
    ctx: &ActivityContext,
    new: NewSubscription,
) -> Result<Created, ActivityError> {
    let mut findings = Findings::default();
    name(&mut findings, "subscription_id", &new.subscription_id);
    name(&mut findings, "customer_id", &new.customer_id);
    name(&mut findings, "plan_id", &new.plan_id);
    quantity(&mut findings, new.quantity);
    new.period.check(&mut findings);
    findings.verdict("the subscription is wrong")?;
    let to = (Method::Post, "subscriptions");
    let created: Created = provider::change(ctx, provider::CONTRACTS, to, &new)?;
    info!("subscription {} is made", created.subscription_id);
    Ok(created)
}

/// Sets a subscription's terms, and answers the ones before.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn apply_subscription_change(
    ctx: &ActivityContext,
    change: TermsChange,
) -> Result<Applied, ActivityError> {
    set_terms(ctx, (Method::Put, "terms"), change)
}

/// Sets a subscription back to the terms it had.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn revert_subscription_change(
    ctx: &ActivityContext,
    change: TermsChange,
) -> Result<Applied, ActivityError> {
    set_terms(ctx, (Method::Post, "revert"), change)
}

fn set_terms(
    ctx: &ActivityContext,
    (method, what): (Method, &str),
    change: TermsChange,
) -> Result<Applied, ActivityError> {
    let TermsChange {
        subscription_id,
        terms,
    } = change;
    let mut findings = Findings::default();
    name(&mut findings, "subscription_id", &subscription_id);
    name(&mut findings, "plan_id", &terms.plan_id);
    quantity(&mut findings, terms.quantity);
    findings.verdict("the change is wrong")?;
    let path = format!("subscriptions/{}/{what}", encode_segment(&subscription_id));
    let to = (method, path.as_str());
    let applied: Applied = provider::change(ctx, provider::CONTRACTS, to, &terms)?;
    info!(
        "subscription {subscription_id} is {:?}: {} x {} ({what})",
        terms.status, terms.quantity, terms.plan_id
    );
    Ok(applied)
}

/// Lists, a page at a time, the subscriptions whose period is over at an instant.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn list_due_subscriptions(
    _: &ActivityContext,
    request: DueRequest,
) -> Result<DuePage, ActivityError> {
    let mut findings = Findings::default();
    let instant = is_instant(&request.due_at);
    findings.check(instant, "due_at is no instant as 2026-03-31T00:00:00Z");
    let bounded = (1..=PAGE_MAX).contains(&request.limit);
    findings.check(bounded, &format!("limit is not of 1 to {PAGE_MAX}"));
    findings.verdict("which subscriptions are due is wrong")?;
    let after = request.after.as_deref().unwrap_or_default();
    let path = format!(
        "subscriptions?due_at={}&after={}&limit={}",
        request.due_at,
        encode_segment(after),
        request.limit
    );
    let page: DuePage = provider::read(provider::CONTRACTS, &path)?;
    let longer = || format!("a page of {} was answered", page.subscriptions.len());
    if page.subscriptions.len() as u64 > request.limit {
        return Err(ActivityError::external_service(longer()));
    }
    info!(
        "{} subscriptions are due after {after:?}",
        page.subscriptions.len()
    );
    Ok(page)
}

fn quantity(findings: &mut Findings, quantity: u64) {
    let bounded = (1..=QUANTITY_MAX).contains(&quantity);
    findings.check(bounded, &format!("quantity is not of 1 to {QUANTITY_MAX}"));
}
