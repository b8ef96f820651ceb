//! Recorded histories on the code of a release that takes no executions yet.
//!
//! Each history goes through Core's replay worker and the very translation that runs executions. The pins in it name
//! the releases it was recorded on, and the replayed run writes those same pins again, so that what is compared is the
//! plugin's own doing.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `gate` | samples the histories of a plugin, and the report |
//! | `source` | finds and reads histories on Temporal |
//! | `sample` | which of many are looked at |
//! | `export` | histories as Temporal's tools export them |
//! | `recorded` | a history made ready: its tasks, its pin, its path |
//! | `step`, `compare` | what the code does, held against what the history says |
//! | `drive` | Core's replay worker |

mod compare;
mod drive;
mod export;
mod gate;
mod recorded;
mod sample;
mod source;
mod step;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use temporalio_protos::coresdk::workflow_activation::WorkflowActivation;
use tenterhook_domain::{
    Digest, PluginName, Result, Scope, TypeName,
    component::Metadata,
    context::{ContextKey, ContextKeys},
    lane::{Ids, Naming},
    limit::Limits,
    replay::{Replayed, Verdict},
};
use tenterhook_sandbox::{LoadedComponent, Owner};
use tenterhook_workflow::{Pin, Reach, ReleasePin, Run, RunIdentity, guest::Module};

use self::drive::End;
pub(crate) use self::source::Source;
pub use self::{
    export::{EXPORT_BYTES_MAX, write as export_history},
    gate::Gate,
    recorded::Recorded,
};
use crate::executor::Executor;

/// Histories that are replayed at once; each holds one workflow instance.
pub const REPLAYS_AT_ONCE: usize = 2;
/// Why a history that was not fetched whole says nothing.
pub(crate) const TOO_LONG: &str = "its history is too long to be replayed";
/// How long one history may take: its tasks are bounded each, and there may be thousands.
const REPLAY_TIME: Duration = Duration::from_secs(60);

/// A release that histories are replayed on.
pub struct Candidate {
    scope: Scope,
    plugin: PluginName,
    component: Arc<LoadedComponent>,
    workflows: BTreeSet<String>,
    limits: Arc<Limits>,
}

impl Candidate {
    /// The release `component` of `plugin`, which says `metadata` of itself.
    pub fn new(
        scope: Scope,
        plugin: PluginName,
        component: Arc<LoadedComponent>,
        metadata: &Metadata,
        limits: Limits,
    ) -> Self {
        let workflows = metadata.workflows.iter();
        Self {
            scope,
            plugin,
            component,
            workflows: workflows.map(|it| it.definition.name.clone()).collect(),
            limits: Arc::new(limits),
        }
    }

    fn digest(&self) -> Digest {
        self.component.digest()
    }

    /// Its workflow code, or why it cannot run `recorded`.
    fn module(&self, recorded: &Recorded) -> Result<Arc<dyn Module>, String> {
        if recorded.tasks.is_empty() {
            return Err("it has no finished workflow task: there is nothing to compare".to_owned());
        }
        let type_name = recorded.workflow_type();
        // A bare name is of a lane whose default plugin this is, or of a native worker.
        let known = TypeName::of_guest(&self.plugin, type_name)
            .is_ok_and(|name| name.plugin == self.plugin && self.workflows.contains(&*name.name));
        let owner = Arc::new(Owner {
            scope: self.scope.clone(),
            plugin: self.plugin.clone(),
            digest: self.digest(),
        });
        let module = self.component.workflows(self.limits.clone(), owner);
        module.filter(|_| known).ok_or_else(|| {
            format!("the release has no workflow type {type_name}: such executions stay on the release they began on")
        })
    }
}

/// Replays histories, on threads of its own.
pub struct Replayer {
    threads: Executor,
    namespace: String,
    keys: Arc<ContextKeys>,
}

impl Replayer {
    /// For histories of the Temporal namespace `namespace`.
    ///
    /// # Errors
    /// `internal` when the system gives no threads.
    pub fn start(namespace: &str) -> Result<Self> {
        // What a replay signs goes nowhere.
        let key = ContextKey::new("replay", [0; 32]);
        Ok(Self {
            threads: Executor::start("replays", REPLAYS_AT_ONCE)?,
            namespace: namespace.to_owned(),
            keys: Arc::new(ContextKeys::new(key, Vec::new())),
        })
    }

    /// What `recorded` comes to on `candidate`. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// `internal`: a fault of the host, which says nothing about the release.
    pub async fn replay(&self, candidate: &Candidate, recorded: &Recorded) -> Result<Replayed> {
        let verdict = match candidate.module(recorded) {
            Ok(module) => self.verdict(candidate, recorded, module).await?.0,
            Err(why) => Verdict::NotApplicable { why },
        };
        let id = recorded.workflow_id();
        let callers = Scope::of_temporal_id(id).map_or(id, |(_, id)| id);
        Ok(Replayed {
            workflow_id: callers.to_owned(),
            run_id: recorded.run_id().to_owned(),
            workflow_type: recorded.workflow_type().to_owned(),
            open: recorded.is_open(),
            events: recorded.events(),
            verdict,
        })
    }

    /// What `recorded` comes to on `candidate`, so that its execution could go on there in the midst: where a local
    /// activity is out, nobody can tell, and it is `not-applicable`.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub(crate) async fn replay_to_move(
        &self,
        candidate: &Candidate,
        recorded: &Recorded,
    ) -> Result<Verdict> {
        let module = match candidate.module(recorded) {
            Ok(module) => module,
            Err(why) => return Ok(Verdict::NotApplicable { why }),
        };
        let ended = self.verdict(candidate, recorded, module).await?;
        Ok(match ended {
            (Verdict::Same, End::ByUs) => Verdict::NotApplicable {
                why: "a local activity of it is under way".to_owned(),
            },
            (verdict, _) => verdict,
        })
    }

    async fn verdict(
        &self,
        candidate: &Candidate,
        recorded: &Recorded,
        module: Arc<dyn Module>,
    ) -> Result<(Verdict, End)> {
        let make = |activation: &WorkflowActivation| {
            let identity = self.identity(candidate, recorded, activation);
            let (limits, keys) = (candidate.limits.clone(), self.keys.clone());
            let mut run = Run::new(identity, limits, keys, module.clone());
            // Whether the code does the same is asked here, not what it may do now.
            run.set_reach(Reach::Scope);
            run
        };
        let replayed = drive::replay(&self.threads, recorded, make);
        match tokio::time::timeout(REPLAY_TIME, replayed).await {
            Ok(verdict) => verdict,
            Err(_elapsed) => {
                let why = format!("it did not replay within {} s", REPLAY_TIME.as_secs());
                Ok((Verdict::NotApplicable { why }, End::ByUs))
            }
        }
    }

    fn identity(
        &self,
        candidate: &Candidate,
        recorded: &Recorded,
        activation: &WorkflowActivation,
    ) -> RunIdentity {
        let temporal_id = recorded.workflow_id().to_owned();
        let scope = Scope::of_temporal_id(&temporal_id).map(|(scope, _)| scope);
        let type_name = TypeName::of_guest(&candidate.plugin, recorded.workflow_type());
        let naming = Naming {
            ids: match scope {
                Some(_) => Ids::Scoped,
                None => Ids::Plain { apart: true },
            },
            bare: type_name.is_ok_and(|name| name.to_string() != recorded.workflow_type()),
        };
        let pinned = recorded
            .pinned
            .unwrap_or_else(|| ReleasePin::first(candidate.digest()));
        RunIdentity {
            scope: scope.unwrap_or_else(|| candidate.scope.clone()),
            plugin: candidate.plugin.clone(),
            digest: pinned.digest,
            moves: pinned.moves,
            namespace: self.namespace.clone(),
            task_queue: recorded.task_queue.clone(),
            temporal_id,
            run_id: activation.run_id.clone(),
            pin: Pin::Written,
            weight: 1,
            naming,
        }
    }
}
