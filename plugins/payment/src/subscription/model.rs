//! What goes into the payment of a subscription and what comes out.

use std::time::Duration;

use temporalio_workflow::WorkflowTermination;
use tenterhook_sdk::{Findings, payload};

use crate::model::{RETRY_INITIAL_MS_MAX, RETRY_INITIAL_MS_MIN, TEXT_CHARS_MAX};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The pauses after declined charges, unless the request says otherwise.
const DUNNING_MS: [u64; 3] = [DAY_MS, 3 * DAY_MS, 5 * DAY_MS];
/// How long a subscription stays past due, unless the request says otherwise.
const GRACE_MS: u64 = 7 * DAY_MS;
/// The longest pause, and the most of them.
const PAUSE_MS_MAX: u64 = 30 * DAY_MS;
const PAUSES_MAX: usize = 10;
/// The longest period that a request may set.
const PERIOD_MS_MAX: u64 = 366 * DAY_MS;

/// A subscription to take the payments for.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionRequest {
    /// The subscription, which the subscription service knows.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) subscription_id: String,
    /// Milliseconds to pause after each charge that is declined, before it is tried again: a day, three and five unless
    /// given. After the last one the subscription is past due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(range(min = 1, max = 2_592_000_000u64)))]
    pub(crate) dunning_ms: Option<Vec<u64>>,
    /// Milliseconds that it stays past due before the last try: seven days unless given. After that it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000_000u64))]
    pub(crate) grace_ms: Option<u64>,
    /// Milliseconds of a period from now on, in place of the subscription's: for tests and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_622_400_000u64))]
    pub(crate) period_ms: Option<u64>,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
    /// What the runs before hand on; callers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) carried: Option<Carried>,
}

/// What one run hands to the next.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) periods_paid: u64,
    /// The signal `cancel` came.
    #[serde(default)]
    pub(crate) cancel: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<PlanChange>,
}

/// What the signal `change_plan` brings.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanChange {
    #[schemars(length(min = 1, max = 200))]
    pub(crate) plan: String,
    /// What a period costs in it, in the currency's minor unit.
    #[schemars(range(min = 1))]
    pub(crate) price: u64,
    /// ISO 4217.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub(crate) currency: String,
}

/// A subscription that is over.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionResult {
    pub(crate) subscription_id: String,
    pub(crate) reason: Reason,
    /// Periods that were paid since the workflow began, in all its runs.
    pub(crate) periods_paid: u64,
}

/// Why a subscription is over.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// By the signal, or at the subscription service.
    Cancelled,
    /// Every charge was declined, to the end of the dunning.
    NotPaid,
}

/// What the query `status` answers.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionState {
    pub(crate) subscription_id: String,
    pub(crate) step: SubscriptionStep,
    /// The period that is paid or to be paid, RFC 3339 in UTC.
    pub(crate) period_start: Option<String>,
    pub(crate) period_end: Option<String>,
    /// Charges of this period that the gateway declined.
    pub(crate) declined: u32,
    pub(crate) periods_paid: u64,
    /// Whether it ends with the period.
    pub(crate) cancelling: bool,
    /// The plan from the next period on, where it changes.
    pub(crate) next_plan: Option<String>,
}

/// Where a subscription's run stands.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubscriptionStep {
    Loading,
    Charging,
    /// A charge was declined; it is tried again after a pause.
    Dunning,
    /// The pauses are over; one last try is left.
    PastDue,
    /// Until the next period.
    Sleeping,
    /// What was done is being undone.
    Compensating,
    /// The subscription is over.
    Ended,
    Failed,
    /// The workflow was cancelled; the subscription is not.
    Stopped,
}

impl SubscriptionRequest {
    /// The pauses after declined charges.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let millis = self.dunning_ms.as_deref().unwrap_or(&DUNNING_MS);
        millis.iter().copied().map(Duration::from_millis).collect()
    }

    /// How long a subscription stays past due.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms.unwrap_or(GRACE_MS))
    }

    /// Within its bounds even before the request is validated.
    pub(crate) fn first_pause(&self) -> Option<Duration> {
        let millis = self.retry_initial_ms?;
        Some(Duration::from_millis(
            millis.clamp(RETRY_INITIAL_MS_MIN, RETRY_INITIAL_MS_MAX),
        ))
    }

    /// What the door has checked by the schema, for starts that did not come through it.
    pub(crate) fn validate(&self) -> Result<(), WorkflowTermination> {
        let pause = |millis: u64| (1..=PAUSE_MS_MAX).contains(&millis);
        let dunning = self.dunning_ms.as_deref().unwrap_or(&DUNNING_MS);
        let mut findings = Findings::default();
        findings.text("subscription_id", &self.subscription_id, TEXT_CHARS_MAX);
        findings.check(
            dunning.len() <= PAUSES_MAX && dunning.iter().copied().all(pause),
            "dunning_ms is out of bounds",
        );
        findings.check(
            pause(self.grace_ms.unwrap_or(GRACE_MS)),
            "grace_ms is out of bounds",
        );
        findings.check(
            self.period_ms
                .is_none_or(|millis| (1..=PERIOD_MS_MAX).contains(&millis)),
            "period_ms is out of bounds",
        );
        findings.workflow_verdict("the subscription cannot be charged")
    }
}
