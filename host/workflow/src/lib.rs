//! Translates Core's activations into calls on a guest, and what the guest does into Core's commands.
//!
//! Pure: an activation in, a completion out. No I/O, no clock, no runtime, no WebAssembly; the guest stands
//! behind [`guest::Module`] and [`guest::Instance`]. What comes from a guest is never trusted: bytes that
//! cannot be read, commands that leave the scope and results that do not fit fail the workflow task with a
//! stable code and discard its commands. Nothing a guest answers panics here.
//!
//! The way of one activation: `inbound` turns names and ids into the guest's own, `run` hands the jobs
//! over, `job` and `routine` read what comes back, `outbound` checks and completes every command, and
//! `failure` makes what Temporal's history keeps of a task that failed.

pub mod guest;

mod failure;
mod identity;
mod inbound;
mod job;
mod live;
mod outbound;
mod payload;
mod pending;
mod pin;
mod reach;
mod rehearsal;
mod reserved;
mod routine;
mod run;
mod tape;

pub use failure::{blames_plugin, coded_failure, fail_task};
pub use identity::{Pin, RunIdentity};
pub use pin::{MOVES_MAX, ReleasePin, announced_pin};
pub use reach::{Reach, outside_targets};
pub use rehearsal::{
    ACTIVATIONS_MAX, Beginning, Rehearsal, Repetition, command_name, repetition_differs,
    with_patches,
};
pub use run::{Run, TASK_TIMEOUT};
pub use tape::{Difference, Repeated, Shelf, Tape};
