//! How soon a failed step is tried again.

use std::time::Duration;

use tenterhook_sdk::{Activity, ActivityCall};

/// The bounds of `retry_initial_ms` in inputs.
const RETRY_INITIAL_MS_MIN: u64 = 1;
const RETRY_INITIAL_MS_MAX: u64 = 60_000;

/// A call whose first pause is that of the input in place of its preset's.
pub(crate) fn paced<A: Activity>(
    call: ActivityCall<A>,
    retry_initial_ms: Option<u64>,
) -> ActivityCall<A> {
    let Some(pause) = first_pause(retry_initial_ms) else {
        return call;
    };
    let mut policy = A::RETRY.policy();
    policy.set_initial_interval(pause);
    call.retry_policy(policy)
}

/// Within its bounds even where the input was not validated.
fn first_pause(retry_initial_ms: Option<u64>) -> Option<Duration> {
    let millis = retry_initial_ms?.clamp(RETRY_INITIAL_MS_MIN, RETRY_INITIAL_MS_MAX);
    Some(Duration::from_millis(millis))
}
