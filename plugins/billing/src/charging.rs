//! The activity `CalculateCharges`: asks the services what there is, and works out what it costs.

use serde::Deserialize;
use tenterhook_sdk::http::encode_segment;
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::charge::{self, Line, Usage};
use crate::date::Date;
use crate::model::{Period, Plan, QUANTITY_MAX, Status, Subscription, Terms, name};
use crate::{money, provider};

/// What is to be worked out.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ChargesRequest {
    pub(crate) subscription_id: String,
    pub(crate) occasion: Occasion,
}

/// Why a subscription is charged.
#[payload]
#[derive(Clone, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Occasion {
    /// The period is over: its usage, and the price of the next. A subscription that has another period by now is a
    /// `Conflict`.
    Renewal { period: Period },
    /// The first period, from the day on that the subscription starts.
    First { starts_on: Date },
    /// Other terms from a day on: the rest of the period is given back at the old terms and taken at the new.
    Change {
        plan_id: String,
        quantity: u64,
        effective_on: Date,
    },
}

/// What a subscription costs.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Charges {
    pub(crate) customer_id: String,
    /// ISO 4217.
    pub(crate) currency: String,
    pub(crate) lines: Vec<Line>,
    /// The sum of the lines, in minor units.
    pub(crate) total: i64,
}

/// What was used in a period, as the usage service answers it.
#[derive(Deserialize)]
struct Used {
    totals: Usage,
}

/// Works out what a subscription costs: for a renewal, for its first period, or for a change in its middle.
#[activity(timeout = Short)]
pub(crate) fn calculate_charges(
    _: &ActivityContext,
    request: ChargesRequest,
) -> Result<Charges, ActivityError> {
    let id = &request.subscription_id;
    check(&request)?;
    info!("charges of subscription {id} are worked out");
    let path = format!("subscriptions/{}", encode_segment(id));
    let it: Subscription = provider::read(provider::CONTRACTS, &path)?;
    let lines = match &request.occasion {
        Occasion::Renewal { period } => renewal(id, &it, period)?,
        Occasion::First { starts_on } => first(id, &it, starts_on)?,
        Occasion::Change {
            plan_id,
            quantity,
            effective_on,
        } => {
            let new = Terms {
                plan_id: plan_id.clone(),
                quantity: *quantity,
                status: it.status,
            };
            change(id, &it, &new, effective_on)?
        }
    };
    let total = charge::total(&lines).map_err(ActivityError::validation)?;
    info!(
        "subscription {id} is charged {total} {} in {} lines",
        it.currency,
        lines.len()
    );
    Ok(Charges {
        customer_id: it.customer_id,
        currency: it.currency,
        lines,
        total,
    })
}

fn check(request: &ChargesRequest) -> Result<(), ActivityError> {
    let mut findings = Findings::default();
    name(&mut findings, "subscription_id", &request.subscription_id);
    match &request.occasion {
        Occasion::Renewal { period } => period.check(&mut findings),
        Occasion::First { starts_on } => drop(findings.value(starts_on.day())),
        Occasion::Change {
            plan_id,
            quantity,
            effective_on,
        } => {
            name(&mut findings, "plan_id", plan_id);
            let bounded = (1..=QUANTITY_MAX).contains(quantity);
            findings.check(bounded, &format!("quantity is not of 1 to {QUANTITY_MAX}"));
            findings.value(effective_on.day());
        }
    }
    findings.verdict("what is to be charged is wrong")
}

fn renewal(id: &str, it: &Subscription, period: &Period) -> Result<Vec<Line>, ActivityError> {
    if it.period != *period || it.renews_to.is_none() {
        return Err(ActivityError::conflict(format!(
            "subscription {id} is not due for its period from {}: it was renewed already, or does not renew",
            period.starts_on
        )));
    }
    active(id, it)?;
    let plan = plan(&it.plan_id)?;
    let path = format!(
        "subscriptions/{}?from={}&until={}",
        encode_segment(id),
        period.starts_on,
        period.ends_on
    );
    let used: Used = provider::read(provider::USAGE, &path)?;
    charge::renewal(it, &plan, &used.totals).map_err(ActivityError::validation)
}

fn first(id: &str, it: &Subscription, starts_on: &Date) -> Result<Vec<Line>, ActivityError> {
    if it.status != Status::Pending {
        return Err(ActivityError::conflict(format!(
            "subscription {id} is charged for its first period before it is active, and it is {:?}",
            it.status
        )));
    }
    let (period, day) = within(id, it, starts_on)?;
    charge::first(it, period, day).map_err(ActivityError::validation)
}

fn change(
    id: &str,
    it: &Subscription,
    new: &Terms,
    effective_on: &Date,
) -> Result<Vec<Line>, ActivityError> {
    active(id, it)?;
    let plan = plan(&new.plan_id)?;
    if plan.currency != it.currency {
        return Err(ActivityError::conflict(format!(
            "subscription {id} is paid in {}, plan {} in {}",
            it.currency, new.plan_id, plan.currency
        )));
    }
    let when = within(id, it, effective_on)?;
    charge::change(it, new, plan.price, when).map_err(ActivityError::validation)
}

fn active(id: &str, it: &Subscription) -> Result<(), ActivityError> {
    if it.status == Status::Active {
        return Ok(());
    }
    let status = it.status;
    Err(ActivityError::conflict(format!(
        "subscription {id} is {status:?}"
    )))
}

/// The days of the subscription's period, and which of them is meant.
fn within(
    id: &str,
    it: &Subscription,
    date: &Date,
) -> Result<(crate::proration::Days, i64), ActivityError> {
    let broken = |why: String| {
        ActivityError::external_service(format!("the period of subscription {id} is broken: {why}"))
    };
    let period = it.period.days().map_err(broken)?;
    let day = date.day().map_err(ActivityError::validation)?;
    if !period.has(day) {
        return Err(ActivityError::conflict(format!(
            "{date} is not in the period of subscription {id}, from {} to before {}",
            it.period.starts_on, it.period.ends_on
        )));
    }
    Ok((period, day))
}

fn plan(id: &str) -> Result<Plan, ActivityError> {
    let plan: Plan = provider::read(provider::PLANS, &format!("plans/{}", encode_segment(id)))?;
    if !money::is_currency(&plan.currency) {
        return Err(ActivityError::external_service(format!(
            "plan {id} has the currency {:?}, which is none",
            plan.currency
        )));
    }
    Ok(plan)
}
