//! What subscriptions are, as the tenant's subscription service has them.

use serde::Deserialize;
use tenterhook_sdk::{Findings, payload};

use crate::date::Date;
use crate::proration::Days;

/// Characters of an id, and of other names.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The most of one thing in one subscription.
pub(crate) const QUANTITY_MAX: u64 = 1_000_000;
/// The longest period, in days: some years.
const PERIOD_DAYS_MAX: i64 = 4_000;

/// Looks at an id, or another short text that must be there.
pub(crate) fn name(findings: &mut Findings, field: &str, value: &str) {
    findings.text(field, value, NAME_CHARS_MAX);
    let plain = !value.contains(char::is_control);
    findings.check(plain, &format!("{field} has control characters"));
}

/// A billing period: whole days of one zone.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// Its first day.
    pub(crate) starts_on: Date,
    /// The first day after it.
    pub(crate) ends_on: Date,
    /// The time zone whose days these are, for example `Europe/Berlin`.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_+/-]{0,63}$"))]
    pub(crate) zone: String,
}

impl Period {
    /// Its days, or what is wrong with it.
    pub(crate) fn days(&self) -> Result<Days, String> {
        let (from, until) = (self.starts_on.day()?, self.ends_on.day()?);
        if !(1..=PERIOD_DAYS_MAX).contains(&(until - from)) {
            return Err(format!(
                "a period from {} to {} is not of 1 to {PERIOD_DAYS_MAX} days",
                self.starts_on, self.ends_on
            ));
        }
        Ok(Days { from, until })
    }

    /// Notes what is wrong with it.
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.value(self.days());
        let bytes = self.zone.as_bytes();
        let fits = matches!(bytes.first(), Some(first) if first.is_ascii_alphabetic())
            && bytes.len() <= 64
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_+/-".contains(byte));
        findings.check(fits, "zone is no name of a time zone");
    }
}

/// Whether a subscription is served and billed.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Made, and not paid for yet.
    Pending,
    Active,
    Cancelled,
}

/// What a customer has agreed to.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) plan_id: String,
    pub(crate) quantity: u64,
    pub(crate) status: Status,
}

/// A subscription, as its service answers it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) customer_id: String,
    pub(crate) plan_id: String,
    pub(crate) quantity: u64,
    pub(crate) status: Status,
    /// Of one piece in one period, in minor units: what was agreed, until the plan's price is synced to it.
    pub(crate) price: u64,
    pub(crate) currency: String,
    /// What is paid for.
    pub(crate) period: Period,
    /// What comes next, once the service has worked it out.
    pub(crate) renews_to: Option<Period>,
}

/// A plan, as its service answers it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Plan {
    /// Of one piece in one period, in minor units.
    pub(crate) price: u64,
    pub(crate) currency: String,
    /// Which price that is; a new price has a higher number.
    pub(crate) price_version: u64,
    /// What costs by use.
    #[serde(default)]
    pub(crate) usage: Vec<UsagePrice>,
}

/// What the use of something costs.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UsagePrice {
    pub(crate) metric: String,
    /// So much a period costs nothing.
    pub(crate) included: u64,
    /// Of each further piece, in minor units.
    pub(crate) unit_price: u64,
}
