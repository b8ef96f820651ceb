//! The data keys of tenants' payloads.

use std::fs;

use tenterhook_domain::{
    Code, TenantId,
    payload_key::{Encryption, PAYLOAD_KEYS_MAX, SealedPayloadKey},
    secret_key::SecretKeys,
};
use tenterhook_store::{Change, Cursor, TenantEncryption};

use crate::{Fixture, NOW, Place, author, on_every_store, payment};

on_every_store!(
    keys_belong_to_one_tenant_and_the_newest_comes_first,
    who_deletes_keys_deletes_them_everywhere,
    a_tenant_has_so_many_keys_and_no_more,
    keys_are_sealed_anew_unless_they_are_gone,
);

const OLD: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn key(tenant: &TenantId) -> SealedPayloadKey {
    let keys = SecretKeys::parse(OLD).unwrap();
    keys.new_payload_key(tenant, NOW).unwrap()
}

async fn keys_belong_to_one_tenant_and_the_newest_comes_first(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await.tenant;
    let globex = fixture.scope("globex/production").await.tenant;
    let (store, by) = (&fixture.store.payload_keys, author("token:o"));
    let none = TenantEncryption::default();
    assert_eq!(store.encryption(&acme).await.unwrap(), none);
    let early = store.rotate(&acme, &key(&acme), &by, NOW).await;
    assert_eq!(early.unwrap_err().code(), Code::EncryptionConflict);

    let (first, spare, second) = (key(&acme), key(&acme), key(&acme));
    let on = store.encrypt(&acme, &first, &by, NOW).await.unwrap();
    assert_eq!(
        (on.encryption, &on.keys[..]),
        (Encryption::On, &[first.clone()][..])
    );
    // A tenant that has a key needs no other to go on.
    let again = store.encrypt(&acme, &spare, &by, NOW).await.unwrap();
    assert_eq!(again, on);
    let rotated = store.rotate(&acme, &second, &by, NOW).await.unwrap();
    assert_eq!(rotated.keys, [second.clone(), first.clone()]);
    let off = store.leave_plain(&acme, &by, NOW).await.unwrap();
    assert_eq!(
        (off.encryption, &off.keys),
        (Encryption::Off, &rotated.keys)
    );
    fixture.reopen().await;
    let store = &fixture.store.payload_keys;
    assert_eq!(store.encryption(&acme).await.unwrap(), off);
    assert_eq!(store.encryption(&globex).await.unwrap(), none);
    let nobody: TenantId = "nobody".parse().unwrap();
    let missing = store.encrypt(&nobody, &key(&nobody), &by, NOW).await;
    assert_eq!(missing.unwrap_err().code(), Code::TenantNotFound);
    let missing = store.encryption(&nobody).await.unwrap_err();
    assert_eq!(missing.code(), Code::TenantNotFound);
    let log = &fixture.store.audit;
    let log = log.entries_of(&acme, None, Cursor::FIRST).await.unwrap();
    let details: Vec<_> = log.items.iter().map(|entry| entry.detail.clone()).collect();
    assert_eq!(
        details,
        [
            "off".to_owned(),
            format!("under the new key {}", second.id),
            format!("on, under key {}", first.id),
            format!("on, under the new key {}", first.id),
        ]
    );
}

/// How many files of the store have these bytes in them.
fn traces(fixture: &Fixture, bytes: &[u8]) -> usize {
    let files = fs::read_dir(fixture.folder.path()).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap_or_default())
        .filter(|file| file.windows(bytes.len()).any(|window| window == bytes))
        .count()
}

async fn who_deletes_keys_deletes_them_everywhere(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await.tenant;
    let globex = fixture.scope("globex/production").await.tenant;
    let (store, by) = (&fixture.store.payload_keys, author("token:a"));
    let own = key(&acme);
    store.encrypt(&acme, &own, &by, NOW).await.unwrap();
    store.rotate(&acme, &key(&acme), &by, NOW).await.unwrap();
    let theirs = store
        .encrypt(&globex, &key(&globex), &by, NOW)
        .await
        .unwrap();
    let is_file = fixture.config.database.starts_with("sqlite");
    assert_eq!(traces(&fixture, &own.sealed) > 0, is_file);
    let mut changes = fixture.store.changes.subscribe();
    assert_eq!(store.shred(&acme, &by, NOW).await.unwrap(), 2);
    assert_eq!(changes.try_next(), Some(Change::Missed), "told at once");
    let gone = store.encryption(&acme).await.unwrap();
    assert_eq!(
        (gone.encryption, gone.keys),
        (Encryption::Shredded, Vec::new())
    );
    assert_eq!(store.encryption(&globex).await.unwrap(), theirs);
    assert_eq!(store.shred(&acme, &by, NOW).await.unwrap(), 0);
    // SQLite keeps no trace of it.
    assert_eq!(traces(&fixture, &own.sealed), 0);
    let anew = key(&acme);
    let on = store.encrypt(&acme, &anew, &by, NOW).await.unwrap();
    assert_eq!((on.encryption, on.keys), (Encryption::On, vec![anew]));
}

async fn a_tenant_has_so_many_keys_and_no_more(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await.tenant;
    let (store, by) = (&fixture.store.payload_keys, author("token:o"));
    store.encrypt(&acme, &key(&acme), &by, NOW).await.unwrap();
    for _ in 1..PAYLOAD_KEYS_MAX {
        store.rotate(&acme, &key(&acme), &by, NOW).await.unwrap();
    }
    let over = store.rotate(&acme, &key(&acme), &by, NOW).await;
    assert_eq!(over.unwrap_err().code(), Code::EncryptionConflict);
}

async fn keys_are_sealed_anew_unless_they_are_gone(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await.tenant;
    let (store, by) = (&fixture.store.payload_keys, author("token:a"));
    let (old, both) = (
        SecretKeys::parse(OLD).unwrap(),
        SecretKeys::parse(&format!("{NEW} {OLD}")).unwrap(),
    );
    let own = key(&acme);
    store.encrypt(&acme, &own, &by, NOW).await.unwrap();
    let under = store.payload_keys_under(old.first(), 10).await.unwrap();
    assert_eq!(under, [(acme.clone(), own.clone())]);
    assert_eq!(store.payload_keys_not_under(both.first()).await.unwrap(), 1);
    let anew = both.reseal_payload_key(&acme, &own).unwrap();
    let resealed = store.reseal_payload_key(&acme, &own, &anew, &by, NOW);
    assert!(resealed.await.unwrap());
    let kept = store.encryption(&acme).await.unwrap().keys;
    assert_eq!(kept, std::slice::from_ref(&anew));
    assert_eq!(store.payload_keys_not_under(both.first()).await.unwrap(), 0);
    let late = store.reseal_payload_key(&acme, &own, &anew, &by, NOW);
    assert!(!late.await.unwrap(), "it is another one now");
    store.shred(&acme, &by, NOW).await.unwrap();
    let lost = store.reseal_payload_key(&acme, &anew, &own, &by, NOW);
    assert!(!lost.await.unwrap());
    assert!(store.encryption(&acme).await.unwrap().keys.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_hears_that_keys_are_gone() {
    let fixture = Fixture::new(Place::Servers).await;
    let scope = fixture.scope("acme/production").await;
    let by = author("token:a");
    let grants = Default::default();
    let plugins = &fixture.store.plugins;
    plugins
        .put_grants(&scope, &payment(), &grants)
        .await
        .unwrap();
    let other = fixture.another_host().await;
    let mut there = other.changes.subscribe();
    let store = &fixture.store.payload_keys;
    store.shred(&scope.tenant, &by, NOW).await.unwrap();
    let heard = tokio::time::timeout(std::time::Duration::from_secs(5), there.next()).await;
    let changed = Change::Plugin(scope.clone(), payment());
    assert_eq!(heard.unwrap(), Some(changed));
    let gone = other.payload_keys.encryption(&scope.tenant).await.unwrap();
    assert_eq!(gone.encryption, Encryption::Shredded);
}
