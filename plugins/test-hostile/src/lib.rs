//! Shows what a host must survive: a workflow or activity type for each way to misbehave. What cannot be said with
//! an SDK, such as malformed bytes, is in `test-garbage`.

#![allow(clippy::panic, reason = "misbehaving is what this plugin is for")]

mod activities;
mod hindsight;
mod misdeeds;
mod reaching;
mod workflows;

use tenterhook_sdk::plugin;

use activities::{
    Compute, FloodHeartbeats, FloodLog, Grow, Hoard, HugeHeartbeat, HugeResult, Innocent, Overflow,
    Panic, Sleep, Spin,
};
use hindsight::{CountsQuestions, DecidesByReplay};
use reaching::Reaches;
use workflows::{
    Behaves, CallsStranger, Computes, FansOut, FloodsCommands, FloodsLog, ForgesPin, Grows, Hoards,
    HugePayload, NeverEnds, Overflows, Panics, PanicsInQuery, PanicsInValidator, PanicsOnSignal,
    PilesUpActivities, PilesUpChildren, PilesUpTimers, Sleeps, Spins, SpinsInQuery,
};

plugin! {
    workflows: [
        /// Runs `Innocent` and completes: what the others must not disturb.
        Behaves,
        /// Computes for as many turns as its input says.
        Computes,
        /// Runs an activity as often at once as its input says, each with the same input.
        FansOut,
        /// Panics in its first task.
        Panics,
        /// Waits for the signal `go` and panics in it.
        PanicsOnSignal { signals: [go] },
        /// Panics in its query `answer`.
        PanicsInQuery { signals: [finish], queries: [answer] },
        /// Panics in the validator of its update `change`.
        PanicsInValidator { signals: [finish], updates: [change] },
        /// Never gives control back.
        Spins,
        /// Never gives control back from its query `answer`.
        SpinsInQuery { signals: [finish], queries: [answer] },
        /// Allocates without end.
        Grows,
        /// Holds so many mebibytes for so many milliseconds.
        Hoards,
        /// Calls itself without end.
        Overflows,
        /// Starts 20,000 timers in one task.
        FloodsCommands,
        /// Has so many timers under way at once.
        PilesUpTimers,
        /// Has so many runs of `Innocent` under way at once.
        PilesUpActivities,
        /// Has so many children under way at once.
        PilesUpChildren,
        /// Lets one short timer follow another, and its history grow.
        NeverEnds,
        /// Writes 200,000 log lines, half of them to standard output.
        FloodsLog,
        /// Blocks its thread for a minute.
        Sleeps,
        /// Runs `Innocent` with 8 MiB of input.
        HugePayload,
        /// Emits the host's own marker with a digest of its choice.
        ForgesPin,
        /// Asks for an activity on another task queue, of another plugin.
        CallsStranger,
        /// Waits for the signal `go`, and then longer where it is replayed.
        DecidesByReplay { signals: [go] },
        /// Waits for the signal `go`, and then as long as it was asked its query `answer`, which counts in a static.
        CountsQuestions { signals: [go], queries: [answer] },
        /// Reaches for another plugin in the way that its input says.
        Reaches,
    ],
    activities: [
        Innocent,
        Compute,
        Panic,
        Spin,
        Grow,
        Hoard,
        Overflow,
        Sleep,
        HugeResult,
        HugeHeartbeat,
        FloodHeartbeats,
        FloodLog,
    ],
}
