//! Timeouts and retries that every shipped plugin uses; a call can say otherwise.
//!
//! A retry policy is of a call, not of a failure. Three presets are made for the one type of failure that an activity
//! usually meets, by the table of the [taxonomy](crate::ErrorKind): [`Retry::Database`], [`Retry::Network`] and
//! [`Retry::ExternalService`]. What is not worth another attempt gets none, and what a provider asks for with
//! `Retry-After` comes first, under any of them.

use std::time::Duration;

use temporalio_workflow::{ActivityOptions, LocalActivityOptions, RetryPolicy};

/// How long one attempt may take (start to close).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// 30 s, for fast operations.
    Short,
    /// 1 min, for standard operations.
    Medium,
    /// 5 min, for report generation.
    Long,
    /// 15 min, for bulk processing.
    VeryLong,
}

impl Timeout {
    /// The time of one attempt.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Short => 30,
            Self::Medium => 60,
            Self::Long => 5 * 60,
            Self::VeryLong => 15 * 60,
        })
    }
}

/// How often and how soon an attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// 3 attempts, from 1 s, doubling up to 30 s.
    Standard,
    /// 10 attempts, from 1 s, doubling up to 5 min: for payments.
    Aggressive,
    /// 3 attempts, from 5 s, doubling up to 5 min: for bulk work.
    Patient,
    /// 3 attempts, from 1 s: where `DatabaseError` is what an activity fails by, for it reads or writes records.
    Database,
    /// 5 attempts, from 2 s: where `NetworkError` is, for it asks what is well, once it is reached.
    Network,
    /// 3 attempts, from 5 s: where `ExternalServiceError` is, for it asks a provider that can be out of order.
    ExternalService,
    /// One attempt.
    None,
    /// Attempts without end, from 1 s, doubling up to 5 min: for compensations.
    Forever,
}

/// Each interval is this much longer than the one before.
const BACKOFF: f64 = 2.0;

impl Retry {
    /// The retry policy.
    #[must_use]
    pub fn policy(self) -> RetryPolicy {
        // Attempts of 0 mean no limit.
        let (initial, max_interval, attempts) = match self {
            Self::Standard => (1, 30, 3),
            Self::Aggressive => (1, 5 * 60, 10),
            Self::Patient => (5, 5 * 60, 3),
            Self::Database => (1, 30, 3),
            Self::Network => (2, 30, 5),
            Self::ExternalService => (5, 30, 3),
            Self::None => (1, 1, 1),
            Self::Forever => (1, 5 * 60, 0),
        };
        RetryPolicy::builder()
            .initial_interval(Duration::from_secs(initial))
            .backoff_coefficient(BACKOFF)
            .maximum_interval(Duration::from_secs(max_interval))
            .maximum_attempts(attempts)
            .build()
    }
}

/// Options of an activity with a preset timeout and retry policy.
#[must_use]
pub fn activity_options(timeout: Timeout, retry: Retry) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(timeout.duration())
        .retry_policy(retry.policy())
        .build()
}

/// Options of a local activity with a preset timeout and retry policy.
#[must_use]
pub fn local_activity_options(timeout: Timeout, retry: Retry) -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(timeout.duration())
        .retry_policy(retry.policy())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_what_the_domain_says() {
        let seconds = |timeout: Timeout| timeout.duration().as_secs();
        let timeouts = [
            Timeout::Short,
            Timeout::Medium,
            Timeout::Long,
            Timeout::VeryLong,
        ];
        assert_eq!(timeouts.map(seconds), [30, 60, 300, 900]);
        let facts = |retry: Retry| {
            let policy = retry.policy();
            let maximum = policy.maximum_interval().unwrap_or_default();
            (
                policy.initial_interval().as_secs(),
                maximum.as_secs(),
                policy.maximum_attempts(),
            )
        };
        assert_eq!(facts(Retry::Standard), (1, 30, 3));
        assert_eq!(facts(Retry::Aggressive), (1, 300, 10));
        assert_eq!(facts(Retry::Patient), (5, 300, 3));
        assert_eq!(facts(Retry::None).2, 1);
        assert_eq!(facts(Retry::Forever).2, 0);
    }

    #[test]
    fn each_type_that_is_retried_by_the_policy_has_its_preset() {
        let attempts_from = |retry: Retry| {
            let policy = retry.policy();
            let initial = policy.initial_interval().as_secs();
            (policy.maximum_attempts(), initial)
        };
        // No pause of theirs comes to the longest one: each is twice the one before.
        assert_eq!(attempts_from(Retry::Database), (3, 1));
        assert_eq!(attempts_from(Retry::Network), (5, 2));
        assert_eq!(attempts_from(Retry::ExternalService), (3, 5));
    }
}
