//! What a run was given and what it did, kept so that a fresh instance can be given the same, as a replay.
//!
//! Kept is what the guest saw and said, below the firewall: what the host adds to commands (signatures, weights) may
//! change between two runs, and is none of the plugin's. Queries and updates that were rejected leave no trace in a
//! history, so they are left out: a query that changes something shows as another command later.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use prost::Message as _;
use temporalio_protos::coresdk::{
    workflow_activation::{
        DoUpdate, InitializeWorkflow, WorkflowActivation, WorkflowActivationJob,
        workflow_activation_job::Variant as Job,
    },
    workflow_commands::{
        ContinueAsNewWorkflowExecution, WorkflowCommand, update_response::Response,
        workflow_command::Variant as Command,
    },
};
use tenterhook_domain::Code;

use crate::{
    failure::{TaskFailure, read},
    guest::{Init, Module, Moment},
    live::{self, Deeds, Live},
    rehearsal::{between, title, with_patches},
    routine::Ended,
};

/// Most activations on one tape: what comes later is not kept.
const STEPS_MAX: usize = 200;
/// Most bytes on one tape.
const BYTES_MAX: u64 = 512 * 1024;
/// What an activation or a command counts for beside its bytes.
const ENTRY_BYTES: u64 = 64;

/// What all tapes of a host may hold together.
#[derive(Debug)]
pub struct Shelf {
    bytes_max: u64,
    held: AtomicU64,
}

impl Shelf {
    /// Room for so many bytes.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            held: AtomicU64::new(0),
        })
    }

    /// Bytes that tapes hold now.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let take = |held: u64| {
            let held = held.saturating_add(bytes);
            (held <= self.bytes_max).then_some(held)
        };
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.is_ok()
    }
}

/// The beginning of a run: what it was given and what it did, as far as there was room.
pub struct Tape {
    shelf: Arc<Shelf>,
    module: Arc<dyn Module>,
    payload_bytes: u64,
    begun: Option<(Init, Moment)>,
    steps: Vec<Step>,
    bytes: u64,
    is_over: bool,
}

/// One activation that is in the history, encoded, and the commands that came of it.
struct Step {
    activation: Vec<u8>,
    moment: Moment,
    commands: Vec<Vec<u8>>,
}

/// What the repetition came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeated {
    /// The same commands.
    Same,
    /// It could not be told: the host was short of something, and says what.
    Unknown(String),
    /// Other commands.
    Differs(Difference),
}

/// The first difference between a run and its repetition. In words of the host's own and names of the plugin's: nothing
/// of what payloads say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which activation of the run, from 1.
    pub activation: u64,
    /// At which command of it, from 1.
    pub command: u64,
    /// What the run did.
    pub expected: String,
    /// What its repetition did.
    pub actual: String,
}

impl Tape {
    pub(crate) fn new(shelf: Arc<Shelf>, module: Arc<dyn Module>, payload_bytes: u64) -> Self {
        Self {
            shelf,
            module,
            payload_bytes,
            begun: None,
            steps: Vec::new(),
            bytes: 0,
            is_over: false,
        }
    }

    /// True if there is nothing to repeat.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The workflow's type as the guest calls it; empty where nothing was kept.
    pub fn workflow_type(&self) -> String {
        let start = self.begun.as_ref().map(|(init, _)| init);
        let start =
            start.and_then(|init| InitializeWorkflow::decode(&*init.initialize_workflow).ok());
        start.map(|start| start.workflow_type).unwrap_or_default()
    }

    /// True once nothing more comes onto it.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Keeps how the instance was made.
    pub(crate) fn begin(&mut self, init: Init, moment: Moment) {
        let bytes = init.initialize_workflow.len() as u64;
        if self.take(bytes) {
            self.begun = Some((init, moment));
        }
    }

    /// Keeps what came of `activation`, where there is room for it: a tape has no gaps.
    pub(crate) fn keep(
        &mut self,
        mut activation: WorkflowActivation,
        moment: Moment,
        deeds: &Deeds,
    ) {
        if self.is_over || self.steps.len() >= STEPS_MAX {
            self.is_over = true;
            return;
        }
        let rejected = rejected(&activation, deeds);
        activation.jobs.retain(|job| match &job.variant {
            Some(Job::QueryWorkflow(_)) => false,
            Some(Job::DoUpdate(it)) => !rejected.contains(&it.protocol_instance_id),
            _ => true,
        });
        if activation.jobs.is_empty() {
            return;
        }
        let kept = deeds.responses.iter().filter(|it| traceable(it, &rejected));
        let mut commands: Vec<Vec<u8>> = kept.map(WorkflowCommand::encode_to_vec).collect();
        commands.extend(deeds.pushed.iter().cloned());
        // An end that cannot be read fails the task.
        if let Some(Ok(ended)) = deeds.ended.as_ref().map(end) {
            commands.push(ended.encode_to_vec());
        }
        let step = Step {
            activation: activation.encode_to_vec(),
            moment,
            commands,
        };
        if self.take(step.bytes()) {
            self.steps.push(step);
        }
        self.is_over |= deeds.ended.is_some();
    }

    fn take(&mut self, bytes: u64) -> bool {
        let fits = self.bytes.saturating_add(bytes) <= BYTES_MAX && self.shelf.take(bytes);
        if fits {
            self.bytes += bytes;
        }
        self.is_over |= !fits;
        fits
    }

    /// Gives all of it to a fresh instance, as a replay, for as long as `may_go_on` says so before each activation.
    pub fn repeat(&self, may_go_on: impl Fn() -> bool) -> Repeated {
        match self.difference(may_go_on) {
            Ok(()) => Repeated::Same,
            Err(Parted::Unknown(why)) => Repeated::Unknown(why),
            Err(Parted::At(difference)) => Repeated::Differs(difference),
        }
    }

    fn difference(&self, may_go_on: impl Fn() -> bool) -> Result<(), Parted> {
        let Some((init, moment)) = &self.begun else {
            return Err(Parted::Unknown("nothing was kept".to_owned()));
        };
        let made = Live::make(
            self.module.as_ref(),
            init,
            again(*moment),
            self.payload_bytes,
        );
        let mut live = made.map_err(|failure| failed(1, "the workflow begins", &failure))?;
        for (place, step) in self.steps.iter().enumerate() {
            if !may_go_on() {
                return Err(Parted::Unknown(
                    "the host had no time or no memory for it".to_owned(),
                ));
            }
            step.repeat(&mut live, place as u64 + 1, self.payload_bytes)?;
        }
        Ok(())
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.shelf.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape")
            .field("steps", &self.steps.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Why a repetition ends before its end.
enum Parted {
    Unknown(String),
    At(Difference),
}

impl Step {
    fn bytes(&self) -> u64 {
        let commands = self.commands.iter().map(|it| it.len() as u64 + ENTRY_BYTES);
        self.activation.len() as u64 + ENTRY_BYTES + commands.sum::<u64>()
    }

    /// Gives it to `live` as a replay: `place` is its number on the tape.
    fn repeat(&self, live: &mut Live, place: u64, payload_bytes: u64) -> Result<(), Parted> {
        let unreadable = |failure: TaskFailure| Parted::Unknown(failure.message().to_owned());
        let once = self.commands.iter();
        let once = once.map(|bytes| read("a command that was kept", bytes));
        let once: Vec<WorkflowCommand> = once.collect::<Result<_, _>>().map_err(unreadable)?;
        let activation: WorkflowActivation =
            read("an activation that was kept", &self.activation).map_err(unreadable)?;
        let activation = replayed(activation, &once);
        let first = || once.first().map_or_else(waits, title);
        let again = live
            .act(&activation, again(self.moment), payload_bytes)
            .and_then(commands)
            .map_err(|failure| failed(place, &first(), &failure))?;
        let Some(parted) = between(&once, &again) else {
            return Ok(());
        };
        let (expected, actual) = (once.get(parted), again.get(parted));
        let expected = expected.map_or_else(waits, title);
        let mut actual = actual.map_or_else(waits, title);
        if expected == actual {
            actual.push_str(" with other contents");
        }
        Err(Parted::At(Difference {
            activation: place,
            command: parted as u64 + 1,
            expected,
            actual,
        }))
    }
}

fn waits() -> String {
    "no further command".to_owned()
}

/// The repetition failed at activation `place`, where the run did `expected`.
fn failed(place: u64, expected: &str, failure: &TaskFailure) -> Parted {
    let code = failure.code();
    // What the machine was short of is no decision of the code's.
    if let Some(Code::HostMemoryTaken | Code::GuestDeadlineExceeded | Code::Internal) = code {
        return Parted::Unknown(failure.message().to_owned());
    }
    let code = code.map_or_else(String::new, |code| format!(" ({code})"));
    Parted::At(Difference {
        activation: place,
        command: 1,
        expected: expected.to_owned(),
        actual: format!("a failed task{code}"),
    })
}

fn again(moment: Moment) -> Moment {
    Moment {
        replaying: true,
        ..moment
    }
}

/// `activation` as Core replays it, where the commands `once` came of it.
fn replayed(activation: WorkflowActivation, once: &[WorkflowCommand]) -> WorkflowActivation {
    let jobs = activation.jobs.into_iter().filter_map(|job| job.variant);
    let jobs = with_patches(jobs.collect(), once).into_iter().map(|job| {
        let job = match job {
            Job::DoUpdate(update) => Job::DoUpdate(DoUpdate {
                run_validator: false,
                ..update
            }),
            job => job,
        };
        WorkflowActivationJob { variant: Some(job) }
    });
    WorkflowActivation {
        jobs: jobs.collect(),
        is_replaying: true,
        ..activation
    }
}

/// What the guest did, as commands.
fn commands(deeds: Deeds) -> Result<Vec<WorkflowCommand>, TaskFailure> {
    let mut commands = deeds.responses;
    for bytes in &deeds.pushed {
        commands.push(read("a command", bytes)?);
    }
    commands.extend(deeds.ended.as_ref().map(end).transpose()?);
    Ok(commands)
}

fn end(ended: &Ended) -> Result<WorkflowCommand, TaskFailure> {
    match ended {
        Ended::With(command) => Ok(command.as_ref().clone()),
        Ended::AsNew(bytes) => {
            let command: ContinueAsNewWorkflowExecution = read("continue-as-new", bytes)?;
            Ok(Command::ContinueAsNewWorkflowExecution(command).into())
        }
    }
}

/// The updates of `activation` that the validator refused: no event tells of them.
fn rejected(activation: &WorkflowActivation, deeds: &Deeds) -> Vec<String> {
    let accepted = |id: &String| {
        deeds.responses.iter().any(|command| {
            matches!(&command.variant, Some(Command::UpdateResponse(it))
                if it.protocol_instance_id == *id && matches!(it.response, Some(Response::Accepted(()))))
        })
    };
    let asked = live::jobs(activation).filter_map(|job| match job {
        Job::DoUpdate(it) => Some(&it.protocol_instance_id),
        _ => None,
    });
    asked.filter(|id| !accepted(id)).cloned().collect()
}

/// True if a history has something of the answer `command`.
fn traceable(command: &WorkflowCommand, rejected: &[String]) -> bool {
    match &command.variant {
        Some(Command::RespondToQuery(_)) => false,
        Some(Command::UpdateResponse(it)) => !rejected.contains(&it.protocol_instance_id),
        _ => true,
    }
}
