//! What goes into the workflows and what comes out.

use tenterhook_sdk::payload;

/// The longest id, address or headline, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The longest text of a message, in characters.
pub(crate) const BODY_CHARS_MAX: usize = 10_000;
/// How many channels there are.
pub(crate) const CHANNELS: usize = 3;
/// How long [`OnboardingRequest`] waits for the profile unless it says otherwise.
pub(crate) const REMIND_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;
/// The longest that it may say: thirty days.
pub(crate) const REMIND_AFTER_MS_MAX: u64 = 30 * REMIND_AFTER_MS;

/// A message to one user.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct NotificationRequest {
    /// The caller's id of this message.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) notification_id: String,
    /// Whom it is for.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) user_id: String,
    /// The ways to the user that are wanted, each once.
    #[schemars(length(min = 1, max = 3), extend("uniqueItems" = true))]
    pub(crate) channels: Vec<Channel>,
    /// The headline.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) subject: String,
    /// The text.
    #[schemars(length(min = 1, max = 10_000))]
    pub(crate) body: String,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// A way to a user.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    Email,
    Push,
    /// The inbox inside the product.
    InApp,
}

/// What became of a message.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct NotificationResult {
    pub(crate) notification_id: String,
    /// The channels on which a provider took it.
    pub(crate) delivered: Vec<Channel>,
    /// Every channel that was wanted, in the order in which it was.
    pub(crate) channels: Vec<ChannelReport>,
}

/// What became of a message on one channel.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ChannelReport {
    pub(crate) channel: Channel,
    pub(crate) outcome: Outcome,
    /// The provider's id of the message, where it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// Why not, where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Delivered,
    /// The provider refused it, or did not answer.
    Failed,
    /// The user does not want it there, or cannot be reached there: nothing was sent.
    Skipped,
}

/// A user to take in.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct OnboardingRequest {
    /// The user, whom the user service knows.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) user_id: String,
    /// Where the reminder goes.
    #[schemars(length(min = 3, max = 200), regex(pattern = "^[^@\\s]+@[^@\\s]+$"))]
    pub(crate) email: String,
    /// Milliseconds to wait for the signal `profile_completed` before the reminder is sent: 24 hours unless given, 30
    /// days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000_000u64))]
    pub(crate) remind_after_ms: Option<u64>,
    /// As in a notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// A user who was taken in.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct OnboardingResult {
    pub(crate) user_id: String,
    /// The user service's id of the welcome package.
    pub(crate) package_id: String,
    /// Whether the profile was completed before the time was over.
    pub(crate) profile_completed: bool,
    /// Whether a reminder was sent.
    pub(crate) reminded: bool,
    /// Why the reminder could not be sent; the user is taken in all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reminder_failure: Option<String>,
}

/// What the query `progress` answers.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) user_id: String,
    pub(crate) step: Step,
    pub(crate) package_id: Option<String>,
    pub(crate) profile_completed: bool,
    pub(crate) reminded: bool,
    /// Until when the profile is waited for, RFC 3339 in UTC.
    pub(crate) waits_until: Option<String>,
}

/// Where an onboarding stands, in the order in which it goes.
#[payload]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Validating,
    Welcoming,
    Activating,
    /// For the profile, or for the time to be over.
    Waiting,
    Reminding,
    Completed,
    Failed,
    Cancelled,
}
