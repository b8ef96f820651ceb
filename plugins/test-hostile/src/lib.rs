//! Shows what a host must survive: a workflow or activity type for each way to misbehave. What cannot be said with
//! an SDK, such as malformed bytes, is in `test-garbage`.

#![allow(clippy::panic, reason = "misbehaving is what this plugin is for")]

mod activities;
mod hindsight;
mod keeping;
mod misdeeds;
mod pushing;
mod reaching;
mod sending;
mod workflows;

use tenterhook_sdk::plugin;

use activities::{
    Compute, Descend, Escape, FloodHeartbeats, FloodLog, Grow, Hoard, HugeHeartbeat, HugeResult,
    Innocent, LongLine, Overflow, Panic, Sleep, Spin,
};
use hindsight::{
    CountsQuestions, DecidesByReplay, TurnsByReplay, TurnsByStatic, TurnsByWorld, TurnsOnReplay,
};
use keeping::Keep;
use pushing::Pushes;
use reaching::Reaches;
use sending::{HoldAnswers, Insist, Send};
use workflows::{
    Behaves, CallsStranger, Computes, Descends, FansOut, FloodsCommands, FloodsLog, ForgesPin,
    Grows, Hoards, HugePayload, NeverEnds, Overflows, Panics, PanicsInQuery, PanicsInValidator,
    PanicsOnSignal, PilesUpActivities, PilesUpChildren, PilesUpTimers, Sleeps, Spins, SpinsInQuery,
    Swells,
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
        /// The same, and keeps nothing in memory meanwhile.
        Descends,
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
        /// Runs `Innocent` with so many bytes again and again, and lets its history grow.
        Swells,
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
        /// Has a timer, and where it is replayed an activity in its place; then waits for the signal `go`.
        TurnsOnReplay { signals: [go] },
        /// Waits for the signal `go`, and then as long as it was asked its query `answer`, which counts in a static.
        CountsQuestions { signals: [go], queries: [answer] },
        /// Waits for the signal `go`, does one thing or another by whether it is replayed, and waits for `go` again.
        TurnsByReplay { signals: [go], queries: [count, die] },
        /// The same by whether it was asked its query `count`, which counts in a static.
        TurnsByStatic { signals: [go], queries: [count, die] },
        /// The same by all of the world that code can see.
        TurnsByWorld { signals: [go], queries: [count, die] },
        /// Pushes a command that no SDK would.
        Pushes,
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
        Descend,
        Sleep,
        HugeResult,
        HugeHeartbeat,
        FloodHeartbeats,
        FloodLog,
        LongLine,
        Escape,
        Keep,
        Send,
        Insist,
        HoldAnswers,
    ],
    wants: {
        http: ["config:echo_url", "config:silent_url", "config:dead_url", "169.254.169.254"],
        keyvalue: true,
        config: ["echo_url", "silent_url", "dead_url"],
    },
}
