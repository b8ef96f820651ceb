//! The subscription service: what a subscription is, and what is to change of it.

use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use super::model::SubscriptionRequest;
use crate::finding::OfPayments as _;
use crate::model::TEXT_CHARS_MAX;
use crate::provider;

const URL_KEY: &str = "subscriptions_url";

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionRef {
    pub(crate) subscription_id: String,
}

/// A subscription as the service has it, as far as it matters here.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) subscription_id: String,
    pub(crate) plan: String,
    /// What a period costs, in the currency's minor unit.
    pub(crate) price: u64,
    /// ISO 4217.
    pub(crate) currency: String,
    pub(crate) period: PeriodLength,
    /// In the gateway's words.
    pub(crate) payment_method: String,
    pub(crate) status: SubscriptionStatus,
    /// When the first period began, RFC 3339 with its offset: the day and the hour that every period begins at.
    pub(crate) started_at: String,
    /// The period that is paid, or the first one that is to be.
    pub(crate) period_start: String,
    pub(crate) period_end: String,
    #[serde(default)]
    pub(crate) cancel_at_period_end: bool,
}

#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeriodLength {
    Day,
    Week,
    Month,
    Year,
}

#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubscriptionStatus {
    /// Not paid for the first time.
    Pending,
    Active,
    PastDue,
    Cancelled,
}

/// What is to change of a subscription; the rest stays.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct SubscriptionUpdate {
    pub(crate) subscription_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) price: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<SubscriptionStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) period_start: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) period_end: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancel_at_period_end: Option<bool>,
}

impl SubscriptionRef {
    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.text("subscription_id", &self.subscription_id, TEXT_CHARS_MAX);
        findings.verdict("the subscription cannot be loaded")
    }
}

impl SubscriptionUpdate {
    /// Nothing to change yet.
    pub(crate) fn of(request: &SubscriptionRequest) -> Self {
        Self {
            subscription_id: request.subscription_id.clone(),
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.text("subscription_id", &self.subscription_id, TEXT_CHARS_MAX);
        if let Some(plan) = &self.plan {
            findings.text("plan", plan, TEXT_CHARS_MAX);
        }
        findings.check(self.price != Some(0), "price is not positive");
        if let Some(currency) = &self.currency {
            findings.currency(currency);
        }
        findings.verdict("the subscription cannot be changed")
    }
}

/// Loads a subscription. One that does not exist is `NotFound`, one without a price a `ValidationError`.
#[activity(timeout = Short, retry = Network)]
pub(crate) fn get_subscription_details(
    ctx: &ActivityContext,
    input: SubscriptionRef,
) -> Result<Details, ActivityError> {
    input.check()?;
    let path = path(&input.subscription_id);
    let details: Details = provider::request(ctx, URL_KEY, Method::Get, &path)?
        .send()?
        .ok()?
        .json()?;
    if details.price == 0 {
        return Err(ActivityError::validation(format!(
            "subscription {} has no price",
            details.subscription_id
        )));
    }
    info!(
        "subscription {} is {:?} until {}",
        details.subscription_id, details.status, details.period_end
    );
    Ok(details)
}

/// Changes a subscription. One that is cancelled is a `Conflict`.
#[activity(timeout = Short, retry = Aggressive)]
pub(crate) fn update_subscription(
    ctx: &ActivityContext,
    input: SubscriptionUpdate,
) -> Result<Details, ActivityError> {
    input.check()?;
    let path = path(&input.subscription_id);
    let details: Details = provider::request(ctx, URL_KEY, Method::Patch, &path)?
        .json(&input)?
        .send()?
        .ok()?
        .json()?;
    info!(
        "subscription {} is {:?} until {}",
        details.subscription_id, details.status, details.period_end
    );
    Ok(details)
}

fn path(subscription_id: &str) -> String {
    format!("subscriptions/{}", encode_segment(subscription_id))
}
