//! What goes into the workflows and what comes out.

use tenterhook_sdk::{payload, time};

/// The longest id, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The best quality score.
pub(crate) const SCORE_MAX: u32 = 100;
/// From this score on a listing is approved without a reviewer, unless the request says otherwise.
pub(crate) const APPROVE_FROM: u32 = 80;
/// Below this score it is rejected without one, unless the request says otherwise.
pub(crate) const REJECT_BELOW: u32 = 40;
/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// How long reviewers have, and once more after the escalation.
pub(crate) const REVIEW_TIMEOUT_MS: u64 = 2 * DAY_MS;
/// The longest that a request may give them.
pub(crate) const REVIEW_TIMEOUT_MS_MAX: u64 = 30 * DAY_MS;
/// How long before its expiry a listing is marked.
pub(crate) const WARN_BEFORE_MS: u64 = 3 * DAY_MS;
/// The longest that a request may say.
pub(crate) const WARN_BEFORE_MS_MAX: u64 = 90 * DAY_MS;

/// A listing to decide on.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ApprovalRequest {
    /// The listing, which the listing service knows as `submitted`.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) listing_id: String,
    /// From this quality score on (of 100) it is approved without a reviewer; 80 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub(crate) approve_from: Option<u32>,
    /// Below this score it is rejected without one; 40 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub(crate) reject_below: Option<u32>,
    /// Milliseconds that reviewers have before the review is escalated, and once more before the listing is rejected:
    /// 48 hours unless given, 30 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000_000u64))]
    pub(crate) review_timeout_ms: Option<u64>,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// What a reviewer says, with the signals `approve` and `reject`.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Who says it.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) reviewer: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_000))]
    pub(crate) comment: Option<String>,
}

#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Approved,
    Rejected,
}

/// A listing that was decided on.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ApprovalResult {
    pub(crate) listing_id: String,
    pub(crate) decision: Decision,
    /// The reviewer, `checks`, or `timeout`.
    pub(crate) decided_by: String,
    pub(crate) comment: Option<String>,
    /// The quality score, of 100.
    pub(crate) score: u32,
    /// What the checks found.
    pub(crate) findings: Vec<String>,
    /// Whether reviewers had to be told twice.
    pub(crate) escalated: bool,
}

/// What the query `review_state` answers.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReviewState {
    pub(crate) listing_id: String,
    pub(crate) step: Step,
    pub(crate) score: Option<u32>,
    pub(crate) findings: Vec<String>,
    /// Until when reviewers may decide, RFC 3339 in UTC.
    pub(crate) decide_by: Option<String>,
    /// The reviewer, `checks`, or `timeout`.
    pub(crate) decided_by: Option<String>,
    pub(crate) comment: Option<String>,
    /// Why it failed, once it has.
    pub(crate) reason: Option<String>,
}

/// Where an approval stands.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Validating,
    Checking,
    /// For a reviewer.
    Waiting,
    /// For a reviewer, who has been told twice.
    Escalated,
    Approving,
    Publishing,
    Rejecting,
    Approved,
    Rejected,
    /// What was done is being undone.
    Compensating,
    Failed,
    Cancelled,
}

/// A listing that is to expire.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ExpirationRequest {
    /// The listing, which is live.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) listing_id: String,
    /// When, RFC 3339 with its offset; unless given, when the listing service says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = time::PATTERN))]
    pub(crate) expires_at: Option<String>,
    /// Milliseconds before that at which it is marked as expiring: three days unless given, 90 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 7_776_000_000u64))]
    pub(crate) warn_before_ms: Option<u64>,
    /// As in an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// What the signal `extend` brings.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    /// The new time of expiry, RFC 3339 with its offset; earlier than before is possible too.
    #[schemars(regex(pattern = time::PATTERN))]
    pub(crate) until: String,
}

/// What became of a listing that was to expire.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ExpirationResult {
    pub(crate) listing_id: String,
    /// Whether it expired; if not, it was no longer live by then.
    pub(crate) expired: bool,
    /// The status that it had before.
    pub(crate) status: String,
    /// The time of expiry, RFC 3339 in UTC; none where it was not live to begin with.
    pub(crate) expires_at: Option<String>,
    /// How often that was moved.
    pub(crate) extensions: u32,
}

/// What the query `expiry` answers.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Expiry {
    pub(crate) listing_id: String,
    pub(crate) step: ExpiryStep,
    /// RFC 3339 in UTC, once it is known.
    pub(crate) expires_at: Option<String>,
    /// How often that was moved.
    pub(crate) extensions: u32,
}

/// Where an expiration stands.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExpiryStep {
    Loading,
    Waiting,
    /// The listing is marked as expiring.
    Warned,
    Expiring,
    Completed,
    Failed,
    Cancelled,
}
