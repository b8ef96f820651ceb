//! What the benchmarks run. The [`workflows`] compile natively too, so that a worker of `temporalio-sdk` runs the
//! same code; it brings its own activity of the name `Noop`.

#![allow(
    missing_docs,
    reason = "Temporal's macro makes public constants without documentation"
)]

pub mod workflows;

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

/// Answers with its input.
#[activity]
pub fn noop(_: &ActivityContext, input: u64) -> Result<u64, ActivityError> {
    Ok(input)
}

use workflows::{ManyActivities, OneActivity, SignalWait, TenActivities};

plugin! {
    workflows: [
        /// Runs `Noop` once.
        OneActivity,
        /// Runs `Noop` ten times, one after another.
        TenActivities,
        /// Runs `Noop` as often as its input says, one after another.
        ManyActivities,
        /// Waits for the signal `go`.
        SignalWait { signals: [go], queries: [waiting] },
    ],
    activities: [Noop],
}
