//! From names to code: which release runs an execution, and its compiled component with what it may do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use temporalio_protos::temporal::api::common::v1::Payload;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope, TypeName,
    component::WantedGrants,
    context::{Context, ContextKeys, HEADER},
    grant::Grants,
    limit::Limits,
    policy::ReleasePolicy,
    rollout::Line,
};
use tenterhook_sandbox::{LoadedComponent, Sandbox};
use tenterhook_store::{Change, ChangeListener, Config, PluginSnapshot, Store};

/// Plugins whose snapshot is remembered; one over it forgets all, which costs one read each.
const SNAPSHOTS_MAX: usize = 10_000;

/// What a plugin may do now.
pub(crate) struct Terms {
    /// Which release new executions start on.
    pub(crate) line: Line,
    pub(crate) policy: ReleasePolicy,
    pub(crate) limits: Arc<Limits>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) config: Arc<Config>,
}

impl Terms {
    fn of(snapshot: PluginSnapshot) -> Result<Self> {
        Ok(Self {
            line: snapshot.line,
            policy: snapshot.policy,
            limits: Arc::new(snapshot.grants.limits.apply()?),
            grants: Arc::new(snapshot.grants),
            config: Arc::new(snapshot.config),
        })
    }
}

struct Remembered {
    terms: HashMap<(Scope, PluginName), Arc<Terms>>,
    /// What a release asks for: it never changes.
    wants: HashMap<Digest, Arc<WantedGrants>>,
    changes: ChangeListener,
}

/// Resolves names for workflow and activity tasks.
pub(crate) struct Resolver {
    store: Store,
    sandbox: Arc<Sandbox>,
    keys: Arc<ContextKeys>,
    remembered: Mutex<Remembered>,
}

impl Resolver {
    pub(crate) fn new(store: Store, sandbox: Arc<Sandbox>, keys: Arc<ContextKeys>) -> Self {
        let changes = store.changes.subscribe();
        let remembered = Mutex::new(Remembered {
            terms: HashMap::new(),
            wants: HashMap::new(),
            changes,
        });
        Self {
            store,
            sandbox,
            keys,
            remembered,
        }
    }

    pub(crate) fn keys(&self) -> &Arc<ContextKeys> {
        &self.keys
    }

    /// Checks a task's context header: signed by us, of this execution, and of the plugin whose type it is.
    pub(crate) fn context(
        &self,
        header: &HashMap<String, Payload>,
        temporal_id: &str,
        type_name: &str,
    ) -> Result<(Context, TypeName)> {
        let token = header
            .get(HEADER)
            .and_then(|payload| serde_json::from_slice::<String>(&payload.data).ok())
            .ok_or_else(|| {
                Error::new(
                    Code::ContextInvalid,
                    "work on a shared lane needs a context header: start it through this host's API",
                )
            })?;
        let context = self.keys.verify(&token, temporal_id)?;
        if context.scope.caller_id(temporal_id).is_none() {
            return Err(Error::new(
                Code::ContextInvalid,
                format!(
                    "the execution {temporal_id:?} is not one of scope {}",
                    context.scope
                ),
            ));
        }
        let type_name: TypeName = type_name.parse()?;
        if type_name.plugin != context.plugin {
            return Err(Error::new(
                Code::ContextInvalid,
                format!(
                    "the context header is of plugin {}, the type {type_name} is not",
                    context.plugin
                ),
            ));
        }
        Ok((context, type_name))
    }

    /// What `plugin` of `scope` may do now, as of the last answered change.
    pub(crate) async fn terms(&self, scope: &Scope, plugin: &PluginName) -> Result<Arc<Terms>> {
        let key = (scope.clone(), plugin.clone());
        if let Some(terms) = self.recall(&key) {
            return Ok(terms);
        }
        let snapshot = self.store.plugins.snapshot(scope, plugin).await?;
        let terms = Arc::new(Terms::of(snapshot)?);
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A change that came in while the store was read could make this one stale: read it again next time.
        if !forget_changed(&mut remembered) {
            if remembered.terms.len() >= SNAPSHOTS_MAX {
                remembered.terms.clear();
            }
            remembered.terms.insert(key, terms.clone());
        }
        Ok(terms)
    }

    fn recall(&self, key: &(Scope, PluginName)) -> Option<Arc<Terms>> {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        forget_changed(&mut remembered);
        remembered.terms.get(key).cloned()
    }

    /// What a release's metadata asks for.
    pub(crate) async fn wants(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
    ) -> Result<Arc<WantedGrants>> {
        let known = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wants
            .get(&digest)
            .cloned();
        if let Some(wants) = known {
            return Ok(wants);
        }
        let release = self.store.releases.get(scope, plugin, &digest).await?;
        let wants = Arc::new(release.metadata.wants);
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.wants.len() >= SNAPSHOTS_MAX {
            remembered.wants.clear();
        }
        remembered.wants.insert(digest, wants.clone());
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
        self.sandbox
            .load(digest, self.store.component(scope, plugin, &digest))
            .await
    }
}

/// Drops what is remembered of changed plugins. True if there was a change.
fn forget_changed(remembered: &mut Remembered) -> bool {
    let mut changed = false;
    while let Some(change) = remembered.changes.try_next() {
        changed = true;
        match change {
            Change::Plugin(scope, plugin) => drop(remembered.terms.remove(&(scope, plugin))),
            Change::Missed => remembered.terms.clear(),
        }
    }
    changed
}
