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

/// Holds so many mebibytes for so many milliseconds.
#[activity]
pub(crate) fn hoard(_: &ActivityContext, how: (usize, u64)) -> Result<usize, ActivityError> {
    let (mebibytes, millis) = how;
    let hoard = misdeeds::hoard(mebibytes);
    std::thread::sleep(Duration::from_millis(millis));
    Ok(hoard.len())
}

/// Calls itself without end.
#[activity]
pub(crate) fn overflow(_: &ActivityContext, _input: ()) -> Result<u64, ActivityError> {
    Ok(misdeeds::overflow(0))
}

/// Calls itself without end, and keeps nothing in memory meanwhile.
#[activity]
pub(crate) fn descend(_: &ActivityContext, depth: u64) -> Result<u64, ActivityError> {
    Ok(misdeeds::descend(depth))
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

/// Writes one log line of so many bytes.
#[activity]
pub(crate) fn long_line(_: &ActivityContext, bytes: usize) -> Result<(), ActivityError> {
    info!("{}", "x".repeat(bytes));
    Ok(())
}

/// Reaches for what the standard library knows and no attempt has. Fails with the error that it meets.
#[activity]
pub(crate) fn escape(_: &ActivityContext, way: String) -> Result<(), ActivityError> {
    let met = match way.as_str() {
        "file" => std::fs::File::open("/etc/hostname").map(|_| ()),
        "folder" => std::fs::create_dir("made"),
        "connection" => std::net::TcpStream::connect("127.0.0.1:80").map(|_| ()),
        "listener" => std::net::TcpListener::bind("127.0.0.1:0").map(|_| ()),
        "datagram" => std::net::UdpSocket::bind("127.0.0.1:0").map(|_| ()),
        "program" => std::process::Command::new("true").status().map(|_| ()),
        "thread" => std::thread::Builder::new().spawn(|| ()).map(|_| ()),
        "exit" => exit(),
        _ => Ok(()),
    };
    met.map_err(|error| ActivityError::custom("Escape", format!("{way}: {:?}", error.kind())))
}

#[allow(
    clippy::disallowed_methods,
    reason = "what no activity should do is what this one does"
)]
fn exit() -> std::io::Result<()> {
    std::process::exit(3)
}
