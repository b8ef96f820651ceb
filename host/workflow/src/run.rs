//! One run: its instance, its live routines, and the way of one activation through them.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            InitializeWorkflow, WorkflowActivation, WorkflowActivationJob,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::WorkflowCommand,
        workflow_completion::{
            Success, WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::enums::v1::VersioningBehavior,
};
use tenterhook_domain::{Code, Error, context::ContextKeys, limit::Limits, policy::UpgradeOn};

use crate::{
    failure::TaskFailure,
    guest::{Init, Module, Moment},
    identity::{Pin, RunIdentity},
    inbound,
    live::{self, Deeds, Live},
    outbound::Firewall,
    payload,
    pending::{History, Pending},
    pin::{self, ReleasePin},
    reach::Reach,
    routine::Ended,
    tape::{Shelf, Tape},
};

/// What Temporal gives a workflow task where its workflow was started without a word about it.
pub const TASK_TIMEOUT: Duration = Duration::from_secs(10);

/// A run of a workflow and, once it has begun, the guest instance that executes it.
///
/// One activation at a time; different runs know nothing of each other.
pub struct Run {
    identity: RunIdentity,
    limits: Arc<Limits>,
    keys: Arc<ContextKeys>,
    module: Arc<dyn Module>,
    upgrade_on: UpgradeOn,
    task_timeout: Duration,
    reach: Reach,
    state: State,
    time_nanos: u64,
    seed: u64,
    workflow_type: String,
    pending: Pending,
    tape: Option<Box<Tape>>,
}

enum State {
    /// Waits for the activation that initializes the workflow.
    New,
    Live(Live),
    /// A task failed: what the instance knows is no longer what history says.
    Dead,
}

/// An activation as the guest is given it.
struct Task {
    activation: WorkflowActivation,
    start: Option<InitializeWorkflow>,
    moment: Moment,
}

impl Run {
    /// A run that has no instance yet; the activation that initializes the workflow makes it.
    pub fn new(
        identity: RunIdentity,
        limits: Arc<Limits>,
        keys: Arc<ContextKeys>,
        module: Arc<dyn Module>,
    ) -> Self {
        Self {
            identity,
            limits,
            keys,
            module,
            upgrade_on: UpgradeOn::default(),
            task_timeout: TASK_TIMEOUT,
            reach: Reach::default(),
            state: State::New,
            time_nanos: 0,
            seed: 0,
            workflow_type: String::new(),
            pending: Pending::default(),
            tape: None,
        }
    }

    /// Who the run is.
    pub fn identity(&self) -> &RunIdentity {
        &self.identity
    }

    /// Says when the chain of runs goes over to another release. Without a word it does with each new run.
    pub fn set_upgrade_on(&mut self, upgrade_on: UpgradeOn) {
        self.upgrade_on = upgrade_on;
    }

    /// Says how long each of its tasks may take. Without a word it is [`TASK_TIMEOUT`].
    pub fn set_task_timeout(&mut self, task_timeout: Duration) {
        self.task_timeout = task_timeout;
    }

    /// How long each of its tasks may take, from when Temporal gives it out.
    pub fn task_timeout(&self) -> Duration {
        self.task_timeout
    }

    /// Says which other plugins the run may deal with. Without a word it is none.
    pub fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Says how many shares its tenant has now.
    pub fn set_weight(&mut self, weight: u16) {
        self.identity.weight = weight;
    }

    /// Which other plugins the run may deal with.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Keeps what the run is given from its first activation on, and what it does, on a tape of `shelf`.
    pub fn record(&mut self, shelf: Arc<Shelf>) {
        let tape = Tape::new(shelf, self.module.clone(), self.limits.payload_bytes);
        self.tape = Some(Box::new(tape));
    }

    /// Takes the tape of the run once nothing more comes onto it.
    pub fn take_full_tape(&mut self) -> Option<Tape> {
        let is_over = self.tape.as_ref().is_some_and(|tape| tape.is_over());
        is_over.then(|| self.take_tape()).flatten()
    }

    /// Takes the tape of the run as far as it is.
    pub fn take_tape(&mut self) -> Option<Tape> {
        self.tape.take().map(|tape| *tape)
    }

    /// Takes the run through `activation`. What goes wrong is a completion too: it fails the task.
    ///
    /// After a failed task the instance is gone; Core evicts the run and replays it.
    pub fn activate(&mut self, activation: WorkflowActivation) -> WorkflowActivationCompletion {
        let run_id = activation.run_id.clone();
        if activation.is_only_eviction() {
            self.state = State::Dead;
            return succeed(run_id, Vec::new());
        }
        match self.pinned_commands(activation) {
            Ok(commands) => succeed(run_id, commands),
            Err(failure) => self.fail(failure, &run_id),
        }
    }

    /// Fails the task whose commands are not sent yet, for what only the host's outside could tell: `error`.
    pub fn refuse(&mut self, error: &Error) -> WorkflowActivationCompletion {
        let run_id = self.identity.run_id.clone();
        self.fail(TaskFailure::new(error.code(), error.detail()), &run_id)
    }

    fn fail(&mut self, failure: TaskFailure, run_id: &str) -> WorkflowActivationCompletion {
        self.state = State::Dead;
        // What failed is told of already, and is in no history.
        self.tape = None;
        tracing::warn!(
            scope = %self.identity.scope,
            plugin = %self.identity.plugin,
            digest = %self.identity.digest,
            workflow_id = self.identity.temporal_id,
            run_id,
            failure = failure.message(),
            "workflow task failed",
        );
        failure.into_completion(run_id)
    }

    /// True once a task failed or the run was evicted: the instance is gone.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead)
    }

    /// True while a local activity is out: its end comes to this run alone, and to none that is built anew.
    pub fn waits_locally(&self) -> bool {
        self.pending.waits_locally()
    }

    /// Linear memory of the instance, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        match &self.state {
            State::Live(live) => live.instance.memory_bytes(),
            State::New | State::Dead => 0,
        }
    }

    /// What the workflow last said of itself.
    pub fn current_details(&self) -> Option<&str> {
        match &self.state {
            State::Live(live) => live.instance.current_details(),
            State::New | State::Dead => None,
        }
    }

    /// The commands of `activation`, pins first.
    fn pinned_commands(
        &mut self,
        activation: WorkflowActivation,
    ) -> Result<Vec<WorkflowCommand>, TaskFailure> {
        let pins = self.pins(&activation)?;
        let history = History::of(&activation);
        self.pending.end(&activation);
        let mut commands: Vec<WorkflowCommand> = pins.iter().copied().map(pin::marker).collect();
        commands.extend(self.commands(activation)?);
        self.pending.begin(&commands, history, &self.limits)?;
        if pins.contains(&self.identity.release()) {
            self.identity.pin = Pin::Written;
        }
        Ok(commands)
    }

    fn commands(
        &mut self,
        activation: WorkflowActivation,
    ) -> Result<Vec<WorkflowCommand>, TaskFailure> {
        let task = self.task(activation)?;
        let payload_bytes = self.limits.payload_bytes;
        if let Some(start) = task.start {
            let init = self.init(&start);
            let live = Live::make(self.module.as_ref(), &init, task.moment, payload_bytes)?;
            self.state = State::Live(live);
            if let Some(tape) = &mut self.tape {
                tape.begin(init, task.moment);
            }
        }
        let mut moment = task.moment;
        moment.seed = self.follow_seed(&task.activation.jobs);
        let State::Live(live) = &mut self.state else {
            return Err(TaskFailure::new(
                Code::Internal,
                "the run has no instance, and the activation does not initialize one",
            ));
        };
        if task.activation.jobs.is_empty() {
            return Ok(Vec::new());
        }
        let deeds = live.act(&task.activation, moment, payload_bytes)?;
        if let Some(tape) = &mut self.tape {
            tape.keep(task.activation, moment, &deeds);
        }
        self.admit(deeds, moment.replaying)
    }

    /// The pins that lead the commands of `activation`: those that the history has there, and the run's own once it
    /// lives.
    fn pins(&self, activation: &WorkflowActivation) -> Result<Vec<ReleasePin>, TaskFailure> {
        let own = self.identity.release();
        let mut pins: Vec<ReleasePin> = pin::announced(activation).collect();
        let other = pins
            .iter()
            .find(|pin| pin.moves >= own.moves && **pin != own);
        if let Some(other) = other {
            return Err(TaskFailure::new(
                Code::Internal,
                format!(
                    "this host held the run on release {}, and its history says that it went over to {}: it is replayed on that",
                    own.digest, other.digest
                ),
            ));
        }
        let lives = !activation.is_replaying && self.identity.pin == Pin::Unwritten;
        if lives && !pins.contains(&own) {
            pins.push(own);
        }
        Ok(pins)
    }

    /// Checks and completes what the guest did.
    fn admit(&self, deeds: Deeds, replaying: bool) -> Result<Vec<WorkflowCommand>, TaskFailure> {
        let Deeds {
            responses,
            pushed,
            ended,
        } = deeds;
        let as_new = match &ended {
            Some(Ended::AsNew(bytes)) => Some(bytes.as_slice()),
            Some(Ended::With(_)) | None => None,
        };
        payload::check_commands(&pushed, as_new, self.limits.activation_commands)?;
        // What a history has was granted once: taking a grant back stops no execution from being replayed.
        let granted = if replaying {
            &Reach::Scope
        } else {
            &self.reach
        };
        let bytes_max = self.limits.payload_bytes;
        let now_millis = self.time_nanos / 1_000_000;
        let firewall = Firewall::new(&self.identity, &self.keys, granted, bytes_max, now_millis);
        let mut commands = responses;
        commands.reserve(pushed.len() + 1);
        for bytes in &pushed {
            commands.push(firewall.admit(bytes)?);
        }
        match ended {
            None => {}
            Some(Ended::With(command)) => commands.push(*command),
            Some(Ended::AsNew(bytes)) => {
                commands.push(firewall.continue_as_new(
                    &bytes,
                    &self.workflow_type,
                    self.upgrade_on,
                )?);
            }
        }
        Ok(commands)
    }

    /// Turns `activation` into what the guest is given, and notes what is asked of it.
    fn task(&mut self, mut activation: WorkflowActivation) -> Result<Task, TaskFailure> {
        let mut jobs = Vec::with_capacity(activation.jobs.len());
        let mut start = None;
        for job in std::mem::take(&mut activation.jobs) {
            let mut job = match job.variant {
                Some(Job::RemoveFromCache(_)) | None => {
                    return Err(TaskFailure::new(
                        Code::Internal,
                        "Temporal's worker core handed over an activation with an empty job, or an eviction among other jobs",
                    ));
                }
                Some(job) if inbound::is_hidden(&job) => continue,
                Some(job) => job,
            };
            if let Job::InitializeWorkflow(it) = &job {
                self.workflow_type.clone_from(&it.workflow_type);
            }
            self.identity.show(&mut job)?;
            if let Job::InitializeWorkflow(it) = &mut job {
                // The guest has it from `instantiate-workflow`; twice would double its cost.
                start = Some(std::mem::take(it));
            }
            jobs.push(WorkflowActivationJob { variant: Some(job) });
        }
        activation.jobs = jobs;
        let nanos = activation.timestamp.as_ref().and_then(|at| {
            let seconds = u64::try_from(at.seconds).ok()?;
            let nanos = u64::try_from(at.nanos).ok()?;
            seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
        });
        self.time_nanos = nanos.unwrap_or(self.time_nanos);
        if let Some(start) = &start {
            self.seed = start.randomness_seed;
        }
        // A query is asked once, also of a run that was just replayed to answer it.
        let only_queries = live::jobs(&activation).all(|job| matches!(job, Job::QueryWorkflow(_)));
        let replaying = activation.is_replaying && !only_queries;
        let moment = Moment {
            time_nanos: self.time_nanos,
            replaying,
            seed: self.seed,
        };
        Ok(Task {
            activation,
            start,
            moment,
        })
    }

    fn follow_seed(&mut self, jobs: &[WorkflowActivationJob]) -> u64 {
        for job in jobs {
            if let Some(Job::UpdateRandomSeed(update)) = &job.variant {
                self.seed = update.randomness_seed;
            }
        }
        self.seed
    }

    fn init(&self, start: &InitializeWorkflow) -> Init {
        Init {
            namespace: self.identity.namespace.clone(),
            task_queue: self.identity.task_queue.clone(),
            run_id: self.identity.run_id.clone(),
            initialize_workflow: start.encode_to_vec(),
        }
    }
}

fn succeed(run_id: String, commands: Vec<WorkflowCommand>) -> WorkflowActivationCompletion {
    WorkflowActivationCompletion {
        run_id,
        status: Some(Status::Successful(Success {
            commands,
            used_internal_flags: Vec::new(),
            versioning_behavior: VersioningBehavior::Unspecified.into(),
        })),
        ..Default::default()
    }
}
