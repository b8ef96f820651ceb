//! What admins allow a tenant, and how it is counted.

use std::time::Duration;

use bytes::Bytes;
use tenterhook_domain::{
    Code, TenantId,
    limit::{LimitOverrides, LimitPolicy},
    quota::{QuotaOverrides, Quotas},
};
use tenterhook_store::{Bucket, Change, Cursor, Kept, StateRoom, Store, Taken};

use crate::{
    Fixture, NOW, Place, admit, author, component, on_every_store, payment, publish, release,
};

on_every_store!(
    what_is_allowed_is_kept_and_written_down,
    hosts_take_no_more_starts_than_there_are,
    of_two_that_push_one_gets_the_last_place,
    state_is_counted_whatever_becomes_of_it,
    a_plugin_without_room_may_only_keep_less,
);

/// So much that no test comes near it.
const ROOM: StateRoom = StateRoom {
    keys: 1_000,
    bytes: 1_000_000,
};

fn set(quotas: &[(&str, u64)]) -> QuotaOverrides {
    let pairs = quotas.iter();
    QuotaOverrides(
        pairs
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect(),
    )
}

/// Sets the quotas, as an admin does.
async fn put(store: &Store, tenant: &TenantId, quotas: &[(&str, u64)]) {
    let (quotas, admin) = (set(quotas), author("token:a"));
    let put = store
        .allowances
        .put_quotas(tenant, &quotas, None, &admin, NOW);
    put.await.unwrap();
}

fn ceiling(value: u64) -> LimitPolicy {
    LimitPolicy {
        ceilings: LimitOverrides([("memory_bytes".to_owned(), value)].into()),
        ..LimitPolicy::default()
    }
}

async fn what_is_allowed_is_kept_and_written_down(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let tenant = &acme.tenant;
    publish(&fixture.store, &acme, "one").await;
    let allowances = fixture.store.allowances.clone();
    let (somebody, nowhere) = (author("token:a"), "nobody".parse().unwrap());
    assert_eq!(allowances.quotas(tenant).await.unwrap(), set(&[]));
    let wanted = set(&[("releases", 3)]);
    let put = async |quotas: &QuotaOverrides, expected: Option<&QuotaOverrides>| {
        let put = allowances.put_quotas(tenant, quotas, expected, &somebody, NOW);
        put.await.map_err(|error| error.code())
    };
    assert_eq!(
        put(&wanted, Some(&wanted)).await,
        Err(Code::PreconditionFailed)
    );
    assert_eq!(put(&wanted, Some(&set(&[]))).await, Ok(()));
    assert_eq!(put(&set(&[("x", 1)]), None).await, Err(Code::QuotaInvalid));
    let policy = ceiling(1 << 20);
    let mut changes = fixture.store.changes.subscribe();
    let heavy = set(&[("releases", 3), ("weight", 7)]);
    assert_eq!(put(&heavy, None).await, Ok(()));
    // Whoever remembers plugins hears of another weight, and of nothing else here.
    assert_eq!(changes.try_next(), Some(Change::Missed));
    let lighter = set(&[("releases", 4), ("weight", 7)]);
    assert_eq!(put(&lighter, None).await, Ok(()));
    assert_eq!(changes.try_next(), None);
    let put = allowances.put_limit_policy(tenant, &policy, None, &somebody, NOW);
    put.await.unwrap();
    assert_eq!(changes.try_next(), Some(Change::Missed));
    let wrong = ceiling(1);
    let refused = allowances.put_limit_policy(tenant, &wrong, None, &somebody, NOW);
    assert_eq!(refused.await.unwrap_err().code(), Code::LimitInvalid);
    for error in [
        allowances.quotas(&nowhere).await.unwrap_err(),
        allowances.limit_policy(&nowhere).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::TenantNotFound);
    }

    fixture.reopen().await;
    let store = &fixture.store;
    assert_eq!(store.allowances.quotas(tenant).await.unwrap(), lighter);
    assert_eq!(store.allowances.limit_policy(tenant).await.unwrap(), policy);
    let snapshot = store.plugins.snapshot(&acme, &payment()).await.unwrap();
    assert_eq!(
        (snapshot.tenant_limits.clone(), snapshot.weight),
        (policy, 7)
    );
    let nothing = LimitOverrides::default();
    assert_eq!(snapshot.limits(&nothing).memory_bytes, 1 << 20);
    let granted = snapshot.bounded_grants().limits.apply().unwrap();
    assert_eq!(granted.memory_bytes, 1 << 20);
    let log = store
        .audit
        .entries_of(tenant, None, Cursor::FIRST)
        .await
        .unwrap();
    let actions: Vec<_> = log
        .items
        .iter()
        .map(|entry| entry.action.as_str())
        .collect();
    assert_eq!(actions[..2], ["limits", "quotas"]);
}

/// Many take at once, on two hosts where there can be two.
async fn hosts_take_no_more_starts_than_there_are(fixture: Fixture) {
    let tenant = fixture.scope("acme/production").await.tenant;
    let other = fixture.another_host().await;
    let quotas = Quotas {
        starts_per_second: 4,
        starts_burst: 10,
        ..Quotas::default()
    };
    let mut taking = Vec::new();
    for n in 0..20 {
        let store = if n % 2 == 0 { &fixture.store } else { &other };
        let (allowances, tenant) = (store.allowances.clone(), tenant.clone());
        taking.push(tokio::spawn(async move {
            allowances
                .take_starts(&tenant, &quotas, 1, NOW)
                .await
                .unwrap()
        }));
    }
    let mut taken = 0;
    for one in taking {
        match one.await.unwrap() {
            Taken::All => taken += 1,
            Taken::None(wait) => assert_eq!(wait, Duration::from_millis(250)),
        }
    }
    assert_eq!(taken, 10);
    let allowances = &fixture.store.allowances;
    let lacking = async |at| allowances.starts_taken(&tenant, &quotas, at).await.unwrap();
    assert_eq!(lacking(NOW).await, 10);
    assert_eq!(lacking(NOW + 1_000).await, 6);
    let take = async |number, at| {
        let taken = allowances.take_starts(&tenant, &quotas, number, at);
        taken.await.unwrap()
    };
    assert_eq!(
        take(3, NOW + 500).await,
        Taken::None(Duration::from_millis(250))
    );
    assert_eq!(take(2, NOW + 500).await, Taken::All);
    // However long nobody starts anything, there are no more than the burst; nobody waits for more than there can be.
    assert_eq!(take(11, NOW + 3_600_000).await, Taken::All);
    assert_eq!(
        take(1, NOW + 3_600_000).await,
        Taken::None(Duration::from_millis(250))
    );
    // At another rate the bucket begins anew.
    put(&fixture.store, &tenant, &[]).await;
    assert_eq!(lacking(NOW + 3_600_000).await, 0);
}

async fn of_two_that_push_one_gets_the_last_place(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let (tenant, store) = (&acme.tenant, &fixture.store);
    publish(store, &acme, "one").await;
    put(store, tenant, &[("releases", 2)]).await;
    let other = fixture.another_host().await;
    let push = async |store: &Store, plugin: &str, text: &'static str| {
        let (plugin, somebody) = (plugin.parse().unwrap(), author("token:a"));
        let (release, bytes) = (release(text), component(text));
        let published = store.publish(&acme, &plugin, &release, bytes, &somebody);
        published.await.map_err(|error| error.code())
    };
    let (first, second) = tokio::join!(
        push(store, "payment", "two"),
        push(&other, "billing", "three")
    );
    let refused: Vec<_> = [first, second]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(refused, [Code::QuotaExceeded]);
    assert!(push(store, "payment", "one").await.is_ok(), "it is there");
    let kept = store.allowances.kept(tenant).await.unwrap();
    assert_eq!(kept.releases, 2);
}

async fn state_is_counted_whatever_becomes_of_it(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let store = &fixture.store;
    admit(store, &acme, "12345").await;
    let payment = payment();
    let bucket = Bucket {
        scope: &acme,
        plugin: &payment,
        name: "ab",
    };
    let kept = async || {
        store
            .allowances
            .kept(&acme.tenant)
            .await
            .unwrap()
            .state_bytes
    };
    let set = async |key: &str, bytes: usize| {
        let value = Bytes::from(vec![b'x'; bytes]);
        store.state.set(bucket, key, value, ROOM).await.unwrap();
    };
    set("ö", 10).await;
    assert_eq!(kept().await, 14);
    set("ö", 3).await;
    assert_eq!(kept().await, 7);
    store.state.increment(bucket, "n", 99, ROOM).await.unwrap();
    assert_eq!(kept().await, 12);
    store.state.increment(bucket, "n", 1, ROOM).await.unwrap();
    assert_eq!(kept().await, 13);
    assert!(store.state.delete(bucket, "ö").await.unwrap());
    assert!(!store.state.delete(bucket, "ö").await.unwrap());
    let now = store.allowances.kept(&acme.tenant).await.unwrap();
    let expected = Kept {
        releases: 1,
        component_bytes: 5,
        state_bytes: 6,
    };
    assert_eq!(now, expected);
}

async fn a_plugin_without_room_may_only_keep_less(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let store = &fixture.store;
    publish(store, &acme, "one").await;
    let payment = payment();
    let bucket = Bucket {
        scope: &acme,
        plugin: &payment,
        name: "b",
    };
    let set_within = async |key: &str, bytes: usize, room: StateRoom| {
        let value = Bytes::from(vec![b'x'; bytes]);
        let set = store.state.set(bucket, key, value, room).await;
        set.map_err(|error| (error.code(), error.detail().to_owned()))
    };
    let one = StateRoom { keys: 1, ..ROOM };
    assert_eq!(set_within("a", 10, one).await, Ok(()));
    let (code, detail) = set_within("b", 1, one).await.unwrap_err();
    assert_eq!(code, Code::KeyvalueLimitExceeded);
    for part in ["keyvalue_keys", "would keep 2", "is 1", "raise"] {
        assert!(detail.contains(part), "{detail}");
    }
    let refused = store
        .state
        .increment(bucket, "n", 1, one)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::KeyvalueLimitExceeded);
    let small = StateRoom { bytes: 5, ..ROOM };
    let (code, detail) = set_within("a", 11, small).await.unwrap_err();
    assert_eq!(code, Code::KeyvalueLimitExceeded);
    assert!(detail.contains("keyvalue_bytes"), "{detail}");
    assert_eq!(
        set_within("a", 9, small).await,
        Ok(()),
        "it is less than before"
    );
    assert_eq!(
        store.state.get(bucket, "a").await.unwrap().unwrap().len(),
        9
    );
    assert!(!store.state.exists(bucket, "b").await.unwrap());
    assert!(!store.state.exists(bucket, "n").await.unwrap());

    put(store, &acme.tenant, &[("state_bytes", 20)]).await;
    assert_eq!(set_within("c", 7, ROOM).await, Ok(()));
    let (code, detail) = set_within("d", 1, ROOM).await.unwrap_err();
    assert_eq!(code, Code::QuotaExceeded);
    assert!(detail.contains("state_bytes"), "{detail}");
}

/// On one PostgreSQL database, another host's listeners are told of each plugin of the tenant and of no other.
#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_tenant_are_heard_of_by_every_host() {
    let fixture = Fixture::new(Place::Servers).await;
    let (acme, globex) = (
        fixture.scope("acme/production").await,
        fixture.scope("globex/production").await,
    );
    for scope in [&acme, &globex] {
        publish(&fixture.store, scope, "one").await;
    }
    let staging = fixture.scope("acme/staging").await;
    publish(&fixture.store, &staging, "one").await;
    let other = fixture.another_host().await;
    let mut there = other.changes.subscribe();
    let (policy, admin) = (ceiling(1 << 20), author("token:a"));
    let allowances = &fixture.store.allowances;
    let put = allowances.put_limit_policy(&acme.tenant, &policy, None, &admin, NOW);
    put.await.unwrap();
    let mut heard = Vec::new();
    for _ in 0..2 {
        let next = tokio::time::timeout(Duration::from_secs(30), there.next()).await;
        match next.expect("a change is told").unwrap() {
            Change::Plugin(scope, _) => heard.push(scope),
            Change::Missed => panic!("each is told of by name"),
        }
    }
    heard.sort_by_key(ToString::to_string);
    assert_eq!(heard, [acme, staging]);
    assert_eq!(there.try_next(), None);
}
