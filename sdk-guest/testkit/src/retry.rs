//! Whether an attempt that failed is followed by another, and when: Temporal's rules.

use std::time::Duration;

use temporalio_protos::temporal::api::{
    common::v1::RetryPolicy,
    enums::v1::RetryState,
    failure::v1::{Failure, failure::FailureInfo},
};

use crate::payload::span;

/// What Temporal's server takes where a policy says nothing.
const INITIAL: Duration = Duration::from_secs(1);
const COEFFICIENT: f64 = 2.0;
const MAXIMUM_TIMES_INITIAL: u32 = 100;

/// An attempt that failed.
pub(crate) struct Failed<'a> {
    pub(crate) policy: Option<&'a RetryPolicy>,
    pub(crate) failure: &'a Failure,
    /// The first one is 1.
    pub(crate) attempt: u32,
    /// Until the activity's whole time is over.
    pub(crate) left: Option<Duration>,
}

impl Failed<'_> {
    /// The pause before the next attempt, or why there is none.
    pub(crate) fn next(&self) -> Result<Duration, RetryState> {
        let policy = self.policy.cloned().unwrap_or_default();
        let mut delay = None;
        match &self.failure.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(info)) => {
                if info.non_retryable || policy.non_retryable_error_types.contains(&info.r#type) {
                    return Err(RetryState::NonRetryableFailure);
                }
                delay = span(info.next_retry_delay);
            }
            Some(FailureInfo::CanceledFailureInfo(_) | FailureInfo::TerminatedFailureInfo(_)) => {
                return Err(RetryState::NonRetryableFailure);
            }
            _ => {}
        }
        let attempts_max = u32::try_from(policy.maximum_attempts).unwrap_or(0);
        if attempts_max > 0 && self.attempt >= attempts_max {
            return Err(RetryState::MaximumAttemptsReached);
        }
        let pause = delay.unwrap_or_else(|| backoff(&policy, self.attempt));
        match self.left {
            Some(left) if pause >= left => Err(RetryState::Timeout),
            _ => Ok(pause),
        }
    }
}

fn backoff(policy: &RetryPolicy, attempt: u32) -> Duration {
    let initial = span(policy.initial_interval).unwrap_or(INITIAL);
    let maximum = span(policy.maximum_interval);
    let maximum = maximum.unwrap_or_else(|| initial.saturating_mul(MAXIMUM_TIMES_INITIAL));
    let coefficient = if policy.backoff_coefficient < 1.0 {
        COEFFICIENT
    } else {
        policy.backoff_coefficient
    };
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = initial.as_secs_f64() * coefficient.powi(exponent);
    Duration::try_from_secs_f64(seconds).map_or(maximum, |pause| pause.min(maximum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(attempts: i32) -> RetryPolicy {
        RetryPolicy {
            initial_interval: Some(Duration::from_secs(2).try_into().expect("a span")),
            backoff_coefficient: 3.0,
            maximum_interval: Some(Duration::from_secs(10).try_into().expect("a span")),
            maximum_attempts: attempts,
            non_retryable_error_types: vec!["Conflict".to_owned()],
        }
    }

    fn next(
        policy: Option<&RetryPolicy>,
        failure: crate::Failure,
        attempt: u32,
        left: Option<u64>,
    ) -> Result<u64, RetryState> {
        let failed = Failed {
            policy,
            failure: &failure.into_proto(),
            attempt,
            left: left.map(Duration::from_secs),
        };
        failed.next().map(|pause| pause.as_secs())
    }

    #[test]
    fn pauses_grow_to_their_bound() {
        let broken = || crate::Failure::retryable("NetworkError", "no route");
        let own = policy(4);
        let pauses = (1..=4).map(|attempt| next(Some(&own), broken(), attempt, None));
        let pauses: Vec<_> = pauses.collect();
        let end = Err(RetryState::MaximumAttemptsReached);
        assert_eq!(pauses, [Ok(2), Ok(6), Ok(10), end]);
        assert_eq!(next(None, broken(), 3, None), Ok(4));
        assert_eq!(next(None, broken(), 90, None), Ok(100));
        assert_eq!(next(None, broken(), 3, Some(4)), Err(RetryState::Timeout));
        assert_eq!(next(None, broken(), 3, Some(5)), Ok(4));
        let later = broken().after(Duration::from_secs(60));
        assert_eq!(next(Some(&own), later, 1, None), Ok(60));
    }

    #[test]
    fn what_is_final_stays_final() {
        let end = Err(RetryState::NonRetryableFailure);
        let declined = crate::Failure::permanent("PaymentDeclined", "no");
        assert_eq!(next(None, declined, 1, None), end);
        let conflict = crate::Failure::retryable("Conflict", "sold");
        assert_eq!(next(Some(&policy(0)), conflict, 1, None), end);
    }
}
