//! Activities that misbehave, and one that does not.

use std::time::Duration;

use tenterhook_sdk::{ActivityContext, ActivityError, activities, info};

use crate::misdeeds;

fn innocent(_: &ActivityContext, input: String) -> Result<usize, ActivityError> {
    Ok(input.len())
}

fn panic(_: &ActivityContext, message: String) -> Result<(), ActivityError> {
    panic!("{message}")
}

fn spin(_: &ActivityContext, _input: ()) -> Result<(), ActivityError> {
    misdeeds::spin()
}

fn compute(_: &ActivityContext, turns: u64) -> Result<u64, ActivityError> {
    Ok(misdeeds::compute(turns))
}

fn grow(_: &ActivityContext, _input: ()) -> Result<(), ActivityError> {
    misdeeds::grow()
}

fn hoard(_: &ActivityContext, how: (usize, u64)) -> Result<usize, ActivityError> {
    let (mebibytes, millis) = how;
    let hoard = misdeeds::hoard(mebibytes);
    std::thread::sleep(Duration::from_millis(millis));
    Ok(hoard.len())
}

fn overflow(_: &ActivityContext, _input: ()) -> Result<u64, ActivityError> {
    Ok(misdeeds::overflow(0))
}

fn sleep(_: &ActivityContext, millis: u64) -> Result<(), ActivityError> {
    std::thread::sleep(Duration::from_millis(millis));
    Ok(())
}

fn huge_result(_: &ActivityContext, bytes: usize) -> Result<String, ActivityError> {
    Ok("x".repeat(bytes))
}

fn huge_heartbeat(ctx: &ActivityContext, bytes: usize) -> Result<(), ActivityError> {
    ctx.heartbeat(&"x".repeat(bytes))
}

fn flood_heartbeats(ctx: &ActivityContext, count: u64) -> Result<(), ActivityError> {
    (0..count).try_for_each(|number| ctx.heartbeat(&number))
}

fn flood_log(_: &ActivityContext, lines: u64) -> Result<(), ActivityError> {
    for line in 0..lines {
        info!("line {line} of a flood");
    }
    Ok(())
}

activities! {
    /// Answers with the length of its input.
    pub(crate) Innocent(String) -> usize = innocent;
    /// Panics with its input as the message.
    pub(crate) Panic(String) -> () = panic;
    /// Never returns, and never asks whether it should.
    pub(crate) Spin(()) -> () = spin;
    /// Computes for so many turns.
    pub(crate) Compute(u64) -> u64 = compute;
    /// Allocates without end.
    pub(crate) Grow(()) -> () = grow;
    /// Holds so many mebibytes for so many milliseconds.
    pub(crate) Hoard((usize, u64)) -> usize = hoard;
    /// Calls itself without end.
    pub(crate) Overflow(()) -> u64 = overflow;
    /// Blocks for so many milliseconds.
    pub(crate) Sleep(u64) -> () = sleep;
    /// Answers with so many bytes.
    pub(crate) HugeResult(usize) -> String = huge_result;
    /// Heartbeats with so many bytes.
    pub(crate) HugeHeartbeat(usize) -> () = huge_heartbeat;
    /// Heartbeats so many times without a pause.
    pub(crate) FloodHeartbeats(u64) -> () = flood_heartbeats;
    /// Writes so many log lines.
    pub(crate) FloodLog(u64) -> () = flood_log;
}
