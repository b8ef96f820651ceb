//! Tries a component's workflow types: each is made once, and run twice.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tenterhook_domain::{
    Code, Error, Result,
    component::{MessageType, Metadata},
    limit::Limits,
};
use tenterhook_workflow::{Beginning, Rehearsal, Repetition, guest::Module};

use super::{describe::Described, sample};
use crate::{owner::Owner, sandbox::aside};

/// Wall time in which all types together are tried; what is left then is not.
const TRIAL: Duration = Duration::from_secs(20);
/// Wall time of one activation in a trial, in milliseconds: less than real work has, for nobody waits for it.
const ACTIVATION_MILLIS_MAX: u64 = 1_000;
/// Most things that are said of single types.
const NOTES_MAX: usize = 8;
/// Longest thing said of one type, in characters.
const NOTE_CHARS_MAX: usize = 240;

/// What came of trying all types.
pub(super) struct Tried {
    pub(super) detail: String,
    /// Some types were not tried.
    pub(super) is_partial: bool,
}

/// The stage of a trial: the code, whose it is, what it may use.
#[derive(Clone)]
pub(super) struct Stage {
    module: Arc<dyn Module>,
    owner: Arc<Owner>,
    limits: Arc<Limits>,
}

impl Stage {
    /// For the workflows that `make` makes within limits.
    pub(super) fn new(
        owner: Arc<Owner>,
        limits: &Limits,
        make: impl FnOnce(Arc<Limits>, Arc<Owner>) -> Option<Arc<dyn Module>>,
    ) -> Option<Self> {
        let limits = Arc::new(Limits {
            activation_millis: limits.activation_millis.min(ACTIVATION_MILLIS_MAX),
            ..limits.clone()
        });
        let module = make(limits.clone(), owner.clone())?;
        Some(Self {
            module,
            owner,
            limits,
        })
    }

    fn rehearsal<'a>(&self, result: &'a dyn Fn(&str) -> Value) -> Rehearsal<'a> {
        Rehearsal {
            module: self.module.clone(),
            scope: self.owner.scope.clone(),
            plugin: self.owner.plugin.clone(),
            digest: self.owner.digest,
            limits: self.limits.clone(),
            result,
        }
    }

    /// Makes one instance of each type that `described` lists.
    ///
    /// # Errors
    /// `component-instantiate-failed`, naming the type and what happened.
    pub(super) async fn instantiate(self, described: &Described) -> Result<Tried> {
        let types: Vec<(String, Option<Value>)> = described
            .workflows
            .iter()
            .map(|listed| {
                let name = listed.workflow_type.clone();
                let input = described.input_schema(&name);
                (name, input.as_ref().map(sample::of))
            })
            .collect();
        aside(move || {
            let rehearsal = self.rehearsal(&|_| Value::Null);
            each(&types, |name, input| {
                match rehearsal.begin(name, input) {
                    Beginning::Made => Ok(None),
                    Beginning::Declined(why) => {
                        Ok(Some(format!("{name} does not take {}: {why}", shown(input))))
                    }
                    Beginning::Failed { code, message } if code == Code::HostMemoryTaken => {
                        Err(Error::new(code, message))
                    }
                    Beginning::Failed { code, message } => Err(Error::new(
                        Code::ComponentInstantiateFailed,
                        format!(
                            "workflow {name:?} cannot be instantiated with {}: {message} ({code}); answer with a \
                             failure instead where the input does not fit, and give a schema with an example where \
                             the host should try another one",
                            shown(input)
                        ),
                    )),
                }
            })
            .map(|tried| tried.tell("workflow types begin"))
        })
        .await
    }

    /// Runs each type of `metadata` twice.
    ///
    /// # Errors
    /// `component-not-deterministic`, naming the type and the first difference.
    pub(super) async fn repeat(self, metadata: &Metadata) -> Result<Tried> {
        let types: Vec<(String, Option<Value>)> = metadata
            .workflows
            .iter()
            .map(|workflow| {
                let input = workflow.definition.input_schema.as_ref();
                (workflow.definition.name.clone(), input.map(sample::of))
            })
            .collect();
        let results = results(&metadata.activities);
        aside(move || {
            let result = |name: &str| results.get(name).cloned().unwrap_or_default();
            let rehearsal = self.rehearsal(&result);
            each(&types, |name, input| match rehearsal.repeat(name, input) {
                Repetition::Same { .. } => Ok(None),
                Repetition::Unknown(why) => Ok(Some(format!(
                    "{name} with {}: the task fails before there is more to compare: {why}",
                    shown(input)
                ))),
                Repetition::Differs(what) => Err(Error::new(
                    Code::ComponentNotDeterministic,
                    format!(
                        "workflow {name:?} does not do the same twice: {what}; a workflow may decide by its input, \
                         by results and by what its context says of time and chance alone, and not by whether it \
                         is replayed"
                    ),
                )),
            })
            .map(|tried| tried.tell("workflow types give the same commands twice"))
        })
        .await
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    tried: usize,
    left: usize,
    notes: Vec<String>,
}

/// Tries `types` one after another until time is up.
fn each(
    types: &[(String, Option<Value>)],
    mut try_one: impl FnMut(&str, Option<&Value>) -> Result<Option<String>>,
) -> Result<Found> {
    let until = Instant::now() + TRIAL;
    let mut found = Found::default();
    for (name, input) in types {
        if Instant::now() >= until {
            break;
        }
        let note = try_one(name, input.as_ref())?;
        found.notes.extend(note);
        found.tried += 1;
    }
    found.left = types.len() - found.tried;
    Ok(found)
}

impl Found {
    fn tell(self, what: &str) -> Tried {
        let mut parts = vec![format!("{} {what}", self.tried - self.notes.len())];
        let more = self.notes.len().saturating_sub(NOTES_MAX);
        let notes = self.notes.into_iter().take(NOTES_MAX);
        parts.extend(notes.map(|note| note.chars().take(NOTE_CHARS_MAX).collect()));
        if more > 0 {
            parts.push(format!("{more} more like these"));
        }
        if self.left > 0 {
            parts.push(format!(
                "{} were not tried within {} s",
                self.left,
                TRIAL.as_secs()
            ));
        }
        Tried {
            detail: parts.join("; "),
            is_partial: self.left > 0,
        }
    }
}

/// What each activity answers in a trial.
fn results(activities: &[MessageType]) -> BTreeMap<String, Value> {
    activities
        .iter()
        .filter_map(|activity| {
            let schema = activity.result_schema.as_ref()?;
            Some((activity.name.clone(), sample::of(schema)))
        })
        .collect()
}

fn shown(input: Option<&Value>) -> String {
    input.map_or_else(
        || "no input".to_owned(),
        |input| format!("the input {input}").chars().take(120).collect(),
    )
}
