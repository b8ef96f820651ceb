//! Tokens, and who can read what is secret.

use std::path::Path;

use tenterhook_domain::{
    Code,
    token::{self, Principal},
};
use tenterhook_store::{BLOBS_FOLDER, Cursor, DATABASE_FILE, Store};

use crate::{Fixture, NOW, on_every_store, payment};

on_every_store!(tokens_of_every_role_are_found_by_id_until_deleted);

async fn tokens_of_every_role_are_found_by_id_until_deleted(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let operator = |tenant: &str| Principal::Operator {
        tenant: tenant.parse().unwrap(),
    };
    let author = Principal::Author {
        scope: acme.clone(),
        plugin: payment(),
    };
    let caller = Principal::Caller { scope: acme };
    let mut issued = Vec::new();
    for (principal, label, end) in [
        (Principal::Admin, "", None),
        (operator("acme"), "the pipeline's", Some(NOW + 1)),
        (author, "välue", Some(u64::try_from(i64::MAX).unwrap())),
        (caller, "x", None),
    ] {
        let new = token::issue(principal, label, NOW, end).unwrap();
        fixture.store.tokens.insert(&new.record).await.unwrap();
        issued.push(new);
    }
    let stranger = token::issue(operator("nobody"), "", NOW, None).unwrap();
    let refused = fixture.store.tokens.insert(&stranger.record).await;
    assert_eq!(refused.unwrap_err().code(), Code::TenantNotFound);

    fixture.reopen().await;
    let tokens = &fixture.store.tokens;
    for new in &issued {
        let found = tokens.find(&new.record.id).await.unwrap().unwrap();
        assert_eq!(found, new.record);
        assert!(found.matches(token::parse(&new.text).unwrap().1));
    }
    let mut records: Vec<_> = issued.iter().map(|new| new.record.clone()).collect();
    records.sort_by(|one, other| one.id.as_bytes().cmp(other.id.as_bytes()));
    let listed = tokens.list(Cursor::FIRST).await.unwrap().items;
    assert_eq!(listed, records, "by the bytes of their ids");

    let admin = &issued[0].record.id;
    assert!(tokens.delete(admin).await.unwrap());
    assert!(!tokens.delete(admin).await.unwrap());
    assert_eq!(tokens.find(admin).await.unwrap(), None);
}

#[tokio::test]
async fn a_tokens_secret_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let new = token::issue(Principal::Admin, "", NOW, None).unwrap();
    store.tokens.insert(&new.record).await.unwrap();
    store.database.close().await;
    assert!(folder.path().join(BLOBS_FOLDER).is_dir());
    let bytes = std::fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    let stands = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    assert!(stands(new.record.id.as_bytes()), "this is the file");
    let secret = token::parse(&new.text).unwrap().1.as_bytes();
    assert!(!stands(secret), "the secret stands in the file");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("data");
    let store = Store::open(&inside).await.unwrap();
    store.database.ping().await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    for entry in std::fs::read_dir(&inside).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}
