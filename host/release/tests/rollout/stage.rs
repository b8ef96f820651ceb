//! A store with one plugin, and what surrounds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use tenterhook_domain::{
    Digest, PluginName, Result, Scope,
    audit::{AuditEntry, Author},
    clock::{Clock, SystemClock},
    component::CompiledCode,
    policy::ReleasePolicy,
    release::ReleaseState,
    rollout::{Census, Guard, Health, Line, Move, RampPlan, Step},
};
use tenterhook_release::{Ramps, Retirement, Sweep};
use tenterhook_store::{AuditFilter, Checked, Cursor, Findings, NewRelease, Store};

/// The time of day as the test sets it, beginning at the real one: files have real times.
pub(crate) struct SetClock(AtomicU64);

impl SetClock {
    pub(crate) fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Executions as the test says they are.
#[derive(Default)]
pub(crate) struct SaidCensus {
    open: Mutex<BTreeMap<Digest, u64>>,
    health: Mutex<BTreeMap<Digest, Health>>,
}

impl SaidCensus {
    pub(crate) fn open(&self, digest: Digest, number: u64) {
        self.open.lock().unwrap().insert(digest, number);
    }

    pub(crate) fn health(&self, digest: Digest, health: Health) {
        self.health.lock().unwrap().insert(digest, health);
    }
}

#[async_trait]
impl Census for SaidCensus {
    async fn open(&self, _: &Scope, _: &PluginName, digest: &Digest) -> Result<u64> {
        Ok(self.open.lock().unwrap().get(digest).copied().unwrap_or(0))
    }

    async fn health(&self, _: &Scope, _: &PluginName, digest: &Digest, _: u64) -> Result<Health> {
        let health = self.health.lock().unwrap();
        Ok(health.get(digest).copied().unwrap_or_default())
    }
}

/// Compiled code as the test says it is held.
#[derive(Default)]
pub(crate) struct SaidCode(pub(crate) Mutex<BTreeSet<Digest>>);

impl CompiledCode for SaidCode {
    fn held(&self) -> Vec<Digest> {
        self.0.lock().unwrap().iter().copied().collect()
    }

    fn forget(&self, digest: &Digest) {
        self.0.lock().unwrap().remove(digest);
    }
}

/// A plugin's releases and all that looks after them.
pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) census: Arc<SaidCensus>,
    pub(crate) code: Arc<SaidCode>,
    pub(crate) scope: Scope,
    pub(crate) plugin: PluginName,
    _data: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let scope: Scope = "acme/production".parse().unwrap();
        store.tenants.put(&scope.tenant).await.unwrap();
        store.environments.put(&scope).await.unwrap();
        Self {
            store,
            clock: Arc::new(SetClock(AtomicU64::new(SystemClock.now_millis()))),
            census: Arc::default(),
            code: Arc::default(),
            scope,
            plugin: "payment".parse().unwrap(),
            _data: data,
        }
    }

    pub(crate) fn ramps(&self, host: &str) -> Ramps {
        Ramps::new(
            self.store.clone(),
            self.census.clone(),
            self.clock.clone(),
            host,
        )
    }

    pub(crate) fn retirement(&self) -> Retirement {
        Retirement::new(
            self.store.clone(),
            self.census.clone(),
            self.clock.clone(),
            "a",
        )
    }

    pub(crate) fn sweep(&self) -> Sweep {
        Sweep::new(self.store.clone(), self.code.clone(), self.clock.clone())
    }

    /// A release that passed its checks; the first becomes current.
    pub(crate) async fn release(&self, content: &'static str) -> Digest {
        let digest = self.push(content).await;
        let key = self
            .store
            .releases
            .claim("a", u64::MAX / 2, self.now())
            .await;
        let key = key.unwrap().unwrap();
        for checked in [Checked::Component, Checked::Passed] {
            let found = Findings::default();
            let releases = &self.store.releases;
            releases
                .conclude(&key, "a", &found, checked, &author(), self.now())
                .await
                .unwrap();
        }
        digest
    }

    /// A release that waits for its checks.
    pub(crate) async fn push(&self, content: &'static str) -> Digest {
        let component = Bytes::from_static(content.as_bytes());
        let release = NewRelease {
            digest: Digest::of(&component),
            bytes: component.len() as u64,
            uploaded_at: self.now(),
            origin: "upload".to_owned(),
            signature: None,
        };
        self.store
            .publish(&self.scope, &self.plugin, &release, component, &author())
            .await
            .unwrap();
        release.digest
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now_millis()
    }

    pub(crate) async fn make(&self, r#move: Move) -> Line {
        let lines = &self.store.lines;
        lines
            .apply(
                &self.scope,
                &self.plugin,
                r#move,
                None,
                &author(),
                self.now(),
            )
            .await
            .unwrap()
            .0
    }

    /// A ramp of `digest` in steps of `(percentage, seconds)`.
    pub(crate) async fn ramp(&self, digest: Digest, steps: &[(u8, u64)]) -> Line {
        let steps = steps.iter().map(|&(percentage, bake_seconds)| Step {
            percentage,
            bake_seconds,
        });
        self.make(Move::Ramp(RampPlan {
            digest,
            steps: steps.collect(),
            guard: Guard::default(),
        }))
        .await
    }

    pub(crate) async fn line(&self) -> Line {
        let lines = &self.store.lines;
        lines.line(&self.scope, &self.plugin).await.unwrap().0
    }

    pub(crate) async fn state(&self, digest: &Digest) -> ReleaseState {
        let releases = &self.store.releases;
        releases
            .get(&self.scope, &self.plugin, digest)
            .await
            .unwrap()
            .state
    }

    pub(crate) async fn keep_for(&self, retention_seconds: u64) {
        let policy = ReleasePolicy {
            retention_seconds,
            ..ReleasePolicy::default()
        };
        self.store
            .plugins
            .put_policy(&self.scope, &self.plugin, &policy, &author(), self.now())
            .await
            .unwrap();
    }

    /// What was done under `action`, newest first.
    pub(crate) async fn audit(&self, action: &str) -> Vec<AuditEntry> {
        let filter = AuditFilter::default();
        let page = self.store.audit.entries(filter, Cursor::FIRST).await;
        let entries = page.unwrap().items.into_iter();
        entries.filter(|entry| entry.action == action).collect()
    }
}

fn author() -> Author {
    Author {
        who: "token:test".to_owned(),
        from: String::new(),
        why: String::new(),
    }
}
