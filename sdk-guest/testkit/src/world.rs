//! The simulated server: one tree of executions, a clock that skips, and what is due.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use temporalio_protos::{
    coresdk::workflow_activation::{
        start_workflow_from_attribs, workflow_activation_job::Variant as Job,
    },
    temporal::api::{
        common::v1::{Header, Payload, WorkflowType},
        failure::v1::Failure,
        history::v1::{WorkflowExecutionStartedEventAttributes, history_event::Attributes},
        taskqueue::v1::TaskQueue,
    },
};
use tenterhook_domain::{
    Scope, TypeName,
    context::{Context, ContextKey, ContextKeys, HEADER},
    lane::Naming,
};
use tenterhook_sandbox::Owner;
use tenterhook_workflow::{Pin, Reach, Run, RunIdentity};

use crate::{
    agenda::{Agenda, Due, RunKey},
    episode::{End, Episode, Parent},
    history::History,
    journal::Journal,
    message::Message,
    payload,
    setup::Setup,
    tape::Tape,
};

pub(crate) const NAMESPACE: &str = "default";
pub(crate) const QUEUE: &str = "tenterhook";
pub(crate) const WORKER: &str = "testkit";
/// How long a workflow task may take on a host.
pub(crate) const TASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Most that happens in one test: more is an endless loop, be it of the workflow or of an activity that always fails.
const EVENTS_MAX: u64 = 1_000_000;

/// One tree of executions.
pub(crate) struct World {
    pub(crate) setup: Arc<Setup>,
    /// Since the Unix epoch.
    pub(crate) now: Duration,
    pub(crate) agenda: Agenda,
    pub(crate) runs: Vec<Episode>,
    /// The latest run of an execution, by its id on Temporal.
    pub(crate) latest: HashMap<String, RunKey>,
    pub(crate) journal: Journal,
    /// What came of updates, by the ids that the test gave.
    pub(crate) updates: HashMap<String, Result<Payload, Failure>>,
    /// Answers to questions, by Core's ids.
    pub(crate) answers: HashMap<String, Result<Payload, Failure>>,
    /// Keys of activities that did their work: no provider refuses for good what it has done.
    pub(crate) done: HashSet<String>,
    /// What is said when a step of a name has ended.
    pub(crate) planned_after: HashMap<String, Vec<(RunKey, Message)>>,
    keys: Arc<ContextKeys>,
    happened: u64,
}

/// What a run is started with.
pub(crate) struct Start {
    pub(crate) type_name: TypeName,
    pub(crate) temporal_id: String,
    pub(crate) input: Vec<Payload>,
    pub(crate) attributes: Box<WorkflowExecutionStartedEventAttributes>,
    pub(crate) parent: Option<Parent>,
    pub(crate) backoff: Duration,
}

impl World {
    pub(crate) fn new(setup: Arc<Setup>) -> Self {
        // What is signed with it goes nowhere.
        let keys = ContextKeys::new(ContextKey::new("testkit", [0; 32]), Vec::new());
        Self {
            now: setup.begins,
            agenda: Agenda::default(),
            runs: Vec::new(),
            latest: HashMap::new(),
            journal: Journal::new(setup.begins),
            updates: HashMap::new(),
            answers: HashMap::new(),
            done: HashSet::new(),
            planned_after: HashMap::new(),
            keys: Arc::new(keys),
            happened: 0,
            setup,
        }
    }

    /// Starts an execution that the test asks for.
    pub(crate) fn start_root(&mut self, name: &str, id: &str, input: Vec<Payload>) -> RunKey {
        let type_name = self.setup.type_name(name);
        let known = self.setup.plugin(&type_name.plugin).is_some_and(|plugin| {
            let mut all = plugin.metadata().workflows.iter();
            all.any(|workflow| *workflow.definition.name == *type_name.name)
        });
        assert!(known, "the plugin has no workflow {type_name}");
        let temporal_id = self
            .setup
            .scope
            .temporal_id(id)
            .unwrap_or_else(|error| panic!("{id:?} is no workflow id: {error}"));
        let attributes = WorkflowExecutionStartedEventAttributes {
            workflow_execution_timeout: proto(self.setup.execution_timeout),
            header: Some(Header {
                fields: self.context(&type_name, &temporal_id),
            }),
            ..Default::default()
        };
        self.start(Start {
            type_name,
            temporal_id,
            input,
            attributes: Box::new(attributes),
            parent: None,
            backoff: Duration::ZERO,
        })
    }

    fn context(&self, type_name: &TypeName, temporal_id: &str) -> HashMap<String, Payload> {
        let token = self.keys.sign(&Context {
            scope: self.setup.scope.clone(),
            plugin: type_name.plugin.clone(),
            workflow_id: temporal_id.to_owned(),
            digest: None,
            begins_by: None,
        });
        token
            .map(|token| (HEADER.to_owned(), payload::of(&token)))
            .into_iter()
            .collect()
    }

    /// Starts a run, and plans its first task.
    pub(crate) fn start(&mut self, start: Start) -> RunKey {
        let key = self.runs.len();
        let run_id = run_id(key);
        let mut attributes = start.attributes;
        attributes.workflow_type = Some(WorkflowType {
            name: start.type_name.to_string(),
        });
        attributes.task_queue = queue();
        attributes.input = payload::payloads(start.input);
        attributes.workflow_id.clone_from(&start.temporal_id);
        attributes.original_execution_run_id.clone_from(&run_id);
        if attributes.first_execution_run_id.is_empty() {
            attributes.first_execution_run_id.clone_from(&run_id);
        }
        attributes.attempt = attributes.attempt.max(1);
        attributes.workflow_task_timeout = proto(Some(TASK_TIMEOUT));
        attributes.identity = WORKER.to_owned();
        attributes.first_workflow_task_backoff = proto(Some(start.backoff));
        let identity = self.identity(&start.type_name, &start.temporal_id, run_id);
        let begins = self.now + start.backoff;
        let mut history = History::default();
        let initialize = start_workflow_from_attribs(
            (*attributes).clone(),
            start.temporal_id.clone(),
            seed(&identity.run_id),
            (std::time::UNIX_EPOCH + self.now).into(),
        );
        if let Some(input) = &attributes.input {
            history.weigh(&input.payloads);
        }
        history.push(
            self.now,
            Attributes::WorkflowExecutionStartedEventAttributes((*attributes).clone()),
        );
        let within = payload::span(attributes.workflow_run_timeout);
        let whole = payload::span(attributes.workflow_execution_timeout);
        let expires = whole.map(|whole| self.now + whole);
        let late = [within.map(|within| self.now + within), expires];
        let episode = Episode {
            run: self.fresh(identity, Pin::Unwritten),
            type_name: start.type_name,
            started: attributes,
            tape: Tape::default(),
            history,
            jobs: vec![Job::InitializeWorkflow(initialize)],
            activities: Default::default(),
            timers: Default::default(),
            children: Default::default(),
            parent: start.parent,
            patches: Vec::new(),
            updates: HashMap::new(),
            end: None,
            expires,
            is_lost: false,
        };
        self.latest.insert(start.temporal_id, key);
        self.runs.push(episode);
        self.agenda.plan(begins, Due::Begin(key));
        if let Some(late) = late.into_iter().flatten().min() {
            self.agenda.plan(late, Due::RunLate(key));
        }
        key
    }

    fn identity(&self, type_name: &TypeName, temporal_id: &str, run_id: String) -> RunIdentity {
        let plugin = self.setup.plugin(&type_name.plugin);
        let plugin = plugin.unwrap_or_else(|| panic!("the kit has no plugin for {type_name}"));
        RunIdentity {
            scope: self.setup.scope.clone(),
            plugin: type_name.plugin.clone(),
            digest: plugin.component().digest(),
            moves: 0,
            namespace: NAMESPACE.to_owned(),
            task_queue: QUEUE.to_owned(),
            temporal_id: temporal_id.to_owned(),
            run_id,
            pin: Pin::Unwritten,
            weight: 1,
            naming: Naming::default(),
        }
    }

    /// A run that knows nothing yet, in production's own code.
    pub(crate) fn fresh(&self, identity: RunIdentity, pin: Pin) -> Run {
        let plugin = self.setup.plugin(&identity.plugin);
        let plugin = plugin.unwrap_or_else(|| panic!("the kit has no plugin {}", identity.plugin));
        let owner = Arc::new(Owner {
            scope: self.setup.outside.clone(),
            plugin: identity.plugin.clone(),
            digest: identity.digest,
        });
        let limits = self.setup.limits.clone();
        let module = plugin.component().workflows(limits.clone(), owner);
        let module =
            module.unwrap_or_else(|| panic!("plugin {} has no workflows", identity.plugin));
        let identity = RunIdentity { pin, ..identity };
        let mut run = Run::new(identity, limits, self.keys.clone(), module);
        run.set_reach(Reach::Scope);
        run
    }

    /// Lets the next of what is due happen, if that is not after `until`. False if nothing is.
    pub(crate) fn step(&mut self, until: Duration) -> bool {
        if self.agenda.next_at().is_none_or(|at| at > until) {
            return false;
        }
        let Some((at, due)) = self.agenda.next() else {
            return false;
        };
        // A timer that was cancelled is due all the same, and no time passes for it.
        if self.is_moot(&due) {
            return true;
        }
        self.happened += 1;
        assert!(
            self.happened <= EVENTS_MAX,
            "more than {EVENTS_MAX} things happened in one test: what goes on without end?"
        );
        self.now = self.now.max(at);
        self.happen(due);
        true
    }

    /// True if what it was planned for is over.
    fn is_moot(&self, due: &Due) -> bool {
        match due {
            Due::Timer(run, seq) => {
                !self.runs[*run].is_open() || !self.runs[*run].timers.contains_key(seq)
            }
            Due::Late(run, seq, _, _) => {
                !self.runs[*run].is_open() || !self.runs[*run].activities.contains_key(seq)
            }
            Due::RunLate(run) => !self.runs[*run].is_open(),
            Due::Say(run, _) => !self.runs[self.last_of(*run)].is_open(),
            _ => false,
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Begin(run) => self.task(run),
            Due::Timer(run, seq) => self.fire(run, seq),
            Due::Attempt(run, seq) => self.attempt(run, seq),
            Due::Answer(run, seq, outcome) => self.answered(run, seq, outcome),
            Due::Late(run, seq, kind, attempt) => self.late(run, seq, kind, attempt),
            Due::Child(run, seq) => self.start_child(run, seq),
            Due::ChildEnd(run, seq, end) => self.child_ended(run, seq, &end),
            Due::Signal(run, initiated, signal) => self.signal_other(run, initiated, &signal),
            Due::Cancel(run, initiated, cancel) => self.cancel_other(run, initiated, &cancel),
            Due::CancelChild(run, initiated, seq) => self.cancel_child(run, initiated, seq),
            Due::RunLate(run) => self.run_late(run),
            Due::Say(run, message) => self.say(run, message),
        }
    }

    /// The execution's last run, after it continued as new or not.
    pub(crate) fn last_of(&self, mut key: RunKey) -> RunKey {
        while let Some(End::ContinuedAsNew(next)) = self.runs[key].end {
            key = next;
        }
        key
    }

    /// The latest run of an execution, if it is open.
    pub(crate) fn open_run(&self, temporal_id: &str) -> Option<RunKey> {
        let key = *self.latest.get(temporal_id)?;
        self.runs[key].is_open().then_some(key)
    }

    /// The id that the next run will have.
    pub(crate) fn next_run_id(&self) -> String {
        run_id(self.runs.len())
    }

    /// Since the test began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.saturating_sub(self.setup.begins)
    }
}

/// The id of the run of this number: the same in every test, so that recorded histories differ by what matters.
fn run_id(key: RunKey) -> String {
    format!("00000000-0000-7000-8000-{:012x}", key + 1)
}

/// The seed that Core makes of a run's id.
fn seed(run_id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    // Core uses SipHash 1-3 with keys of zero, which is what the standard library's is.
    let mut hasher = DefaultHasher::new();
    run_id.hash(&mut hasher);
    hasher.finish()
}

/// The lane.
pub(crate) fn queue() -> Option<TaskQueue> {
    Some(TaskQueue {
        name: QUEUE.to_owned(),
        kind: temporalio_protos::temporal::api::enums::v1::TaskQueueKind::Normal.into(),
        ..Default::default()
    })
}

/// A span in Temporal's own type, whichever of the two it is.
pub(crate) fn proto<D: TryFrom<Duration>>(span: Option<Duration>) -> Option<D> {
    span.and_then(|span| span.try_into().ok())
}

/// The id by which a test knows an execution.
pub(crate) fn callers_id(scope: &Scope, temporal_id: &str) -> String {
    scope
        .caller_id(temporal_id)
        .unwrap_or(temporal_id)
        .to_owned()
}
