//! Deciding by something outside of the history.

use serde_json::Value;

use super::{
    HOSTILE, Kind, Seen,
    Step::{self, Query, Signal, Tasks},
    led,
};

/// What is found of a release while it serves.
const FOUND: Seen = Seen::Found("component-not-deterministic");
const DIVERGES: Seen = Seen::Task("non-deterministic");

/// Each takes its turn, then its instance dies of a question, and the next task is a replay.
const KINDS: &[(&str, &[Step], Seen)] = &[
    ("DecidesByReplay", &[Tasks(1), Signal("go")], FOUND),
    (
        "CountsQuestions",
        &[Tasks(1), Query("answer"), Query("answer"), Signal("go")],
        FOUND,
    ),
    (
        "TurnsByReplay",
        &[Tasks(1), Signal("go"), Tasks(3), Query("die"), Signal("go")],
        DIVERGES,
    ),
    (
        "TurnsByStatic",
        &[
            Tasks(1),
            Query("count"),
            Signal("go"),
            Tasks(3),
            Query("die"),
            Signal("go"),
        ],
        DIVERGES,
    ),
    // The host shows it the same world again.
    (
        "TurnsByWorld",
        &[Tasks(1), Signal("go"), Tasks(8), Query("die"), Signal("go")],
        Seen::Nothing,
    ),
];

pub(super) fn all() -> impl Iterator<Item = Kind> {
    KINDS
        .iter()
        .map(|&(name, steps, seen)| led(HOSTILE, name, Value::Null, steps, seen))
}
