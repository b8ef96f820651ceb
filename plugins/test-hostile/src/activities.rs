//! Activities that misbehave, and one that does not.

use std::time::Duration;

use tenterhook_sdk::{ActivityContext, ActivityError, activity, info};

use crate::misdeeds;

/// Answers with the length of its input.
#[activity]
pub(crate) fn innocent(_: &ActivityContext, input: String) -> Result<usize, ActivityError> {
    Ok(input.len())
}

/// Panics with its input as the message.
#[activity]
pub(crate) fn panic(_: &ActivityContext, message: String) -> Result<(), ActivityError> {
    panic!("{message}")
}

/// Never returns, and never asks whether it should.
#[activity]
pub(crate) fn spin(_: &ActivityContext, _input: ()) -> Result<(), ActivityError> {
    misdeeds::spin()
}

/// Computes for so many turns.
#[activity]
pub(crate) fn compute(_: &ActivityContext, turns: u64) -> Result<u64, ActivityError> {
    Ok(misdeeds::compute(turns))
}

/// Allocates without end.
#[activity]
pub(crate) fn grow(_: &ActivityContext, _input: ()) -> Result<(), ActivityError> {
    misdeeds::grow()
}

/// Calls itself without end.
#[activity]
pub(crate) fn overflow(_: &ActivityContext, _input: ()) -> Result<u64, ActivityError> {
    Ok(misdeeds::overflow(0))
}

/// Blocks for so many milliseconds.
#[activity]
pub(crate) fn sleep(_: &ActivityContext, millis: u64) -> Result<(), ActivityError> {
    std::thread::sleep(Duration::from_millis(millis));
    Ok(())
}

/// Answers with so many bytes.
#[activity]
pub(crate) fn huge_result(_: &ActivityContext, bytes: usize) -> Result<String, ActivityError> {
    Ok("x".repeat(bytes))
}

/// Heartbeats with so many bytes.
#[activity]
pub(crate) fn huge_heartbeat(ctx: &ActivityContext, bytes: usize) -> Result<(), ActivityError> {
    ctx.heartbeat(&"x".repeat(bytes))
}

/// Heartbeats so many times without a pause.
#[activity]
pub(crate) fn flood_heartbeats(ctx: &ActivityContext, count: u64) -> Result<(), ActivityError> {
    (0..count).try_for_each(|number| ctx.heartbeat(&number))
}

/// Writes so many log lines.
#[activity]
pub(crate) fn flood_log(_: &ActivityContext, lines: u64) -> Result<(), ActivityError> {
    for line in 0..lines {
        info!("line {line} of a flood");
    }
    Ok(())
}
