//! From names to code: which release runs an execution, and its compiled component with what it may do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    component::WantedGrants,
    context::ContextKeys,
    grant::Grants,
    limit::{LimitOverrides, Limits},
    policy::ReleasePolicy,
    rollout::Line,
    tally::Tally,
};
use tenterhook_sandbox::{LoadedComponent, MemoryBudget, Sandbox};
use tenterhook_store::{Config, PluginSnapshot, Store};
use tenterhook_workflow::{Reach, Run};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{codec::Codec, known::Known};

/// Releases whose wants are remembered; one over it forgets all, which costs one read each.
const WANTS_MAX: usize = 10_000;
/// Tasks and attempts that wait at once for code that is not there. They hold places that others need, so further
/// ones fail at once, and Temporal tries them again.
const WAITING_MAX: usize = 50;
/// Pauses between two looks for code that is not there.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(50);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// What a plugin may do now.
pub(crate) struct Terms {
    /// Which release new executions start on.
    pub(crate) line: Line,
    pub(crate) policy: ReleasePolicy,
    /// True if some of the plugin's executions may have moved to another release.
    pub(crate) moves: bool,
    pub(crate) limits: Arc<Limits>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) config: Arc<Config>,
    /// The tenant's shares beside others.
    pub(crate) weight: u16,
}

impl Terms {
    fn of(snapshot: PluginSnapshot, ceilings: &LimitOverrides) -> Self {
        let limits = snapshot.limits(ceilings);
        Self {
            line: snapshot.line,
            policy: snapshot.policy,
            moves: snapshot.moves,
            limits: Arc::new(limits),
            grants: Arc::new(snapshot.grants),
            config: Arc::new(snapshot.config),
            weight: snapshot.weight,
        }
    }

    /// Tells `run` what may change while it lives. Its limits stay those that it was made with.
    pub(crate) fn apply_to(&self, run: &mut Run) {
        run.set_upgrade_on(self.policy.upgrade_on);
        run.set_weight(self.weight);
        run.set_reach(Reach::Granted(self.grants.clone()));
    }
}

type Key = (Scope, PluginName);

/// Resolves names for workflow and activity tasks.
pub(crate) struct Resolver {
    store: Store,
    sandbox: Arc<Sandbox>,
    keys: Arc<ContextKeys>,
    /// What this host gives any plugin at most.
    ceilings: LimitOverrides,
    codec: Arc<Codec>,
    known: Known<Key, Arc<Terms>>,
    /// What a release asks for: it never changes.
    wants: Mutex<HashMap<Digest, Arc<WantedGrants>>>,
    waiting: Semaphore,
    stopping: CancellationToken,
}

impl Resolver {
    pub(crate) fn new(
        store: Store,
        sandbox: Arc<Sandbox>,
        keys: Arc<ContextKeys>,
        ceilings: LimitOverrides,
        codec: Arc<Codec>,
    ) -> Self {
        Self {
            known: Known::new(store.changes.subscribe(), |scope, plugin| (scope, plugin)),
            wants: Mutex::default(),
            store,
            sandbox,
            keys,
            ceilings,
            codec,
            waiting: Semaphore::new(WAITING_MAX),
            stopping: CancellationToken::new(),
        }
    }

    /// Where refusals are counted.
    pub(crate) fn tally(&self) -> &Arc<dyn Tally> {
        self.sandbox.tally()
    }

    /// What all instances of this host hold together.
    pub(crate) fn memory(&self) -> &Arc<MemoryBudget> {
        self.sandbox.memory()
    }

    /// How many shares the tenant of `plugin` has; one where that cannot be read.
    pub(crate) async fn weight(&self, scope: &Scope, plugin: &PluginName) -> u16 {
        let terms = self.terms(scope, plugin).await;
        terms.map_or(1, |terms| terms.weight)
    }

    /// Lets nobody wait any more: the host stops.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The keys of tenants' payloads.
    pub(crate) fn codec(&self) -> &Arc<Codec> {
        &self.codec
    }

    pub(crate) fn keys(&self) -> &Arc<ContextKeys> {
        &self.keys
    }

    /// What `plugin` of `scope` may do now, as of the last answered change.
    pub(crate) async fn terms(&self, scope: &Scope, plugin: &PluginName) -> Result<Arc<Terms>> {
        let key = (scope.clone(), plugin.clone());
        if let Some(terms) = self.recall(&key) {
            return Ok(terms);
        }
        let asked = self.known.asks();
        let snapshot = match self.store.plugins.snapshot(scope, plugin).await {
            Err(error) if error.code().is_of_store() => {
                // Cut off from the store the host goes on with what it knows.
                return self.known.last(&key).ok_or(error);
            }
            read => read?,
        };
        let terms = Arc::new(Terms::of(snapshot, &self.ceilings));
        self.known.learn(asked, key, terms.clone());
        Ok(terms)
    }

    /// The same without asking the store: none where something changed.
    pub(crate) fn recall(&self, key: &Key) -> Option<Arc<Terms>> {
        self.known.recall(key)
    }

    fn known_wants(&self) -> MutexGuard<'_, HashMap<Digest, Arc<WantedGrants>>> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a release's metadata asks for.
    pub(crate) async fn wants(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
    ) -> Result<Arc<WantedGrants>> {
        let known = self.known_wants().get(&digest).cloned();
        if let Some(wants) = known {
            return Ok(wants);
        }
        let release = self.store.releases.get(scope, plugin, &digest).await?;
        let wants = Arc::new(release.metadata.wants);
        let mut known = self.known_wants();
        if known.len() >= WANTS_MAX {
            known.clear();
        }
        known.insert(digest, wants.clone());
        Ok(wants)
    }

    /// The compiled component of a release of this scope's plugin.
    pub(crate) async fn load(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
    ) -> Result<Arc<LoadedComponent>> {
        // Compiled code is shared between scopes, the right to run it is not: a context or a pin can only name
        // a digest that this host wrote for the scope.
        let component = self.store.component(scope, plugin, &digest);
        let loaded = self.sandbox.load(digest, component).await?;
        // Who runs the workflow has to know this before the first attempt asks, which may find no database.
        // Until it is known, each attempt asks itself.
        let _ = self.wants(scope, plugin, digest).await;
        Ok(loaded)
    }

    /// The same for work that is pinned to the release and can run on no other: where its component is not to be
    /// had, the work waits for it until `until`, with an alarm, and the error is what was found last.
    pub(crate) async fn load_or_wait(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
        until: Instant,
    ) -> Result<Arc<LoadedComponent>> {
        let mut place = None;
        let mut pause = LOOK_AGAIN_MIN;
        loop {
            let loaded = timeout_at(until, self.load(scope, plugin, digest)).await;
            let error = match loaded.unwrap_or_else(|_| Err(too_slow(&digest))) {
                Err(error) if is_missing(error.code()) => error,
                loaded => return loaded,
            };
            if place.is_none() {
                tracing::error!(
                    code = %error.code(), cause = error.source_text(), %scope, %plugin, %digest,
                    "executions wait for a component that this host cannot load: {}", error.detail()
                );
                place = self.waiting.try_acquire().ok();
            }
            if place.is_none() || Instant::now() + pause >= until {
                return Err(error);
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stopping.cancelled() => return Err(error),
            }
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }
}

/// True if time, a push or a repaired store can bring what is not there.
fn is_missing(code: Code) -> bool {
    code.is_of_store() || matches!(code, Code::ComponentMissing | Code::ReleaseNotFound)
}

fn too_slow(digest: &Digest) -> Error {
    Error::new(
        Code::ComponentMissing,
        format!("the component {digest} was not loaded in time: its next task tries again"),
    )
}
