//! Key-value state.

use bytes::Bytes;
use tenterhook_domain::{Code, PluginName, Scope, grant::Grants};
use tenterhook_store::{Bucket, Cursor, STATE_KEY_BYTES_MAX, StateRoom, Store};

use crate::{Fixture, on_every_store, payment};

on_every_store!(
    keys_belong_to_one_bucket_of_one_plugin_of_one_scope,
    a_plugin_that_is_not_there_keeps_nothing,
    keys_are_listed_in_pages_the_empty_one_included,
    increments_at_once_all_count,
    a_value_is_changed_only_from_what_was_expected,
    of_writers_at_once_that_expect_the_same_one_wins,
    a_change_that_was_expected_is_held_against_the_room,
    keys_that_not_every_database_can_hold_are_refused,
);

const ROOM: StateRoom = StateRoom {
    keys: 1_000,
    bytes: 1_000_000,
};

/// There is state only of a plugin that is there.
async fn grant(store: &Store, scope: &Scope, plugin: &PluginName) {
    let none = Grants::default();
    store
        .plugins
        .put_grants(scope, plugin, &none)
        .await
        .unwrap();
}

fn text(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

async fn keys_belong_to_one_bucket_of_one_plugin_of_one_scope(fixture: Fixture) {
    let store = &fixture.store;
    let (acme, globex) = (
        fixture.scope("acme/production").await,
        fixture.scope("globex/production").await,
    );
    let (payment, billing) = (payment(), "billing".parse().unwrap());
    for (scope, plugin) in [(&acme, &payment), (&acme, &billing), (&globex, &payment)] {
        store
            .plugins
            .put_grants(scope, plugin, &Grants::default())
            .await
            .unwrap();
    }
    let bucket = |scope, plugin, name| Bucket {
        scope,
        plugin,
        name,
    };
    let own = bucket(&acme, &payment, "a");
    let others = [
        bucket(&acme, &payment, "b"),
        bucket(&acme, &billing, "a"),
        bucket(&globex, &payment, "a"),
    ];
    store
        .state
        .set(own, "key", text("one"), ROOM)
        .await
        .unwrap();
    store
        .state
        .set(own, "key", text("two"), ROOM)
        .await
        .unwrap();
    assert_eq!(
        store.state.get(own, "key").await.unwrap(),
        Some(text("two"))
    );
    for other in others {
        assert_eq!(store.state.get(other, "key").await.unwrap(), None);
        assert!(!store.state.exists(other, "key").await.unwrap());
        assert!(!store.state.delete(other, "key").await.unwrap());
        assert!(
            store
                .state
                .list(other, Cursor::FIRST)
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
    assert!(store.state.exists(own, "key").await.unwrap());
    assert!(store.state.delete(own, "key").await.unwrap());
    assert!(!store.state.exists(own, "key").await.unwrap());
}

async fn a_plugin_that_is_not_there_keeps_nothing(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let bucket = Bucket {
        scope: &acme,
        plugin: &payment(),
        name: "",
    };
    let refused = store
        .state
        .set(bucket, "key", text("x"), ROOM)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PluginNotFound);
    assert_eq!(store.state.get(bucket, "key").await.unwrap(), None);
}

async fn keys_are_listed_in_pages_the_empty_one_included(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let plugin = payment();
    store
        .plugins
        .put_grants(&acme, &plugin, &Grants::default())
        .await
        .unwrap();
    let bucket = Bucket {
        scope: &acme,
        plugin: &plugin,
        name: "",
    };
    for key in ["b", "", "a", "ä"] {
        store
            .state
            .set(bucket, key, Bytes::new(), ROOM)
            .await
            .unwrap();
    }
    let first = Cursor {
        after: None,
        limit: 3,
    };
    let page = store.state.list(bucket, first).await.unwrap();
    assert_eq!(
        (page.items, page.next.as_deref()),
        (vec![String::new(), "a".into(), "b".into()], Some("b"))
    );
    let second = Cursor {
        after: Some("b"),
        limit: 3,
    };
    let page = store.state.list(bucket, second).await.unwrap();
    assert_eq!((page.items, page.next), (vec!["ä".to_owned()], None));
}

async fn increments_at_once_all_count(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let plugin = payment();
    store
        .plugins
        .put_grants(&acme, &plugin, &Grants::default())
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let other = fixture.another_host().await;
    for number in 0..20 {
        let (scope, plugin) = (acme.clone(), plugin.clone());
        let store = [store, &other][number % 2].clone();
        tasks.spawn(async move {
            let bucket = Bucket {
                scope: &scope,
                plugin: &plugin,
                name: "",
            };
            store.state.increment(bucket, "n", 3, ROOM).await.unwrap()
        });
    }
    let mut sums = tasks.join_all().await;
    sums.sort_unstable();
    assert_eq!(sums, (1..=20).map(|n| n * 3).collect::<Vec<i64>>());

    let bucket = Bucket {
        scope: &acme,
        plugin: &plugin,
        name: "",
    };
    assert_eq!(
        store.state.get(bucket, "n").await.unwrap(),
        Some(text("60"))
    );
    assert_eq!(
        store.state.increment(bucket, "n", -61, ROOM).await.unwrap(),
        -1
    );
    store
        .state
        .set(bucket, "word", text("x"), ROOM)
        .await
        .unwrap();
    store
        .state
        .set(bucket, "full", text("9223372036854775807"), ROOM)
        .await
        .unwrap();
    for key in ["word", "full"] {
        let refused = store
            .state
            .increment(bucket, key, 1, ROOM)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::RequestInvalid, "{key}");
    }
}

async fn keys_that_not_every_database_can_hold_are_refused(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let plugin = payment();
    let put = store
        .plugins
        .put_grants(&acme, &plugin, &Grants::default())
        .await;
    put.unwrap();
    let bucket = |name| Bucket {
        scope: &acme,
        plugin: &plugin,
        name,
    };
    // No two bytes alike beside each other: an index must hold the key as it is.
    let longest: String = (0..STATE_KEY_BYTES_MAX - 1)
        .map(|n| char::from(b'!' + u8::try_from(n * n % 89).unwrap()))
        .collect();
    let own = bucket("b");
    store
        .state
        .set(own, &longest, text("x"), ROOM)
        .await
        .unwrap();
    assert_eq!(
        store.state.get(own, &longest).await.unwrap(),
        Some(text("x"))
    );
    let longer = format!("{longest}x");
    for (name, key) in [("b", longer.as_str()), ("b", "a\0b"), ("a\0b", "key")] {
        let bucket = bucket(name);
        let cursor = Cursor {
            after: Some(key),
            limit: 1,
        };
        let codes = [
            store.state.get(bucket, key).await.unwrap_err().code(),
            store
                .state
                .set(bucket, key, text("x"), ROOM)
                .await
                .unwrap_err()
                .code(),
            store.state.delete(bucket, key).await.unwrap_err().code(),
            store.state.exists(bucket, key).await.unwrap_err().code(),
            store
                .state
                .increment(bucket, key, 1, ROOM)
                .await
                .unwrap_err()
                .code(),
            store
                .state
                .compare_and_set(bucket, key, None, None, ROOM)
                .await
                .unwrap_err()
                .code(),
            store.state.list(bucket, cursor).await.unwrap_err().code(),
        ];
        assert_eq!(codes, [Code::RequestInvalid; 7]);
    }
}

async fn a_value_is_changed_only_from_what_was_expected(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let plugin = payment();
    grant(store, &acme, &plugin).await;
    let bucket = Bucket {
        scope: &acme,
        plugin: &plugin,
        name: "b",
    };
    let (one, two) = (Some("one"), Some("two"));
    // What is there, what is expected, what is wanted, and whether it is done.
    let cases = [
        (None, None, None, true),
        (None, None, one, true),
        (None, one, two, false),
        (None, one, None, false),
        (one, None, two, false),
        (one, None, None, false),
        (one, two, one, false),
        (one, two, None, false),
        (one, one, two, true),
        (one, one, one, true),
        (one, one, None, true),
        // An empty value is one.
        (Some(""), None, one, false),
        (Some(""), Some(""), one, true),
    ];
    for case in cases {
        let (before, expected, new, done) = case;
        store.state.delete(bucket, "key").await.unwrap();
        if let Some(before) = before {
            let set = store.state.set(bucket, "key", text(before), ROOM);
            set.await.unwrap();
        }
        let expected = expected.map(str::as_bytes);
        let swap = store
            .state
            .compare_and_set(bucket, "key", expected, new.map(text), ROOM);
        assert_eq!(swap.await.unwrap(), done, "{case:?}");
        let after = store.state.get(bucket, "key").await.unwrap();
        let wanted = if done { new } else { before };
        assert_eq!(after, wanted.map(text), "{case:?}");
    }
}

async fn of_writers_at_once_that_expect_the_same_one_wins(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let plugin = payment();
    grant(store, &acme, &plugin).await;
    let other = fixture.another_host().await;
    // Each adds one to what it read, again and again until it was the one that changed it; none is lost, on either host.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (scope, plugin) = (acme.clone(), plugin.clone());
        let store = [store, &other][number % 2].clone();
        tasks.spawn(async move {
            let bucket = Bucket {
                scope: &scope,
                plugin: &plugin,
                name: "",
            };
            let mut lost = 0_u32;
            loop {
                let before = store.state.get(bucket, "n").await.unwrap();
                let count: u32 = before.as_ref().map_or(0, |value| {
                    std::str::from_utf8(value).unwrap().parse().unwrap()
                });
                let new = Some(Bytes::from((count + 1).to_string()));
                let swap = store
                    .state
                    .compare_and_set(bucket, "n", before.as_deref(), new, ROOM);
                if swap.await.unwrap() {
                    return lost;
                }
                lost += 1;
                assert!(lost <= 100, "somebody always wins");
            }
        });
    }
    tasks.join_all().await;
    let bucket = Bucket {
        scope: &acme,
        plugin: &plugin,
        name: "",
    };
    assert_eq!(
        store.state.get(bucket, "n").await.unwrap(),
        Some(text("10"))
    );
}

async fn a_change_that_was_expected_is_held_against_the_room(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let plugin = payment();
    grant(store, &acme, &plugin).await;
    let bucket = Bucket {
        scope: &acme,
        plugin: &plugin,
        name: "b",
    };
    let one_key = StateRoom {
        keys: 1,
        bytes: 1_000_000,
    };
    let swap = |key, expected, new| {
        let expected: Option<&'static str> = expected;
        store.state.compare_and_set(
            bucket,
            key,
            expected.map(str::as_bytes),
            Option::<&'static str>::map(new, text),
            one_key,
        )
    };
    assert!(swap("a", None, Some("x")).await.unwrap());
    let refused = swap("b", None, Some("x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::KeyvalueLimitExceeded);
    assert!(!store.state.exists(bucket, "b").await.unwrap());
    // What was there may change, and go.
    assert!(swap("a", Some("x"), Some("yy")).await.unwrap());
    assert!(swap("a", Some("yy"), None).await.unwrap());
    assert!(swap("b", None, Some("x")).await.unwrap());
}
