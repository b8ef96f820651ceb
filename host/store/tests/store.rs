//! What every implementation of the store keeps, held against SQLite and a folder.

#![allow(clippy::unwrap_used)]

#[path = "store/state.rs"]
mod state;

use std::{collections::BTreeSet, path::Path};

use bytes::Bytes;
use tempfile::TempDir;
use tenterhook_domain::{
    Code, Digest, PluginName, Scope, TenantId,
    component::{Check, Metadata},
    context::Context,
    grant::Grants,
    release::{Release, ReleaseState},
    token::{self, Principal},
};
use tenterhook_store::{
    BLOBS_FOLDER, CHANGES_QUEUED_MAX, CONTEXT_KEYS_MAX, Change, Config, Cursor, DATABASE_FILE,
    Plugin, Store, Written,
};

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

#[tokio::test]
async fn tenants_and_environments_are_made_once_and_listed_by_name() {
    let Fixture { store, folder } = fixture().await;
    let acme: TenantId = "acme".parse().unwrap();
    let production = scope("acme/production");

    let code = |result: tenterhook_domain::Result<()>| result.unwrap_err().code();
    assert_eq!(
        code(store.tenants.require(&acme).await),
        Code::TenantNotFound
    );
    let orphan = store.environments.put(&production).await.unwrap_err();
    assert_eq!(orphan.code(), Code::TenantNotFound);

    assert_eq!(store.tenants.put(&acme).await.unwrap(), Written::Created);
    assert_eq!(store.tenants.put(&acme).await.unwrap(), Written::Unchanged);
    assert_eq!(
        code(store.environments.require(&production).await),
        Code::EnvironmentNotFound
    );
    for name in ["staging", "production"] {
        let scope = Scope::new(acme.clone(), name.parse().unwrap());
        assert_eq!(
            store.environments.put(&scope).await.unwrap(),
            Written::Created
        );
        assert_eq!(
            store.environments.put(&scope).await.unwrap(),
            Written::Unchanged
        );
    }

    store.database.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    store.environments.require(&production).await.unwrap();
    let names = store
        .environments
        .list(&acme, Cursor::FIRST)
        .await
        .unwrap()
        .items;
    assert_eq!(
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["production", "staging"]
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let Fixture {
        store,
        folder: _folder,
    } = fixture().await;
    let names: Vec<TenantId> = ["a", "b", "c", "d", "e"].map(|n| n.parse().unwrap()).into();
    for name in &names {
        store.tenants.put(name).await.unwrap();
    }
    let (mut seen, mut pages, mut after) = (Vec::new(), 0, None::<String>);
    loop {
        let cursor = Cursor {
            after: after.as_deref(),
            limit: 2,
        };
        let page = store.tenants.list(cursor).await.unwrap();
        seen.extend(page.items);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (names, 3));
}

#[tokio::test]
async fn the_first_release_is_current_and_a_repetition_changes_nothing() {
    let (Fixture { store, folder }, acme, _) = with_scopes().await;
    let (written, first) = publish(&store, &acme, b"one").await;
    assert_eq!(
        (written, first.state),
        (Written::Created, ReleaseState::Current)
    );
    let (written, second) = publish(&store, &acme, b"two").await;
    assert_eq!(
        (written, second.state),
        (Written::Created, ReleaseState::Ready)
    );

    let mut later = release(b"one");
    later.uploaded_at += 1;
    let again = store
        .publish(&acme, &payment(), &later, Bytes::from_static(b"one"))
        .await
        .unwrap();
    assert_eq!(again, (Written::Unchanged, first.clone()));

    let chosen = store
        .releases
        .set_current(&acme, &payment(), &second.digest)
        .await
        .unwrap();
    assert_eq!(chosen.state, ReleaseState::Current);

    store.database.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    let current = store.releases.current(&acme, &payment()).await.unwrap();
    assert_eq!(current, Some(chosen.clone()));
    let page = store
        .releases
        .list(&acme, &payment(), Cursor::FIRST)
        .await
        .unwrap();
    let ready = Release {
        state: ReleaseState::Ready,
        ..first.clone()
    };
    assert_eq!(page.items, [chosen, ready], "newest first");
    assert_eq!(
        store
            .component(&acme, &payment(), &first.digest)
            .await
            .unwrap(),
        "one"
    );
}

#[tokio::test]
async fn a_release_needs_its_scope_and_leaves_no_blob_without_it() {
    let Fixture {
        store,
        folder: _folder,
    } = fixture().await;
    let release = release(b"one");
    let refused = store
        .publish(
            &scope("acme/production"),
            &payment(),
            &release,
            Bytes::from_static(b"one"),
        )
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::TenantNotFound);
    assert!(!store.blobs.contains(&release.digest).await.unwrap());
}

#[tokio::test]
async fn scopes_do_not_see_each_other() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        globex,
    ) = with_scopes().await;
    let (_, release) = publish(&store, &acme, b"one").await;
    let config = Config::from([("url".to_owned(), "http://acme.test".to_owned())]);
    store
        .plugins
        .put_config(&acme, &payment(), &config)
        .await
        .unwrap();

    let plugin_codes = [
        store.plugins.get(&globex, &payment()).await.err(),
        store.plugins.snapshot(&globex, &payment()).await.err(),
        store.releases.current(&globex, &payment()).await.err(),
        store
            .releases
            .get(&globex, &payment(), &release.digest)
            .await
            .err(),
        store
            .releases
            .set_current(&globex, &payment(), &release.digest)
            .await
            .err(),
        store
            .component(&globex, &payment(), &release.digest)
            .await
            .err(),
        store
            .releases
            .list(&globex, &payment(), Cursor::FIRST)
            .await
            .err(),
    ];
    for error in plugin_codes {
        assert_eq!(error.unwrap().code(), Code::PluginNotFound);
    }
    assert!(
        store
            .plugins
            .list(&globex, Cursor::FIRST)
            .await
            .unwrap()
            .items
            .is_empty()
    );

    // The same plugin name elsewhere is another plugin.
    publish(&store, &globex, b"two").await;
    let snapshot = store.plugins.snapshot(&globex, &payment()).await.unwrap();
    assert_eq!(
        (snapshot.current, snapshot.config),
        (Some(Digest::of(b"two")), Config::new())
    );
    let refused = store
        .releases
        .set_current(&globex, &payment(), &release.digest)
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::ReleaseNotFound);
}

#[tokio::test]
async fn a_snapshot_holds_all_that_a_worker_needs() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let grants = Grants {
        keyvalue: true,
        ..Grants::default()
    };
    store
        .plugins
        .put_grants(&acme, &payment(), &grants)
        .await
        .unwrap();
    let ahead = store.plugins.snapshot(&acme, &payment()).await.unwrap();
    assert_eq!((ahead.current, &ahead.grants), (None, &grants));
    assert_eq!(
        store
            .plugins
            .list(&acme, Cursor::FIRST)
            .await
            .unwrap()
            .items,
        [Plugin {
            name: payment(),
            current: None
        }]
    );

    let (_, release) = publish(&store, &acme, b"one").await;
    let config = Config::from([("key".to_owned(), "välue".to_owned())]);
    store
        .plugins
        .put_config(&acme, &payment(), &config)
        .await
        .unwrap();
    let snapshot = store.plugins.snapshot(&acme, &payment()).await.unwrap();
    assert_eq!(snapshot.current, Some(release.digest));
    assert_eq!((snapshot.grants, snapshot.config), (grants, config));
    assert!(snapshot.revision > ahead.revision);
}

#[tokio::test]
async fn settings_are_checked() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let mut grants = Grants::default();
    grants.limits.0.insert("no_such_limit".into(), 1);
    let refused = store.plugins.put_grants(&acme, &payment(), &grants).await;
    assert_eq!(refused.unwrap_err().code(), Code::GrantInvalid);
    let config = Config::from([(String::new(), String::new())]);
    let refused = store.plugins.put_config(&acme, &payment(), &config).await;
    assert_eq!(refused.unwrap_err().code(), Code::ConfigInvalid);
    let elsewhere = scope("acme/nowhere");
    let refused = store
        .plugins
        .put_config(&elsewhere, &payment(), &Config::new())
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::EnvironmentNotFound);
}

#[tokio::test]
async fn changes_are_told_after_they_are_stored() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let mut listener = store.changes.subscribe();
    let expected = Some(Change::Plugin(acme.clone(), payment()));

    publish(&store, &acme, b"one").await;
    assert_eq!(listener.next().await, expected);
    let (_, second) = publish(&store, &acme, b"two").await;
    assert_eq!(listener.next().await, expected);
    store
        .releases
        .set_current(&acme, &payment(), &second.digest)
        .await
        .unwrap();
    assert_eq!(listener.next().await, expected);
    store
        .plugins
        .put_grants(&acme, &payment(), &Grants::default())
        .await
        .unwrap();
    assert_eq!(listener.next().await, expected);

    for _ in 0..=CHANGES_QUEUED_MAX {
        store.changes.announce(&acme, &payment());
    }
    assert_eq!(listener.next().await, Some(Change::Missed));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_choices_at_once_exactly_one_is_current() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let components: [&'static [u8]; 4] = [b"1", b"2", b"3", b"4"];
    for component in components {
        publish(&store, &acme, component).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for round in 0..40 {
        let (store, acme) = (store.clone(), acme.clone());
        let digest = Digest::of(components[round % components.len()]);
        tasks.spawn(async move {
            store
                .releases
                .set_current(&acme, &payment(), &digest)
                .await
                .unwrap();
            let page = store
                .releases
                .list(&acme, &payment(), Cursor::FIRST)
                .await
                .unwrap();
            page.items
                .iter()
                .filter(|release| release.state == ReleaseState::Current)
                .count()
        });
    }
    let seen: BTreeSet<usize> = tasks.join_all().await.into_iter().collect();
    assert_eq!(seen, BTreeSet::from([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_push_at_once_is_one_release() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, acme) = (store.clone(), acme.clone());
        tasks.spawn(async move { publish(&store, &acme, b"one").await });
    }
    let answers = tasks.join_all().await;
    let created = answers
        .iter()
        .filter(|(written, _)| *written == Written::Created);
    assert_eq!(created.count(), 1);
    assert!(answers.iter().all(|(_, release)| *release == answers[0].1));
}

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

#[tokio::test]
async fn blobs_are_checked_against_their_digest() {
    let Fixture { store, folder } = fixture().await;
    let digest = Digest::of(b"one");
    let missing = store.blobs.get(&digest).await.unwrap_err();
    assert_eq!(missing.code(), Code::ComponentMissing);
    let other = store.blobs.put(&digest, Bytes::from_static(b"two")).await;
    assert_eq!(other.unwrap_err().code(), Code::Internal);

    let one = || Bytes::from_static(b"one");
    assert_eq!(
        store.blobs.put(&digest, one()).await.unwrap(),
        Written::Created
    );
    assert_eq!(
        store.blobs.put(&digest, one()).await.unwrap(),
        Written::Unchanged
    );

    let file = only_file(&folder.path().join(BLOBS_FOLDER));
    std::fs::write(&file, b"One").unwrap();
    let damaged = store.blobs.get(&digest).await.unwrap_err();
    assert_eq!(damaged.code(), Code::StoreFailed);
    store.blobs.put(&digest, one()).await.unwrap();
    assert_eq!(
        store.blobs.get(&digest).await.unwrap(),
        one(),
        "a push repairs it"
    );
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [entry] = entries.as_slice() else {
        panic!("{} holds {entries:?}", folder.display())
    };
    if entry.is_dir() {
        only_file(entry)
    } else {
        entry.clone()
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
