//! Stand-ins for the executions and the inspector, in memory.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope, TenantId,
    check::Check,
    component::{Inspection, InspectionContext, Inspector, MessageType, Metadata, WorkflowType},
    execution::{Event, Execution, Executions, Only, Outcome, Page, Start, Started, Status},
    policy::ReleasePolicy,
    replay::{ReplayGate, ReplayReport, Replayed, Verdict},
    rollout::{Census, Health},
};
use tokio::sync::{Notify, watch};

/// What a component of these tests begins with; the rest is its version.
pub(crate) const MAGIC: &[u8] = b"\0asm:";
/// A component of this version is looked at for as long as the test wants.
pub(crate) const SLOW: &str = "slow";

/// Accepts what begins with [`MAGIC`]. The plugin has the workflow `Pay`, whose input has an `amount`, and which takes
/// messages of each kind by the name `change_plan`, whose input has a `price`.
#[derive(Default)]
pub(crate) struct FakeInspector {
    /// Lets the inspection of [`SLOW`] components end.
    pub(crate) go_on: Arc<Notify>,
}

#[async_trait]
impl Inspector for FakeInspector {
    async fn inspect(
        &self,
        context: InspectionContext<'_>,
        component: Bytes,
        watch: &(dyn Fn(&'static str) + Send + Sync),
    ) -> Result<Inspection> {
        watch("component");
        let Some(version) = component.strip_prefix(MAGIC) else {
            let error = Error::new(Code::ComponentInvalid, "the upload is not WebAssembly");
            return Ok(Inspection {
                checks: vec![Check::refused("component", &error)],
                ..Inspection::default()
            });
        };
        let version = String::from_utf8_lossy(version).into_owned();
        if version == SLOW {
            self.go_on.notified().await;
        }
        let plan = message("change_plan", "price");
        Ok(Inspection {
            metadata: Metadata {
                name: Some(context.plugin.to_string()),
                version: Some(version),
                workflows: vec![WorkflowType {
                    definition: message("Pay", "amount"),
                    signals: vec![plan.clone()],
                    queries: vec![plan.clone()],
                    updates: vec![plan],
                }],
                ..Metadata::default()
            },
            checks: vec![Check::passed("imports", "none")],
        })
    }
}

/// What takes a whole number in a field.
fn message(name: &str, field: &str) -> MessageType {
    MessageType {
        name: name.into(),
        input_schema: Some(json!({
            "type": "object",
            "properties": {(field): {"type": "integer", "minimum": 1}},
            "required": [field]
        })),
        ..MessageType::default()
    }
}

/// Knows one history, which is the same on every component.
pub(crate) struct FakeGate;

#[async_trait]
impl ReplayGate for FakeGate {
    async fn replay(
        &self,
        _: &Scope,
        _: &PluginName,
        _: Digest,
        _: &Metadata,
        _: &ReleasePolicy,
    ) -> Result<ReplayReport> {
        let same = Replayed {
            workflow_id: "order/0".into(),
            run_id: "run-0".into(),
            workflow_type: "payment.Pay".into(),
            open: true,
            events: 4,
            verdict: Verdict::Same,
        };
        Ok(ReplayReport {
            histories: vec![same],
            left_out: 0,
        })
    }

    async fn rehearse(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        component: Bytes,
        metadata: &Metadata,
        policy: &ReleasePolicy,
    ) -> Result<ReplayReport> {
        let digest = Digest::of(&component);
        self.replay(scope, plugin, digest, metadata, policy).await
    }
}

/// Counts what a test says.
#[derive(Default)]
pub(crate) struct FakeCensus {
    /// Open executions of every release.
    pub(crate) open: AtomicU64,
}

#[async_trait]
impl Census for FakeCensus {
    async fn open(&self, _: &Scope, _: &PluginName, _: &Digest) -> Result<u64> {
        Ok(self.open.load(Ordering::SeqCst))
    }

    async fn health(&self, _: &Scope, _: &PluginName, _: &Digest, _: u64) -> Result<Health> {
        Ok(Health::default())
    }
}

struct Entry {
    start: Start,
    outcome: watch::Sender<Outcome>,
    signals: Vec<String>,
}

/// Executions that do what signals tell them: `finish` completes with its input.
#[derive(Default)]
pub(crate) struct FakeExecutions {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Counts waits that have begun, so that tests need not guess.
    pub(crate) waits: watch::Sender<usize>,
    /// What Temporal counts of open executions.
    pub(crate) open: Mutex<Counted>,
    /// How often it was asked to.
    pub(crate) counts: AtomicU64,
}

/// What is answered to who counts open executions.
pub(crate) enum Counted {
    As(u64),
    Not,
}

impl Default for Counted {
    fn default() -> Self {
        Self::As(0)
    }
}

impl FakeExecutions {
    fn with<T>(
        &self,
        scope: &Scope,
        id: &str,
        act: impl FnOnce(&mut Entry) -> Result<T>,
    ) -> Result<T> {
        let mut entries = self.entries.lock().unwrap();
        match entries.get_mut(&scope.temporal_id(id)?) {
            Some(entry) => act(entry),
            None => Err(Error::new(
                Code::WorkflowNotFound,
                format!("there is no workflow {id:?}"),
            )),
        }
    }

    fn end(&self, scope: &Scope, id: &str, status: Status, result: Option<Value>) -> Result<()> {
        self.with(scope, id, |entry| {
            entry.outcome.send_modify(|outcome| {
                outcome.status = status;
                outcome.result = result;
            });
            Ok(())
        })
    }

    /// The request that started it.
    pub(crate) fn start_of(&self, scope: &Scope, id: &str) -> Start {
        self.with(scope, id, |entry| Ok(entry.start.clone()))
            .unwrap()
    }

    /// The names of the signals it got.
    pub(crate) fn signals_of(&self, scope: &Scope, id: &str) -> Vec<String> {
        self.with(scope, id, |entry| Ok(entry.signals.clone()))
            .unwrap()
    }
}

fn execution(entry: &Entry) -> Execution {
    let outcome = entry.outcome.borrow();
    Execution {
        id: outcome.id.clone(),
        run_id: outcome.run_id.clone(),
        workflow_type: entry.start.workflow_type.to_string(),
        status: outcome.status,
        digest: None,
        started_at: Some(1),
        closed_at: None,
        history_length: 3,
        pending_activities: Vec::new(),
        task_failure: None,
    }
}

#[async_trait]
impl Executions for FakeExecutions {
    async fn start(&self, scope: &Scope, start: Start) -> Result<Started> {
        let mut entries = self.entries.lock().unwrap();
        let key = scope.temporal_id(&start.id)?;
        if entries.contains_key(&key) {
            return Err(Error::new(
                Code::WorkflowAlreadyStarted,
                format!("{:?} is already running", start.id),
            ));
        }
        let started = Started {
            id: start.id.clone(),
            run_id: "run-1".into(),
        };
        let (outcome, _) = watch::channel(Outcome {
            id: started.id.clone(),
            run_id: started.run_id.clone(),
            status: Status::Running,
            result: None,
            failure: None,
        });
        if start.memo.contains_key("ends") {
            outcome.send_modify(|outcome| outcome.status = Status::Completed);
        }
        entries.insert(
            key,
            Entry {
                start,
                outcome,
                signals: Vec::new(),
            },
        );
        Ok(started)
    }

    async fn count_open(&self, _: &TenantId, _: u64) -> Result<u64> {
        self.counts.fetch_add(1, Ordering::SeqCst);
        match *self.open.lock().unwrap() {
            Counted::As(open) => Ok(open),
            Counted::Not => Err(Error::new(
                Code::TemporalUnavailable,
                "Temporal does not answer",
            )),
        }
    }

    async fn describe(&self, scope: &Scope, id: &str) -> Result<Execution> {
        self.with(scope, id, |entry| Ok(execution(entry)))
    }

    async fn outcome(&self, scope: &Scope, id: &str, wait: Duration) -> Result<Outcome> {
        let mut outcome = self.with(scope, id, |entry| Ok(entry.outcome.subscribe()))?;
        self.waits.send_modify(|waits| *waits += 1);
        let ended = outcome.wait_for(|outcome| outcome.status != Status::Running);
        let _ = tokio::time::timeout(wait, ended).await;
        Ok(outcome.borrow().clone())
    }

    async fn history(
        &self,
        scope: &Scope,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Page<Event>> {
        self.with(scope, id, |_| Ok(()))?;
        let event = |id| Event {
            id,
            event_type: "WorkflowExecutionStarted".into(),
            time: None,
            name: None,
            attempt: None,
            failure: None,
        };
        let items: Vec<_> = (after + 1..=3).take(limit).map(event).collect();
        let next = items.last().filter(|event| event.id < 3);
        Ok(Page {
            next: next.map(|event| event.id.to_string()),
            items,
        })
    }

    async fn list(
        &self,
        scope: &Scope,
        _: Only,
        limit: usize,
        _: Option<String>,
    ) -> Result<Page<Execution>> {
        let entries = self.entries.lock().unwrap();
        let own = entries
            .iter()
            .filter(|(key, _)| scope.caller_id(key).is_some());
        Ok(Page {
            items: own.map(|(_, entry)| execution(entry)).take(limit).collect(),
            next: None,
        })
    }

    async fn signal(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<()> {
        self.with(scope, id, |entry| {
            entry.signals.push(name.to_owned());
            Ok(())
        })?;
        if name == "finish" {
            self.end(scope, id, Status::Completed, input)?;
        }
        Ok(())
    }

    async fn query(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<Option<Value>> {
        self.with(scope, id, |_| Ok(()))?;
        match name {
            "panic" => panic!("a secret of the host"),
            "fault" => Err(Error::new(Code::StoreFailed, "the file /secret is gone")
                .caused_by("a secret cause")),
            "gone" => Err(Error::new(
                Code::TemporalUnavailable,
                "Temporal does not answer",
            )),
            "unknown" => Err(Error::new(Code::QueryFailed, "there is no query unknown")
                .caused_by("a secret cause")),
            _ => Ok(input),
        }
    }

    async fn update(
        &self,
        scope: &Scope,
        id: &str,
        _: &str,
        input: Option<Value>,
    ) -> Result<Option<Value>> {
        self.with(scope, id, |_| Ok(input))
    }

    async fn cancel(&self, scope: &Scope, id: &str, _: &str) -> Result<()> {
        self.end(scope, id, Status::Canceled, None)
    }

    async fn terminate(&self, scope: &Scope, id: &str, _: &str) -> Result<()> {
        self.end(scope, id, Status::Terminated, None)
    }
}

/// Answers what it is told to.
#[derive(Default)]
pub(crate) struct FakeReadiness {
    /// True: a part does not answer.
    pub(crate) failing: Arc<Mutex<bool>>,
}

#[async_trait]
impl tenterhook_server::Readiness for FakeReadiness {
    async fn check(&self) -> Result<()> {
        if *self.failing.lock().unwrap() {
            return Err(Error::new(
                Code::TemporalUnavailable,
                "Temporal does not answer",
            ));
        }
        Ok(())
    }
}
