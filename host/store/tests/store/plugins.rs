//! Plugins, their settings, and who hears of changes.

use tenterhook_domain::{
    Code,
    grant::Grants,
    policy::{OnDivergence, ReleasePolicy, SAMPLE_MAX},
};
use tenterhook_store::{AuditFilter, CHANGES_QUEUED_MAX, Change, Config, Cursor, Plugin};

use crate::{Fixture, NOW, admit, author, on_every_store, payment, promote, publish, scope};

on_every_store!(
    a_snapshot_holds_all_that_a_worker_needs,
    settings_are_checked,
    a_policy_is_kept_and_written_down,
    that_executions_may_have_moved_is_never_forgotten,
    changes_are_told_after_they_are_stored,
);

async fn a_snapshot_holds_all_that_a_worker_needs(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
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
    assert_eq!((ahead.line.current, &ahead.grants), (None, &grants));
    assert_eq!(ahead.policy, ReleasePolicy::default());
    let page = store.plugins.list(&acme, Cursor::FIRST).await.unwrap();
    let listed = Plugin {
        name: payment(),
        current: None,
    };
    assert_eq!(page.items, [listed]);

    let digest = admit(store, &acme, "one").await;
    let config = Config::from([("key".to_owned(), "välue\0".to_owned())]);
    store
        .plugins
        .put_config(&acme, &payment(), &config)
        .await
        .unwrap();
    let snapshot = store.plugins.snapshot(&acme, &payment()).await.unwrap();
    assert_eq!(snapshot.line.current, Some(digest));
    assert_eq!((snapshot.grants, snapshot.config), (grants, config));
    assert!(snapshot.revision > ahead.revision);
}

async fn settings_are_checked(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let mut grants = Grants::default();
    grants.limits.0.insert("no_such_limit".into(), 1);
    let refused = store.plugins.put_grants(&acme, &payment(), &grants).await;
    assert_eq!(refused.unwrap_err().code(), Code::GrantInvalid);
    let config = Config::from([(String::new(), String::new())]);
    let refused = store.plugins.put_config(&acme, &payment(), &config).await;
    assert_eq!(refused.unwrap_err().code(), Code::ConfigInvalid);
    let policy = ReleasePolicy {
        sample_open: SAMPLE_MAX + 1,
        ..ReleasePolicy::default()
    };
    let put = store
        .plugins
        .put_policy(&acme, &payment(), &policy, &author("x"), NOW)
        .await;
    assert_eq!(put.unwrap_err().code(), Code::PolicyInvalid);
    let elsewhere = scope("acme/nowhere");
    let refused = store
        .plugins
        .put_config(&elsewhere, &payment(), &Config::new())
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::EnvironmentNotFound);
    let missing = store.plugins.get(&acme, &payment()).await.unwrap_err();
    assert_eq!(missing.code(), Code::PluginNotFound);
}

async fn a_policy_is_kept_and_written_down(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let policy = ReleasePolicy {
        on_divergence: OnDivergence::Refuse,
        sample_closed: 7,
        ..ReleasePolicy::default()
    };
    let put = fixture
        .store
        .plugins
        .put_policy(&acme, &payment(), &policy, &author("token:o"), NOW)
        .await;
    put.unwrap();
    fixture.reopen().await;
    let store = &fixture.store;
    let snapshot = store.plugins.snapshot(&acme, &payment()).await.unwrap();
    assert_eq!(snapshot.policy, policy);
    assert!(!snapshot.moves);
    let log = store.audit.entries(AuditFilter::default(), Cursor::FIRST);
    let log = log.await.unwrap().items;
    let [entry] = log.as_slice() else {
        panic!("{log:?}")
    };
    assert_eq!((entry.action.as_str(), entry.digest), ("policy", None));
    assert_eq!(entry.author, author("token:o"));
    assert_eq!(
        serde_json::from_str::<ReleasePolicy>(&entry.detail).unwrap(),
        policy
    );
}

async fn that_executions_may_have_moved_is_never_forgotten(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let plugins = &fixture.store.plugins;
    let mut moves = Vec::new();
    for on_divergence in [
        OnDivergence::Pin,
        OnDivergence::Migrate,
        OnDivergence::Refuse,
    ] {
        let policy = ReleasePolicy {
            on_divergence,
            ..ReleasePolicy::default()
        };
        let (plugin, author) = (payment(), author("x"));
        let put = plugins.put_policy(&acme, &plugin, &policy, &author, NOW);
        put.await.unwrap();
        let snapshot = plugins.snapshot(&acme, &payment()).await.unwrap();
        assert_eq!(snapshot.policy, policy);
        moves.push(snapshot.moves);
    }
    assert_eq!(moves, [false, true, true]);
}

async fn changes_are_told_after_they_are_stored(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let mut listener = store.changes.subscribe();
    let expected = Some(Change::Plugin(acme.clone(), payment()));
    // The upload, and the two conclusions of its checks.
    admit(store, &acme, "one").await;
    for _ in 0..3 {
        assert_eq!(listener.try_next(), expected);
    }
    let two = admit(store, &acme, "two").await;
    for _ in 0..3 {
        assert_eq!(listener.try_next(), expected);
    }
    publish(store, &acme, "two").await;
    assert_eq!(listener.try_next(), None, "nothing changed");
    promote(store, &acme, two).await;
    assert_eq!(listener.try_next(), expected);
    let put = store
        .plugins
        .put_grants(&acme, &payment(), &Grants::default())
        .await;
    put.unwrap();
    assert_eq!(listener.try_next(), expected);

    for _ in 0..=CHANGES_QUEUED_MAX {
        store.changes.announce(&acme, &payment());
    }
    assert_eq!(listener.next().await, Some(Change::Missed));
}
