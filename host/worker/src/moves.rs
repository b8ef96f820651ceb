//! Running executions that go over to another release, where their plugin's policy says `migrate`.
//!
//! A run can only change its code where it is built from its history. So that it is, the lane lets go of the runs that
//! want to move ([`Moves::wants`]), and their next task replays them. Then [`Moves::settle`] asks Temporal where the
//! history stands, replays it on the current release as the gate does, and answers with that release if nothing
//! differs. What a history says is the truth at every moment: a run has moved once the pin stands in it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution, enums::v1::PendingWorkflowTaskState,
};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope, limit::Limits, policy::OnDivergence,
    replay::Verdict,
};
use tenterhook_workflow::{Pin, ReleasePin, RunIdentity};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    connection::Temporal,
    gateway,
    replay::{Candidate, REPLAYS_AT_ONCE, Recorded, Replayer, Source, TOO_LONG},
    resolver::{Resolver, Terms},
};

/// Runs that are remembered to stay; one over it forgets all, which costs a replay each.
const STAYING_MAX: usize = 20_000;
/// Runs that are remembered to have moved though their plugin was not known to, and those that were told to part from
/// their history; one over it forgets all.
const MOVED_MAX: usize = 1_000;
/// Bytes of patch ids up to which a history takes another pin. Core keeps no list of 2 KiB, and one that is not kept
/// would hide the move.
const LISTED_BYTES_MAX: usize = 1_536;
/// Pause between two questions that Temporal did not answer.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// A run that is built from its history.
pub(crate) struct Rebuilt<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) plugin: &'a PluginName,
    pub(crate) terms: &'a Terms,
    /// The execution as Temporal knows it.
    pub(crate) workflow_id: &'a str,
    pub(crate) run_id: &'a str,
    /// Until when it may be found out whether the run moves; then it stays.
    pub(crate) decided_by: Instant,
    /// Until when Temporal is asked where the run is; then its task fails.
    pub(crate) until: Instant,
}

/// Where a run is by its history.
struct Place {
    latest: Option<ReleasePin>,
    /// A task of it is under way, and nobody but its holder writes into the history. A query is no task.
    in_task: bool,
}

/// What keeps a run where it is.
struct Stays {
    why: String,
    /// False: the next time may come out otherwise.
    for_good: bool,
}

#[derive(Default)]
struct Remembered {
    /// Runs that stay, with the release that they do not move to, and whether for good.
    staying: HashMap<String, (Digest, bool)>,
    moved: HashSet<String>,
    /// Runs whose replay took another way than their history, once told of.
    parted: HashSet<String>,
}

/// Decides about moves for one lane.
pub(crate) struct Moves {
    temporal: Temporal,
    resolver: Arc<Resolver>,
    replayer: Replayer,
    places: Semaphore,
    remembered: Mutex<Remembered>,
}

impl Moves {
    /// For executions in the namespace of `temporal`.
    ///
    /// # Errors
    /// `internal` when the system gives no threads.
    pub(crate) fn new(temporal: Temporal, resolver: Arc<Resolver>) -> Result<Self> {
        Ok(Self {
            replayer: Replayer::start(temporal.namespace())?,
            temporal,
            resolver,
            places: Semaphore::new(REPLAYS_AT_ONCE),
            remembered: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// True for a run on `release` that may move now and was not yet found to stay: building it anew may move it.
    pub(crate) fn wants(
        &self,
        plugin: &(Scope, PluginName),
        release: ReleasePin,
        run_id: &str,
    ) -> bool {
        let Some(next) = self
            .resolver
            .recall(plugin)
            .and_then(|terms| next(&terms, release))
        else {
            return false;
        };
        let staying = self.lock().staying.get(run_id).copied();
        staying.is_none_or(|(digest, _)| digest != next.digest)
    }

    /// Remembers that the run does not move to `digest`.
    pub(crate) fn stay(&self, run_id: &str, digest: Digest, for_good: bool) {
        let mut remembered = self.lock();
        if remembered.staying.len() >= STAYING_MAX {
            remembered.staying.clear();
        }
        let staying = &mut remembered.staying;
        staying.insert(run_id.to_owned(), (digest, for_good));
    }

    /// Remembers that the run has moved, whatever this host knows of its plugin.
    pub(crate) fn has_moved(&self, run_id: &str) {
        let mut remembered = self.lock();
        if remembered.moved.len() >= MOVED_MAX {
            remembered.moved.clear();
        }
        remembered.moved.insert(run_id.to_owned());
    }

    /// The release that the run is built on: the one of the last pin in its history, or the one that it moves to now,
    /// whose pin is not written yet. `announced` is the pin that the replay begins with.
    ///
    /// # Errors
    /// `temporal-unavailable` when Temporal does not say in time where the run is.
    pub(crate) async fn settle(
        &self,
        run: &Rebuilt<'_>,
        announced: ReleasePin,
    ) -> Result<(ReleasePin, Pin)> {
        if !run.terms.moves && !self.lock().moved.contains(run.run_id) {
            return Ok((announced, Pin::Written));
        }
        let place = self.place(run).await?;
        let latest = place
            .latest
            .filter(|latest| latest.moves > announced.moves)
            .unwrap_or(announced);
        let stays = Ok((latest, Pin::Written));
        let Some(next) = next(run.terms, latest).filter(|_| place.in_task) else {
            return stays;
        };
        let staying = self.lock().staying.get(run.run_id).copied();
        if staying == Some((next.digest, true)) {
            return stays;
        }
        let found = timeout_at(run.decided_by, self.replay(run, next)).await;
        let found = found.unwrap_or_else(|_elapsed| {
            Err(Stays {
                why: "there was no time to replay its history".to_owned(),
                for_good: false,
            })
        });
        let (from, to) = (latest.digest, next.digest);
        let (scope, plugin, workflow) = (run.scope, run.plugin, run.workflow_id);
        match found {
            Ok(()) => {
                tracing::info!(
                    %scope, %plugin, workflow, run = run.run_id, %from, %to,
                    "a running execution moves to another release"
                );
                Ok((next, Pin::Unwritten))
            }
            Err(Stays { why, for_good }) => {
                tracing::info!(
                    %scope, %plugin, workflow, run = run.run_id, %from, %to, for_good,
                    "a running execution stays on its release: {why}"
                );
                self.stay(run.run_id, to, for_good);
                stays
            }
        }
    }

    /// Asks Temporal where the run is, again and again while it does not answer.
    async fn place(&self, run: &Rebuilt<'_>) -> Result<Place> {
        loop {
            let execution = WorkflowExecution {
                workflow_id: run.workflow_id.to_owned(),
                run_id: run.run_id.to_owned(),
            };
            let asked = gateway::ask(&self.temporal, execution, run.workflow_id);
            let error = match timeout_at(run.until, asked).await {
                Ok(Ok(described)) => {
                    let info = described.workflow_execution_info.unwrap_or_default();
                    let task = described.pending_workflow_task;
                    return Ok(Place {
                        latest: info.search_attributes.as_ref().and_then(gateway::pin),
                        in_task: task
                            .is_some_and(|task| task.state() == PendingWorkflowTaskState::Started),
                    });
                }
                Ok(Err(error)) => error,
                Err(_elapsed) => Error::new(
                    Code::TemporalUnavailable,
                    "Temporal does not say where the execution is: its next task tries again",
                ),
            };
            let is_away = error.code() == Code::TemporalUnavailable;
            if !is_away || Instant::now() + ASK_AGAIN >= run.until {
                return Err(error);
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// Whether the run's history replays the same on the release of `next`.
    async fn replay(&self, run: &Rebuilt<'_>, next: ReleasePin) -> Result<(), Stays> {
        let _place = self.places.acquire().await;
        let limits = (*run.terms.limits).clone();
        let candidate = self
            .candidate(run.scope, run.plugin, next.digest, limits)
            .await?;
        let recorded = self
            .recorded(run.scope, run.workflow_id, run.run_id)
            .await?
            .ok_or_else(|| for_good(TOO_LONG))?;
        if !recorded.is_open() {
            return Err(for_good("it is closed"));
        }
        if recorded.patch_bytes() + next.to_string().len() > LISTED_BYTES_MAX {
            return Err(for_good(
                "its history has so many patches that Temporal would not list another",
            ));
        }
        match self.replayer.replay_to_move(&candidate, &recorded).await? {
            Verdict::Same => Ok(()),
            Verdict::Diverges {
                event,
                expected,
                actual,
            } => Err(for_good(format!(
                "its history diverges at event {event}: it has {expected}, the release does {actual}"
            ))),
            Verdict::TaskFailed { code, message } => Err(for_good(format!(
                "a task fails on the release with {code}: {message}"
            ))),
            Verdict::NotApplicable { why } => Err(Stays {
                why,
                for_good: false,
            }),
        }
    }

    /// Remembers that a replay of the run took another way than its history. False if that is known.
    pub(crate) fn parts(&self, run_id: &str) -> bool {
        let mut remembered = self.lock();
        if remembered.parted.len() >= MOVED_MAX {
            remembered.parted.clear();
        }
        remembered.parted.insert(run_id.to_owned())
    }

    /// What the history of a run comes to on the release that it is on: where the two part.
    ///
    /// # Errors
    /// When history or release cannot be read, or the host fails.
    pub(crate) async fn diagnose(&self, run: &RunIdentity) -> Result<Verdict> {
        let _place = self.places.acquire().await;
        let terms = self.resolver.terms(&run.scope, &run.plugin).await?;
        let limits = (*terms.limits).clone();
        let candidate = self
            .candidate(&run.scope, &run.plugin, run.digest, limits)
            .await?;
        let recorded = self
            .recorded(&run.scope, &run.temporal_id, &run.run_id)
            .await?;
        match recorded {
            Some(recorded) => {
                let replayed = self.replayer.replay(&candidate, &recorded).await?;
                Ok(replayed.verdict)
            }
            None => Ok(Verdict::NotApplicable {
                why: TOO_LONG.to_owned(),
            }),
        }
    }

    async fn candidate(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
        limits: Limits,
    ) -> Result<Candidate> {
        let component = self.resolver.load(scope, plugin, digest).await?;
        let releases = &self.resolver.store().releases;
        let release = releases.get(scope, plugin, &digest).await?;
        let (scope, plugin) = (scope.clone(), plugin.clone());
        Ok(Candidate::new(
            scope,
            plugin,
            component,
            &release.metadata,
            limits,
        ))
    }

    /// The run's history; none where it is too long.
    async fn recorded(
        &self,
        scope: &Scope,
        workflow_id: &str,
        run_id: &str,
    ) -> Result<Option<Recorded>> {
        let codec = self.resolver.codec();
        let source = Source::of(&self.temporal, codec, &scope.tenant).await?;
        source.one(workflow_id, run_id).await
    }
}

/// Where a run on `release` would move to under `terms`.
fn next(terms: &Terms, release: ReleasePin) -> Option<ReleasePin> {
    if terms.policy.on_divergence != OnDivergence::Migrate {
        return None;
    }
    let digest = terms.line.moves_to(&release.digest)?;
    release.then(digest)
}

fn for_good(why: impl Into<String>) -> Stays {
    Stays {
        why: why.into(),
        for_good: true,
    }
}

/// A fault of the host says nothing about the release: the run stays for now.
impl From<Error> for Stays {
    fn from(error: Error) -> Self {
        Self {
            why: error.detail().to_owned(),
            for_good: false,
        }
    }
}
