//! Why executions are stuck whose replay took another way: Core's words in Temporal say neither what the code did instead
//! nor on which release, so whoever asks is told what a replay beside a comparison found.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use temporalio_protos::temporal::api::common::v1::WorkflowExecution;
use tenterhook_domain::{
    Code, Digest, PluginName, Result, Scope, TypeName, execution::Execution, replay::Verdict,
};
use tokio::{sync::Semaphore, time::timeout};

use super::report;
use crate::{
    connection::Temporal,
    replay::{Gate, REPLAYS_AT_ONCE},
};

/// Who asks waits so long for it; who asks again has it.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Runs that are remembered; one over it forgets all.
const KNOWN_MAX: usize = 1_000;

/// A run on a release: the same code parts from the same history at the same event, each time.
type Run = (String, Digest);

/// What was found of runs. Each is replayed once, whoever asks how often.
#[derive(Clone)]
pub(super) struct Diagnoses {
    gate: Arc<Gate>,
    /// Nothing yet of one that is looked at now, or that could not be told.
    known: Arc<Mutex<HashMap<Run, Option<String>>>>,
    /// So many histories are held at once, whoever asks for how many.
    places: Arc<Semaphore>,
}

/// An execution as it is to be replayed.
struct Case {
    run: Run,
    scope: Scope,
    plugin: PluginName,
    temporal: Temporal,
    workflow_id: String,
}

impl Diagnoses {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            known: Arc::default(),
            places: Arc::new(Semaphore::new(REPLAYS_AT_ONCE)),
        }
    }

    /// Says of an execution that is stuck for taking another way what it did instead, where that can be told in time.
    pub(super) async fn complete(
        &self,
        scope: &Scope,
        temporal: Temporal,
        at: WorkflowExecution,
        described: &mut Execution,
    ) {
        let failure = described.task_failure.as_mut();
        let Some(failure) = failure.filter(|it| it.kind == Code::NonDeterministic.as_str()) else {
            return;
        };
        // A bare name does not say whose it is, but only its lane's default plugin: Core's words stay.
        let Ok(TypeName { plugin, .. }) = described.workflow_type.parse() else {
            return;
        };
        let Some(digest) = described.digest else {
            return;
        };
        let case = Case {
            run: (described.run_id.clone(), digest),
            scope: scope.clone(),
            plugin,
            temporal,
            workflow_id: at.workflow_id,
        };
        if let Some(how) = self.of(case).await {
            failure.message = report::parted(&how, Some(digest));
        }
    }

    async fn of(&self, case: Case) -> Option<String> {
        if let Some(known) = self.lock().get(&case.run) {
            return known.clone();
        }
        self.begin(case.run.clone());
        let diagnoses = self.clone();
        // It goes on where nobody waits any longer: who asks next has it.
        let looking = tokio::spawn(async move {
            let run = case.run.clone();
            let _place = diagnoses.places.acquire().await;
            match diagnoses.replay(&case).await {
                Ok(verdict) => {
                    let how = verdict.difference();
                    diagnoses.lock().insert(run, how.clone());
                    how
                }
                Err(error) => {
                    tracing::debug!(code = %error.code(), "a replay cannot be compared: {error}");
                    diagnoses.lock().remove(&run);
                    None
                }
            }
        });
        timeout(WAIT_MAX, looking).await.ok()?.ok()?
    }

    async fn replay(&self, case: &Case) -> Result<Verdict> {
        let (run_id, digest) = &case.run;
        let at = (&case.scope, &case.plugin, *digest);
        let run = (&*case.workflow_id, &**run_id);
        self.gate.replay_one(at, &case.temporal, run).await
    }

    fn begin(&self, run: Run) {
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(run, None);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Run, Option<String>>> {
        // Nothing is half done under the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
