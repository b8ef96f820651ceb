//! Key-value state.

use bytes::Bytes;
use tenterhook_domain::{Code, grant::Grants};
use tenterhook_store::{Bucket, Cursor};

use crate::{Fixture, payment, with_scopes};

fn text(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

#[tokio::test]
async fn keys_belong_to_one_bucket_of_one_plugin_of_one_scope() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        globex,
    ) = with_scopes().await;
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
    store.state.set(own, "key", text("one")).await.unwrap();
    store.state.set(own, "key", text("two")).await.unwrap();
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

#[tokio::test]
async fn a_plugin_that_is_not_there_keeps_nothing() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let bucket = Bucket {
        scope: &acme,
        plugin: &payment(),
        name: "",
    };
    let refused = store.state.set(bucket, "key", text("x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PluginNotFound);
    assert_eq!(store.state.get(bucket, "key").await.unwrap(), None);
}

#[tokio::test]
async fn keys_are_listed_in_pages_the_empty_one_included() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
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
        store.state.set(bucket, key, Bytes::new()).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn increments_at_once_all_count() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        _,
    ) = with_scopes().await;
    let plugin = payment();
    store
        .plugins
        .put_grants(&acme, &plugin, &Grants::default())
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (store, scope, plugin) = (store.clone(), acme.clone(), plugin.clone());
        tasks.spawn(async move {
            let bucket = Bucket {
                scope: &scope,
                plugin: &plugin,
                name: "",
            };
            store.state.increment(bucket, "n", 3).await.unwrap()
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
    assert_eq!(store.state.increment(bucket, "n", -61).await.unwrap(), -1);
    store.state.set(bucket, "word", text("x")).await.unwrap();
    store
        .state
        .set(bucket, "full", text("9223372036854775807"))
        .await
        .unwrap();
    for key in ["word", "full"] {
        let refused = store.state.increment(bucket, key, 1).await.unwrap_err();
        assert_eq!(refused.code(), Code::RequestInvalid, "{key}");
    }
}
