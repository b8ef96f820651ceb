//! A store of its own for each test, and what tests put in.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use tempfile::TempDir;
use tenterhook_domain::{
    Digest, PluginName, Scope,
    audit::Author,
    check::Check,
    component::Metadata,
    release::{Release, ReleaseState},
    rollout::Move,
};
use tenterhook_store::{Checked, Findings, NewRelease, ReleaseKey, Store, StoreConfig, Written};

use crate::{bucket, postgres::Postgres};

/// Milliseconds since the Unix epoch.
pub(crate) const NOW: u64 = 1_700_000_000_000;

/// Where a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// SQLite and a folder.
    Folder,
    /// PostgreSQL and a bucket.
    Servers,
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) config: StoreConfig,
    /// The name of its PostgreSQL database.
    pub(crate) database: String,
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) async fn new(place: Place) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = format!("store_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let config = match place {
            Place::Folder => StoreConfig {
                database: format!("sqlite:{}", folder.path().join("rows.db").display()),
                blobs: format!("file://{}", folder.path().join("blobs").display()),
                aws: Vec::new(),
            },
            Place::Servers => StoreConfig {
                database: Postgres::shared().database(&database),
                blobs: bucket::url(&database),
                aws: bucket::settings(),
            },
        };
        let store = Store::connect(&config).await.unwrap();
        Self {
            store,
            config,
            database,
            folder,
        }
    }

    /// Another host on the same data.
    pub(crate) async fn another_host(&self) -> Store {
        Store::connect(&self.config).await.unwrap()
    }

    /// The host ends and starts again.
    pub(crate) async fn reopen(&mut self) {
        self.store.database.close().await;
        self.store = self.another_host().await;
    }

    /// Makes a scope with its tenant.
    pub(crate) async fn scope(&self, text: &str) -> Scope {
        let scope = scope(text);
        self.store.tenants.put(&scope.tenant).await.unwrap();
        self.store.environments.put(&scope).await.unwrap();
        scope
    }
}

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

pub(crate) fn payment() -> PluginName {
    "payment".parse().unwrap()
}

pub(crate) fn author(who: &str) -> Author {
    Author {
        who: who.to_owned(),
        from: "127.0.0.1".to_owned(),
        why: "because".to_owned(),
    }
}

pub(crate) fn component(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(crate) fn release(component: &str) -> NewRelease {
    NewRelease {
        digest: Digest::of(component.as_bytes()),
        bytes: component.len() as u64,
        uploaded_at: NOW,
        origin: "upload".to_owned(),
        signature: None,
    }
}

/// Uploads a component of `payment`.
pub(crate) async fn publish(
    store: &Store,
    scope: &Scope,
    text: &'static str,
) -> (Written, Release) {
    let bytes = component(text);
    store
        .publish(scope, &payment(), &release(text), bytes, &author("token:a"))
        .await
        .unwrap()
}

/// Uploads a component of `payment` and lets it pass its checks.
pub(crate) async fn admit(store: &Store, scope: &Scope, text: &'static str) -> Digest {
    let (_, release) = publish(store, scope, text).await;
    assert_eq!(release.state, ReleaseState::Uploaded);
    let key = store.releases.claim("checker", NOW + 1, NOW).await;
    let key = key.unwrap().expect("it waits for its checks");
    assert_eq!(key.digest, release.digest);
    let findings = findings();
    for checked in [Checked::Component, Checked::Passed] {
        conclude(store, &key, &findings, checked).await;
    }
    release.digest
}

pub(crate) fn findings() -> Findings {
    Findings {
        version: Some("1.2.3".to_owned()),
        metadata: Metadata {
            name: Some("payment".to_owned()),
            ..Metadata::default()
        },
        checks: vec![Check::passed("imports", "4 known")],
        replay: None,
    }
}

/// Concludes under the claim of the host `checker`.
pub(crate) async fn conclude(
    store: &Store,
    key: &ReleaseKey,
    findings: &Findings,
    checked: Checked,
) -> Release {
    store
        .releases
        .conclude(
            key,
            "checker",
            findings,
            checked,
            &author("host:checks"),
            NOW,
        )
        .await
        .unwrap()
}

pub(crate) async fn promote(store: &Store, scope: &Scope, digest: Digest) {
    let promote = Move::Promote(digest);
    store
        .lines
        .apply(scope, &payment(), promote, None, &author("token:o"), NOW)
        .await
        .unwrap();
}
