//! Plugins, releases, and who hears of changes.

use std::collections::BTreeSet;

use bytes::Bytes;
use tenterhook_domain::{
    Code, Digest,
    grant::Grants,
    release::{Release, ReleaseState},
};
use tenterhook_store::{CHANGES_QUEUED_MAX, Change, Config, Cursor, Plugin, Store, Written};

use crate::{Fixture, fixture, payment, publish, release, scope, with_scopes};

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
