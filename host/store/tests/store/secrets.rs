//! Tokens, signing keys, and who can read them.

use std::path::Path;

use tenterhook_domain::{
    Code,
    context::Context,
    token::{self, Principal},
};
use tenterhook_store::{CONTEXT_KEYS_MAX, Cursor, DATABASE_FILE, Store};

use crate::{Fixture, fixture, payment, scope, with_scopes};

#[tokio::test]
async fn tokens_are_found_by_id_until_deleted() {
    let (Fixture { store, folder }, acme, _) = with_scopes().await;
    let admin = token::issue(Principal::Admin).unwrap();
    let tenant = token::issue(Principal::Tenant(acme.tenant.clone())).unwrap();
    let stranger = token::issue(Principal::Tenant("nobody".parse().unwrap())).unwrap();
    store.tokens.insert(&admin.record).await.unwrap();
    store.tokens.insert(&tenant.record).await.unwrap();
    let refused = store.tokens.insert(&stranger.record).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantNotFound);

    store.database.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    for new in [&admin, &tenant] {
        let found = store.tokens.find(&new.record.id).await.unwrap().unwrap();
        assert_eq!(found, new.record);
        assert!(found.matches(token::parse(&new.text).unwrap().1));
    }
    assert_eq!(
        store.tokens.list(Cursor::FIRST).await.unwrap().items.len(),
        2
    );
    assert!(store.tokens.delete(&admin.record.id).await.unwrap());
    assert!(!store.tokens.delete(&admin.record.id).await.unwrap());
    assert_eq!(store.tokens.find(&admin.record.id).await.unwrap(), None);
    let bytes = std::fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    let secret = token::parse(&tenant.text).unwrap().1.as_bytes();
    assert!(
        !bytes.windows(secret.len()).any(|window| window == secret),
        "the secret stands in the file"
    );
}

#[tokio::test]
async fn context_keys_are_shared_and_rotate_without_a_gap() {
    let Fixture { store, folder } = fixture().await;
    let context = Context {
        scope: scope("acme/production"),
        plugin: payment(),
        workflow_id: "acme/production/p-1".into(),
        digest: None,
    };
    let (one, other) = tokio::join!(
        store.context_keys.load_or_create(),
        store.context_keys.load_or_create()
    );
    let token = one.unwrap().sign(&context).unwrap();
    other
        .unwrap()
        .verify(&token, &context.workflow_id)
        .expect("both made the same key");

    store.database.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    let loaded = store.context_keys.load_or_create().await.unwrap();
    assert_eq!(loaded.sign(&context).unwrap(), token);
    for rotation in 1..=CONTEXT_KEYS_MAX {
        let keys = store.context_keys.rotate().await.unwrap();
        assert_ne!(keys.sign(&context).unwrap(), token);
        assert_eq!(
            keys.verify(&token, &context.workflow_id).is_ok(),
            rotation < CONTEXT_KEYS_MAX,
            "rotation {rotation}"
        );
    }
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
