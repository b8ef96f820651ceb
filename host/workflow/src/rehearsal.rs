//! A workflow type tried with made-up work before anybody starts it: does it begin, and does it do the same twice?
//!
//! The second time is what a replay is: the same jobs at the same times with the same seed, marked as repeated, on a
//! fresh instance. Whatever the code decides by anything else shows as another command.

mod answer;
mod difference;

pub(crate) use self::difference::{place as between, title};

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use serde_json::Value;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            InitializeWorkflow, NotifyHasPatch, WorkflowActivation, WorkflowActivationJob,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
        workflow_completion::{
            WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::{
        common::v1::Payload,
        failure::v1::{Failure, failure::FailureInfo},
    },
};
use tenterhook_domain::{
    Code, Digest, PluginName, Scope,
    context::{ContextKey, ContextKeys},
    lane::Naming,
    limit::Limits,
};

use crate::{
    failure,
    guest::{Fault, Init, Module, Moment},
    identity::{Pin, RunIdentity},
    reach::Reach,
    run::Run,
};

/// Most activations that one type is tried with.
pub const ACTIVATIONS_MAX: u64 = 12;
/// When a rehearsal plays, in seconds since the Unix epoch: some day in 2020.
const BEGINS_SECONDS: u64 = 1_577_836_800;
/// Furthest that time moves in one step, in seconds: a year.
const STEP_SECONDS_MAX: u64 = 366 * 86_400;
const SEED: u64 = 7;
const WORKFLOW_ID: &str = "rehearsal";
const RUN_ID: &str = "00000000-0000-7000-8000-000000000000";
const NAMESPACE: &str = "rehearsal";
/// How Temporal's runtime for components answers for a type that it does not have.
const UNKNOWN_TYPE: &str = "No workflow named";

/// What a component's workflow types are tried with.
pub struct Rehearsal<'a> {
    /// The code.
    pub module: Arc<dyn Module>,
    /// In whose name it is tried.
    pub scope: Scope,
    /// The plugin whose types they are.
    pub plugin: PluginName,
    /// The release.
    pub digest: Digest,
    /// What each activation may use.
    pub limits: Arc<Limits>,
    /// The result that the activity of a name has.
    pub result: &'a dyn Fn(&str) -> Value,
}

/// How a type began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// There is an instance of it.
    Made,
    /// It does not take the input, and says why: nothing is wrong with that.
    Declined(String),
    /// It cannot be made: it trapped, hit a limit, or is not there.
    Failed {
        /// Which trap or limit.
        code: Code,
        /// What happened.
        message: String,
    },
}

/// What two runs of a type came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repetition {
    /// They gave the same commands.
    Same {
        /// Activations that both were given.
        activations: u64,
        /// Commands that both gave.
        commands: u64,
    },
    /// A task failed, which need not mean anything with made-up work: from there on nothing is known.
    Unknown(String),
    /// They gave other commands: where, and which.
    Differs(String),
}

impl Rehearsal<'_> {
    /// Makes an instance of `workflow_type` with `input`.
    pub fn begin(&self, workflow_type: &str, input: Option<&Value>) -> Beginning {
        let init = Init {
            namespace: NAMESPACE.to_owned(),
            task_queue: NAMESPACE.to_owned(),
            run_id: RUN_ID.to_owned(),
            initialize_workflow: InitializeWorkflow {
                workflow_id: WORKFLOW_ID.to_owned(),
                ..start(workflow_type.to_owned(), input)
            }
            .encode_to_vec(),
        };
        let moment = Moment {
            time_nanos: BEGINS_SECONDS * 1_000_000_000,
            replaying: false,
            seed: SEED,
        };
        match self.module.instantiate(&init, moment) {
            Ok(_) => Beginning::Made,
            Err(Fault::Dead { code, message }) => Beginning::Failed { code, message },
            Err(Fault::Failure(bytes)) => {
                let read = failure::read::<Failure>("a failure", &bytes);
                let message = read.map_or_else(
                    |unreadable| unreadable.message().to_owned(),
                    |it| it.message,
                );
                if message.starts_with(UNKNOWN_TYPE) {
                    let code = Code::WorkflowTypeNotFound;
                    return Beginning::Failed { code, message };
                }
                Beginning::Declined(message)
            }
        }
    }

    /// Runs `workflow_type` twice, side by side, with `input` and a success for all that it starts.
    pub fn repeat(&self, workflow_type: &str, input: Option<&Value>) -> Repetition {
        let workflow_type = format!("{}.{workflow_type}", self.plugin);
        let (mut first, mut second) = (self.run(), self.run());
        let mut jobs = vec![Job::InitializeWorkflow(InitializeWorkflow {
            workflow_id: self.temporal_id(),
            ..start(workflow_type, input)
        })];
        let mut now = Duration::from_secs(BEGINS_SECONDS);
        let mut seen = 0;
        for activations in 1..=ACTIVATIONS_MAX {
            // A task that fails leaves nothing in a history: there is nothing to repeat.
            let commands = match outcome(first.activate(activation(jobs.clone(), now, false))) {
                Ok(commands) => commands,
                Err(failure) => return Repetition::Unknown(failure.message),
            };
            let repeated = with_patches(jobs, &commands);
            let again = outcome(second.activate(activation(repeated, now, true)));
            if let Some(late) = out_of_time(&again) {
                return Repetition::Unknown(late);
            }
            if let Some(what) = difference::in_words(&commands, &again) {
                return Repetition::Differs(format!("in activation {activations}, {what}"));
            }
            seen += commands.len() as u64;
            jobs = answer::to(&commands, &self.plugin, self.result);
            // It ended, or waits for somebody.
            if jobs.is_empty() || activations == ACTIVATIONS_MAX {
                return Repetition::Same {
                    activations,
                    commands: seen,
                };
            }
            now += answer::time_until(&commands).min(Duration::from_secs(STEP_SECONDS_MAX));
        }
        Repetition::Same {
            activations: ACTIVATIONS_MAX,
            commands: seen,
        }
    }

    fn run(&self) -> Run {
        let identity = RunIdentity {
            scope: self.scope.clone(),
            plugin: self.plugin.clone(),
            digest: self.digest,
            moves: 0,
            namespace: NAMESPACE.to_owned(),
            task_queue: NAMESPACE.to_owned(),
            temporal_id: self.temporal_id(),
            run_id: RUN_ID.to_owned(),
            pin: Pin::Written,
            weight: 1,
            naming: Naming::default(),
        };
        // What is signed with it goes nowhere.
        let keys = ContextKeys::new(ContextKey::new(WORKFLOW_ID, [0; 32]), Vec::new());
        let mut run = Run::new(
            identity,
            self.limits.clone(),
            Arc::new(keys),
            self.module.clone(),
        );
        run.set_reach(Reach::Scope);
        run
    }

    fn temporal_id(&self) -> String {
        format!("{}/{WORKFLOW_ID}", self.scope)
    }
}

/// Commands, or the failure of the task.
type Outcome = Result<Vec<WorkflowCommand>, Box<Failure>>;

fn start(workflow_type: String, input: Option<&Value>) -> InitializeWorkflow {
    InitializeWorkflow {
        workflow_type,
        arguments: input.map(json).into_iter().collect(),
        randomness_seed: SEED,
        attempt: 1,
        first_execution_run_id: RUN_ID.to_owned(),
        original_execution_run_id: RUN_ID.to_owned(),
        ..Default::default()
    }
}

fn json(value: &Value) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: value.to_string().into_bytes(),
        ..Default::default()
    }
}

fn activation(jobs: Vec<Job>, now: Duration, is_replaying: bool) -> WorkflowActivation {
    let jobs = jobs
        .into_iter()
        .map(|job| WorkflowActivationJob { variant: Some(job) });
    WorkflowActivation {
        run_id: RUN_ID.to_owned(),
        timestamp: Some((std::time::UNIX_EPOCH + now).into()),
        is_replaying,
        jobs: jobs.collect(),
        ..Default::default()
    }
}

/// The `jobs` of an activation that led to the commands `once`, as a replay has them: Core tells it which patches the
/// history has, before it is asked for them.
pub fn with_patches(jobs: Vec<Job>, once: &[WorkflowCommand]) -> Vec<Job> {
    let patches = once.iter().filter_map(|command| {
        let Some(Command::SetPatchMarker(marker)) = &command.variant else {
            return None;
        };
        Some(Job::NotifyHasPatch(NotifyHasPatch {
            patch_id: marker.patch_id.clone(),
        }))
    });
    let (begin, rest): (Vec<Job>, Vec<Job>) = jobs
        .into_iter()
        .partition(|job| matches!(job, Job::InitializeWorkflow(_)));
    begin.into_iter().chain(patches).chain(rest).collect()
}

/// Where `again`, the completion of an activation that is repeated, is not what came of it `once`: in words, for a
/// person.
pub fn repetition_differs(
    once: &[WorkflowCommand],
    again: WorkflowActivationCompletion,
) -> Option<String> {
    difference::in_words(once, &outcome(again))
}

/// The kind of a command and what tells it from others of its kind, for a person: `ScheduleActivity
/// payment.RefundPayment({…})`.
pub fn command_name(command: &WorkflowCommand) -> String {
    difference::short(Some(command))
}

fn outcome(completion: WorkflowActivationCompletion) -> Outcome {
    match completion.status {
        Some(Status::Successful(success)) => Ok(success.commands),
        Some(Status::Failed(failed)) => Err(Box::new(failed.failure.unwrap_or_default())),
        None => Ok(Vec::new()),
    }
}

/// The machine's clock ended it: that is no decision of the code's.
fn out_of_time(outcome: &Outcome) -> Option<String> {
    let failure = outcome.as_ref().err()?;
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else {
        return None;
    };
    (info.r#type == Code::GuestDeadlineExceeded.as_str()).then(|| failure.message.clone())
}
