//! What every implementation of the store keeps, held against SQLite and a folder.

#![allow(clippy::unwrap_used)]

mod blobs;
mod plugins;
mod scopes;
mod secrets;
mod state;

use bytes::Bytes;
use tempfile::TempDir;
use tenterhook_domain::{
    Digest, PluginName, Scope,
    component::{Check, Metadata},
    release::{Release, ReleaseState},
};
use tenterhook_store::{Store, Written};

struct Fixture {
    store: Store,
    folder: TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    Fixture { store, folder }
}

/// A store with the scopes `acme/production` and `globex/production`.
async fn with_scopes() -> (Fixture, Scope, Scope) {
    let fixture = fixture().await;
    let scopes = [scope("acme/production"), scope("globex/production")];
    for scope in &scopes {
        fixture.store.tenants.put(&scope.tenant).await.unwrap();
        fixture.store.environments.put(scope).await.unwrap();
    }
    let [acme, globex] = scopes;
    (fixture, acme, globex)
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn payment() -> PluginName {
    "payment".parse().unwrap()
}

fn release(component: &[u8]) -> Release {
    Release {
        digest: Digest::of(component),
        version: Some("1.2.3".into()),
        state: ReleaseState::Ready,
        bytes: component.len() as u64,
        uploaded_at: 1_700_000_000_000,
        metadata: Metadata {
            name: Some("payment".into()),
            ..Metadata::default()
        },
        checks: vec![Check {
            name: "imports".into(),
            detail: "4 known".into(),
        }],
    }
}

async fn publish(store: &Store, scope: &Scope, component: &'static [u8]) -> (Written, Release) {
    store
        .publish(
            scope,
            &payment(),
            &release(component),
            Bytes::from_static(component),
        )
        .await
        .unwrap()
}
