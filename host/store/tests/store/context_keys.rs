//! The keys that sign contexts.

use tenterhook_domain::{
    Code,
    context::{
        CONTEXT_KEYS_MAX, Context, ContextKeyEntry, ContextKeySet,
        ContextKeyState::{self, Coming, Retired, Signing},
    },
};
use tenterhook_store::{AuditFilter, Cursor, Store};

use crate::{Fixture, NOW, author, on_every_store, payment, scope};

on_every_store!(
    hosts_share_the_first_key,
    a_new_key_verifies_everywhere_before_it_signs,
    no_key_is_dropped_for_another,
    a_rotation_is_written_down,
);

fn context() -> Context {
    Context {
        scope: scope("acme/production"),
        plugin: payment(),
        workflow_id: "acme/production/p-1".into(),
        digest: None,
        begins_by: None,
    }
}

fn signed(keys: &ContextKeySet, now: u64) -> String {
    keys.at(now).sign(&context()).unwrap()
}

fn takes(keys: &ContextKeySet, token: &str) -> bool {
    keys.at(NOW).verify(token, &context().workflow_id).is_ok()
}

async fn load(store: &Store) -> ContextKeySet {
    store.context_keys.load_or_create(NOW).await.unwrap()
}

async fn rotate(store: &Store, signs_from: u64) -> ContextKeySet {
    let keys = &store.context_keys;
    let rotated = keys.rotate(signs_from, &author("token:a"), NOW).await;
    rotated.unwrap()
}

fn states(entries: &[ContextKeyEntry]) -> Vec<ContextKeyState> {
    entries.iter().map(|entry| entry.state).collect()
}

async fn hosts_share_the_first_key(mut fixture: Fixture) {
    let other = fixture.another_host().await;
    let (one, other) = tokio::join!(load(&fixture.store), load(&other));
    let token = signed(&one, NOW);
    assert_eq!(signed(&other, NOW), token, "both made the same key");
    let entries = one.entries(NOW);
    assert_eq!(states(&entries), [Signing]);
    assert_eq!((entries[0].made_at, entries[0].signs_from), (NOW, NOW));
    fixture.reopen().await;
    assert_eq!(signed(&load(&fixture.store).await, NOW), token);
}

async fn a_new_key_verifies_everywhere_before_it_signs(mut fixture: Fixture) {
    let (here, there) = (&fixture.store, fixture.another_host().await);
    let old = signed(&load(here).await, NOW);
    let rotated = rotate(here, NOW + 60).await;
    assert_eq!(states(&rotated.entries(NOW)), [Coming, Signing]);
    assert_eq!(signed(&rotated, NOW + 59), old);
    let new = signed(&rotated, NOW + 60);
    assert_ne!(new, old);
    let heard = load(&there).await;
    assert_eq!(heard.entries(NOW), rotated.entries(NOW));
    assert!(takes(&heard, &new) && takes(&heard, &old));

    fixture.reopen().await;
    let kept = load(&fixture.store).await;
    assert_eq!(kept.entries(NOW + 60), rotated.entries(NOW + 60));
    assert_eq!(states(&kept.entries(NOW + 60)), [Signing, Retired]);
    assert_eq!(signed(&kept, NOW + 60), new);
}

async fn no_key_is_dropped_for_another(fixture: Fixture) {
    let store = &fixture.store;
    let first = signed(&load(store).await, NOW);
    for number in 1..CONTEXT_KEYS_MAX as u64 {
        let rotated = rotate(store, NOW + number).await;
        assert!(takes(&rotated, &first), "rotation {number}");
    }
    let by = author("token:a");
    let over = store.context_keys.rotate(NOW, &by, NOW).await;
    assert_eq!(over.unwrap_err().code(), Code::ContextKeysFull);
    let kept = load(store).await;
    assert_eq!(kept.entries(NOW).len(), CONTEXT_KEYS_MAX);
    assert!(takes(&kept, &first));
}

async fn a_rotation_is_written_down(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    load(store).await;
    let entries = rotate(store, NOW + 60).await.entries(NOW);
    let log = store.audit.entries(AuditFilter::default(), Cursor::FIRST);
    let log = log.await.unwrap().items;
    let [told] = &log[..] else {
        panic!("{log:?}");
    };
    assert_eq!((told.action.as_str(), told.at), ("context-key", NOW));
    assert_eq!(told.author, author("token:a"));
    assert_eq!(
        told.detail,
        format!("made {}, which signs after 60 ms", entries[0].id)
    );
    // It is no tenant's.
    assert_eq!(
        (&told.tenant, &told.environment, &told.plugin),
        (&None, &None, &None)
    );
    let own = store.audit.entries_of(&acme.tenant, None, Cursor::FIRST);
    assert!(own.await.unwrap().items.is_empty());
}
