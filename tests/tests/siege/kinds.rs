//! Every way to misbehave, and the code that each is to be told.

use serde_json::{Value, json};

/// How a misdeed is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The first task fails with the code, and is tried again until somebody ends the execution.
    Task(&'static str),
    /// The execution fails with the code, for its activity did.
    Attempt(&'static str),
    /// It ends well: what it did too much of was dropped.
    Nothing,
}

/// A misdeed.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// The plugin.
    pub(crate) plugin: &'static str,
    /// What tells it from others.
    pub(crate) name: &'static str,
    /// Its workflow type.
    pub(crate) workflow: &'static str,
    /// Its input.
    pub(crate) input: Value,
    /// What is to come of it.
    pub(crate) seen: Seen,
}

/// More than a payload may have.
const TOO_MANY_BYTES: u32 = 3 * 1024 * 1024;
/// More than is taken.
const FLOOD: u32 = 5_000;
/// Attempts of each activity at once.
const AT_ONCE: usize = 4;

const GARBAGE: &[(&str, &str)] = &[
    ("InstantiateGarbage", "guest-malformed"),
    ("ActivateGarbage", "guest-malformed"),
    ("CommandGarbage", "guest-malformed"),
    ("CommandCutShort", "guest-malformed"),
    ("CommandEmpty", "guest-malformed"),
    ("ResultGarbage", "guest-malformed"),
    ("FailureGarbage", "guest-malformed"),
    ("TaskFailureGarbage", "guest-malformed"),
    ("ContinueGarbage", "guest-malformed"),
    ("CountTooLow", "guest-malformed"),
    ("CountTooHigh", "guest-malformed"),
    ("KindWrong", "guest-malformed"),
    ("RoutineUnknown", "guest-malformed"),
    ("CompletionWrong", "guest-malformed"),
    ("InterceptorStuck", "non-deterministic"),
    ("ProgressForever", "guest-deadline-exceeded"),
    ("InstantiateTraps", "guest-trapped"),
];

const WORKFLOWS: &[(&str, &str)] = &[
    ("Panics", "guest-trapped"),
    ("Overflows", "guest-trapped"),
    ("Spins", "guest-fuel-exhausted"),
    ("Grows", "guest-memory-exceeded"),
    ("FloodsCommands", "guest-too-many-commands"),
    ("HugePayload", "guest-payload-too-large"),
    ("Sleeps", "guest-capability-denied"),
    ("ForgesPin", "command-refused"),
    ("CallsStranger", "command-refused"),
];

/// All there are.
pub(crate) fn all() -> Vec<Kind> {
    let garbage = GARBAGE
        .iter()
        .map(|&(name, code)| workflow("test-garbage", name, Seen::Task(code)));
    let workflows = WORKFLOWS
        .iter()
        .map(|&(name, code)| workflow("test-hostile", name, Seen::Task(code)));
    let mut kinds: Vec<_> = garbage.chain(workflows).collect();
    kinds.push(workflow("test-hostile", "FloodsLog", Seen::Nothing));
    let activities = [
        ("Panic", json!("on purpose"), "guest-trapped"),
        ("Overflow", Value::Null, "guest-trapped"),
        ("Spin", Value::Null, "guest-deadline-exceeded"),
        ("Sleep", json!(600_000), "guest-deadline-exceeded"),
        ("Grow", Value::Null, "guest-memory-exceeded"),
        (
            "HugeResult",
            json!(TOO_MANY_BYTES),
            "guest-payload-too-large",
        ),
        (
            "HugeHeartbeat",
            json!(TOO_MANY_BYTES),
            "guest-payload-too-large",
        ),
    ];
    kinds.extend(activities.map(|(name, input, code)| activity(name, &input, Seen::Attempt(code))));
    let floods = ["FloodHeartbeats", "FloodLog"];
    kinds.extend(floods.map(|name| activity(name, &json!(FLOOD), Seen::Nothing)));
    kinds
}

fn workflow(plugin: &'static str, name: &'static str, seen: Seen) -> Kind {
    Kind {
        plugin,
        name,
        workflow: name,
        input: Value::Null,
        seen,
    }
}

fn activity(name: &'static str, input: &Value, seen: Seen) -> Kind {
    Kind {
        plugin: "test-hostile",
        name,
        workflow: "FansOut",
        input: json!([format!("test-hostile.{name}"), AT_ONCE, input]),
        seen,
    }
}
