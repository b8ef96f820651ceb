//! Every way to misbehave, and the code that each is to be told.

mod limits;
mod traps;
mod uploads;
mod walls;

use serde_json::{Value, json};
use tenterhook_domain::limit::Limits;

use crate::besieger::Place;

/// How a misdeed is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A task fails with the code, and is tried again until somebody ends the execution.
    Task(&'static str),
    /// The execution fails with the code, for its activity did.
    Attempt(&'static str),
    /// It ends well, and its result tells with this word how it was refused.
    Answers(&'static str),
    /// It ends well: what it did too much of was dropped, or what it saw did not change.
    Nothing,
    /// It ends well, and the host writes down at its release that it does not do the same twice.
    Found(&'static str),
    /// The host refuses the upload with the code.
    Refused(&'static str),
}

/// What is done with an execution after its start.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Waiting until so many of its tasks are done.
    Tasks(usize),
    /// A signal.
    Signal(&'static str),
    /// A query, whatever becomes of it.
    Query(&'static str),
}

/// What is done.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// An execution of this workflow type is started, and led on.
    Runs(&'static str, Value, &'static [Step]),
    /// A guest is uploaded.
    Uploads(&'static str),
    /// Bytes are uploaded: these, and so many zeros.
    UploadsBytes(&'static [u8], usize),
}

/// A misdeed.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// Which of the besieger's tenants does it.
    pub(crate) place: Place,
    /// The plugin.
    pub(crate) plugin: &'static str,
    /// What tells it from others.
    pub(crate) name: String,
    /// What it does.
    pub(crate) deed: Deed,
    /// What is to come of it.
    pub(crate) seen: Seen,
    /// The limit that it meets.
    pub(crate) limit: Option<&'static str>,
}

const HOSTILE: &str = "test-hostile";
/// Attempts of each activity at once.
const AT_ONCE: usize = 4;

/// Limits that no guest meets as it runs, and where they are met.
const MET_ELSEWHERE: &[(&str, &str)] = &[
    ("compile_memory_bytes", COMPILER),
    ("compile_cpu_millis", COMPILER),
    ("compile_millis", COMPILER),
    ("core_instances", SHAPE),
    ("memories", SHAPE),
    ("tables", SHAPE),
];
const COMPILER: &str =
    "the compiler meets it, in a process of its own: host/sandbox/tests/sandbox/compiler.rs";
const SHAPE: &str =
    "the shape of a component, looked at when it is uploaded: host/sandbox/tests/sandbox/parts.rs";

/// All there are.
pub(crate) fn all() -> Vec<Kind> {
    let mut kinds = limits::all();
    kinds.extend(walls::all());
    kinds.extend(traps::all());
    kinds.extend(uploads::all());
    kinds
}

impl Kind {
    fn meets(self, limit: &'static str) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }
}

/// An execution, known by its workflow type.
fn workflow(plugin: &'static str, name: &'static str, input: Value, seen: Seen) -> Kind {
    led(plugin, name, input, &[], seen)
}

/// The same, which is led on after its start.
fn led(
    plugin: &'static str,
    name: &'static str,
    input: Value,
    steps: &'static [Step],
    seen: Seen,
) -> Kind {
    Kind {
        place: Place::Plain,
        plugin,
        name: name.to_owned(),
        deed: Deed::Runs(name, input, steps),
        seen,
        limit: None,
    }
}

/// An execution that runs so many attempts of an activity at once, known by the activity.
fn activity(name: &'static str, input: &Value, seen: Seen) -> Kind {
    let input = json!([format!("{HOSTILE}.{name}"), AT_ONCE, input]);
    workflow(HOSTILE, "FansOut", input, seen).named(name)
}

/// The same, of which a row is known by a name of its own.
fn attempt(name: &str, activity_type: &'static str, input: &Value, code: &'static str) -> Kind {
    activity(activity_type, input, Seen::Attempt(code)).named(name)
}

#[test]
fn every_limit_is_met_or_it_is_said_where_it_is() {
    let kinds = all();
    for row in Limits::TABLE {
        let met = kinds.iter().any(|kind| kind.limit == Some(row.name));
        let elsewhere = MET_ELSEWHERE.iter().any(|(name, _)| *name == row.name);
        assert!(met != elsewhere, "{}: {met}, {elsewhere}", row.name);
    }
    for kind in &kinds {
        let known = |name| Limits::TABLE.iter().any(|row| row.name == name);
        assert!(kind.limit.is_none_or(known), "{kind:?}");
    }
}

#[test]
fn each_misdeed_has_a_name_of_its_own() {
    let mut names: Vec<_> = all().into_iter().map(|kind| kind.name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
