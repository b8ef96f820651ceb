//! Many hosts on one PostgreSQL database: who hears of what, and what happens while the database is away.

use std::time::{Duration, Instant};

use tenterhook_domain::{Code, Scope, context::Context, grant::Grants};
use tenterhook_store::{Change, ChangeListener, Store};

use crate::{Fixture, NOW, Place, payment, postgres::Postgres, scope};

/// How soon another host must have heard of a change.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// How long a test waits for what must come, on a busy machine.
const COMES_WITHIN: Duration = Duration::from_secs(30);

async fn two_hosts() -> (Fixture, Store, Scope) {
    let fixture = Fixture::new(Place::Servers).await;
    let acme = fixture.scope("acme/production").await;
    let other = fixture.another_host().await;
    (fixture, other, acme)
}

async fn change(store: &Store, scope: &Scope) {
    let put = store
        .plugins
        .put_grants(scope, &payment(), &Grants::default())
        .await;
    put.unwrap();
}

async fn next(listener: &mut ChangeListener) -> Change {
    let next = tokio::time::timeout(COMES_WITHIN, listener.next()).await;
    next.expect("a change is told").unwrap()
}

/// Waits for `change`, passing over what may come beside it.
async fn hear(listener: &mut ChangeListener, change: &Change) {
    while next(listener).await != *change {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_heard_by_every_host_once() {
    let (fixture, other, acme) = two_hosts().await;
    let (mut here, mut there) = (fixture.store.changes.subscribe(), other.changes.subscribe());
    let changed = Change::Plugin(acme.clone(), payment());
    let begin = Instant::now();
    for _ in 0..10 {
        let before = Instant::now();
        change(&fixture.store, &acme).await;
        assert_eq!(
            here.try_next(),
            Some(changed.clone()),
            "at once where it is made"
        );
        assert_eq!(next(&mut there).await, changed);
        let passed = before.elapsed();
        assert!(passed < HEARD_WITHIN, "{passed:?}");
    }
    // Without notifications, each would have waited for the half second to pass after which hosts look anyway.
    let passed = begin.elapsed();
    assert!(passed < Duration::from_millis(10 * 500 / 2), "{passed:?}");
    // A change the other way comes after all of the first kind: had one been told twice, it would be here.
    let back = scope("acme/production");
    change(&other, &back).await;
    assert_eq!(next(&mut here).await, changed);
    assert_eq!(there.try_next(), Some(changed));
    assert_eq!((here.try_next(), there.try_next()), (None, None));
}

/// Ends the connections that listen, as a failing network does.
fn cut_listeners(fixture: &Fixture) {
    let cut = Postgres::shared().sql(
        &fixture.database,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'tenterhook listener'",
    );
    assert_ne!(cut, "0", "somebody listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_made_again_and_nothing_is_missed() {
    let (fixture, other, acme) = two_hosts().await;
    let mut there = other.changes.subscribe();
    let changed = Change::Plugin(acme.clone(), payment());
    change(&fixture.store, &acme).await;
    assert_eq!(next(&mut there).await, changed);
    for _ in 0..3 {
        cut_listeners(&fixture);
        // Made while nobody listens: told by what is told after every new connection.
        change(&fixture.store, &acme).await;
        hear(&mut there, &Change::Missed).await;
        let before = Instant::now();
        change(&fixture.store, &acme).await;
        hear(&mut there, &changed).await;
        let passed = before.elapsed();
        assert!(passed < HEARD_WITHIN, "{passed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_a_notification_is_noticed() {
    let (fixture, other, acme) = two_hosts().await;
    let mut there = other.changes.subscribe();
    let changed = Change::Plugin(acme.clone(), payment());
    change(&fixture.store, &acme).await;
    assert_eq!(next(&mut there).await, changed);
    let before = Instant::now();
    let silent = "WITH counted AS (UPDATE changes SET number = number + 1 RETURNING number) \
                  UPDATE plugins SET changed = counted.number, changed_by = 'nobody' FROM counted";
    Postgres::shared().sql(&fixture.database, silent);
    assert_eq!(next(&mut there).await, changed);
    let passed = before.elapsed();
    assert!(passed < HEARD_WITHIN, "{passed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_nothing_is_told_and_then_that_much_was_missed() {
    let (fixture, other, acme) = two_hosts().await;
    let mut there = other.changes.subscribe();
    change(&fixture.store, &acme).await;
    next(&mut there).await;

    let (server, database) = (Postgres::shared(), fixture.database.as_str());
    let allow = |allowed: bool| {
        server.sql(
            "postgres",
            &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}"),
        )
    };
    allow(false);
    server.sql(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        ),
    );
    for _ in 0..3 {
        let away = other.database.ping().await.unwrap_err();
        assert_eq!(away.code(), Code::StoreUnavailable);
    }
    let silent = tokio::time::timeout(HEARD_WITHIN, there.next()).await;
    assert!(silent.is_err(), "what is known stays known: {silent:?}");

    allow(true);
    assert_eq!(next(&mut there).await, Change::Missed);
    other.database.ping().await.unwrap();
    change(&fixture.store, &acme).await;
    assert_eq!(next(&mut there).await, Change::Plugin(acme, payment()));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_start_at_once_share_tables_and_the_first_key() {
    let fixture = Fixture::new(Place::Servers).await;
    // From nothing: not even the tables are there.
    let fresh = format!("{}_fresh", fixture.database);
    let mut config = fixture.config.clone();
    config.database = Postgres::shared().database(&fresh);
    let mut hosts = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let config = config.clone();
        hosts.spawn(async move {
            let store = Store::connect(&config).await.unwrap();
            store.context_keys.load_or_create(NOW).await.unwrap()
        });
    }
    let context = Context {
        scope: scope("acme/production"),
        plugin: payment(),
        workflow_id: "acme/production/p-1".into(),
        digest: None,
        begins_by: None,
    };
    let keys = hosts.join_all().await;
    let tokens: Vec<_> = keys
        .iter()
        .map(|keys| keys.at(NOW).sign(&context).unwrap())
        .collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(
        Postgres::shared().sql(&fresh, "SELECT count(*) FROM context_keys"),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_lead_nowhere_are_errors_that_keep_the_password() {
    let fixture = Fixture::new(Place::Servers).await;
    let good = &fixture.config.database;
    let nowhere = good.replace(&fixture.database, "nowhere");
    let missing = nowhere.replace("tenterhook@", "tenterhook:geheim@");
    for (database, code) in [
        ("", Code::HostConfigInvalid),
        ("mysql://geheim@127.0.0.1/x", Code::HostConfigInvalid),
        ("postgres://a:geheim@[::1", Code::HostConfigInvalid),
        (missing.as_str(), Code::StoreFailed),
        ("sqlite:/proc/nowhere/rows.db", Code::StoreFailed),
    ] {
        let mut config = fixture.config.clone();
        config.database = database.to_owned();
        let Err(error) = Store::connect(&config).await else {
            panic!("{database:?} is taken");
        };
        assert_eq!(error.code(), code, "{database:?}");
        let words = format!("{error} {}", error.source_text());
        assert!(!words.contains("geheim"), "{words}");
    }
}
