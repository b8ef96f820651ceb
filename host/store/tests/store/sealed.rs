//! Encrypted secrets of plugins.

use tenterhook_domain::{
    Code, Scope,
    secret::{SECRETS_MAX, SecretValue},
    secret_key::{Sealed, SecretKeys, SecretPlace},
};
use tenterhook_store::{AuditFilter, Cursor, DATABASE_FILE, Secrets, Store};

use crate::{Fixture, NOW, author, on_every_store, payment, scope};

const VALUE: &str = "sk_live_0123456789abcdef";
const OLD: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";

on_every_store!(
    secrets_belong_to_one_plugin_of_one_scope,
    a_secret_in_another_place_does_not_open,
    what_is_done_to_secrets_is_written_down,
    a_plugin_has_so_many_secrets_and_no_more,
    secrets_are_sealed_anew_unless_they_were_set_meanwhile,
    a_plugin_comes_with_its_first_secret,
);

fn keys(text: &str) -> SecretKeys {
    SecretKeys::parse(text).unwrap()
}

fn place(scope: &Scope, plugin: &str, name: &str) -> SecretPlace {
    SecretPlace {
        scope: scope.clone(),
        plugin: plugin.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

fn sealed(keys: &SecretKeys, place: &SecretPlace, value: &str) -> Sealed {
    let value = SecretValue::new(value.to_owned()).unwrap();
    keys.seal(place, &value).unwrap()
}

/// Sets a secret and answers how it is sealed.
async fn set(secrets: &dyn Secrets, keys: &SecretKeys, place: &SecretPlace, value: &str) -> Sealed {
    let sealed = sealed(keys, place, value);
    let put = secrets.put(place, &sealed, &author("token:o"), NOW).await;
    put.unwrap();
    sealed
}

async fn names(store: &Store, scope: &Scope, plugin: &str) -> Vec<String> {
    let listed = store.secrets.list(scope, &plugin.parse().unwrap()).await;
    let names = listed.unwrap().into_iter().map(|one| one.name.to_string());
    names.collect()
}

async fn secrets_belong_to_one_plugin_of_one_scope(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let globex = fixture.scope("globex/production").await;
    let (keys, secrets) = (keys(OLD), fixture.store.secrets.clone());
    let own = place(&acme, "payment", "api-key");
    for (other, value) in [
        (place(&acme, "payment", "b-key"), "another value"),
        (place(&acme, "billing", "api-key"), "billing's value"),
        (place(&globex, "payment", "api-key"), "globex's value"),
    ] {
        set(&*secrets, &keys, &other, value).await;
    }
    set(&*secrets, &keys, &own, "the first value").await;
    let newest = set(&*secrets, &keys, &own, VALUE).await;
    fixture.reopen().await;
    let store = &fixture.store;
    assert_eq!(store.secrets.get(&own).await.unwrap(), Some(newest));
    assert_eq!(names(store, &acme, "payment").await, ["api-key", "b-key"]);
    let listed = store.secrets.list(&acme, &payment()).await.unwrap();
    assert_eq!(listed[0].set_at, NOW);
    assert_eq!(listed[0].key, keys.first());

    let deleter = author("token:d");
    assert!(store.secrets.delete(&own, &deleter, NOW).await.unwrap());
    assert!(!store.secrets.delete(&own, &deleter, NOW).await.unwrap());
    assert_eq!(store.secrets.get(&own).await.unwrap(), None);
    assert_eq!(names(store, &acme, "payment").await, ["b-key"]);
    assert_eq!(names(store, &acme, "billing").await, ["api-key"]);
    assert_eq!(names(store, &globex, "payment").await, ["api-key"]);
}

/// As somebody does who can write to the database.
async fn a_secret_in_another_place_does_not_open(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let globex = fixture.scope("globex/production").await;
    let (keys, secrets) = (keys(OLD), &fixture.store.secrets);
    let own = place(&acme, "payment", "api-key");
    let row = set(&**secrets, &keys, &own, VALUE).await;
    for other in [
        place(&globex, "payment", "api-key"),
        place(&acme, "billing", "api-key"),
        place(&acme, "payment", "other"),
    ] {
        let put = secrets.put(&other, &row, &author("token:t"), NOW).await;
        put.unwrap();
        let copied = secrets.get(&other).await.unwrap().unwrap();
        assert_eq!(copied, row);
        let opened = keys.open(&other, &copied);
        assert_eq!(opened.unwrap_err().code(), Code::SecretUnreadable);
    }
    let found = secrets.get(&own).await.unwrap().unwrap();
    assert_eq!(keys.open(&own, &found).unwrap().reveal(), VALUE);
}

async fn what_is_done_to_secrets_is_written_down(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let (keys, store) = (keys(OLD), &fixture.store);
    let own = place(&acme, "payment", "api-key");
    set(&*store.secrets, &keys, &own, VALUE).await;
    let deleter = author("token:d");
    store.secrets.delete(&own, &deleter, NOW).await.unwrap();
    // What changes nothing is not noted.
    store.secrets.delete(&own, &deleter, NOW).await.unwrap();
    let filter = AuditFilter::default();
    let log = store.audit.entries(filter, Cursor::FIRST).await.unwrap();
    let noted: Vec<_> = log
        .items
        .iter()
        .map(|entry| {
            let who = entry.author.who.as_str();
            (who, entry.action.as_str(), entry.detail.as_str())
        })
        .collect();
    assert_eq!(
        noted,
        [
            ("token:d", "secret", "deleted api-key"),
            ("token:o", "secret", "set api-key"),
        ]
    );
    assert_eq!(log.items[0].plugin, Some(payment()));
}

async fn a_plugin_has_so_many_secrets_and_no_more(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let (keys, secrets) = (keys(OLD), &fixture.store.secrets);
    for number in 0..SECRETS_MAX {
        let place = place(&acme, "payment", &format!("key-{number}"));
        set(&**secrets, &keys, &place, VALUE).await;
    }
    let more = place(&acme, "payment", "one-more");
    let row = sealed(&keys, &more, VALUE);
    let refused = secrets.put(&more, &row, &author("token:o"), NOW).await;
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Code::SecretInvalid);
    assert!(error.detail().contains("one-more"), "{error}");
    // One that is there is set anew, and another plugin has room of its own.
    set(&**secrets, &keys, &place(&acme, "payment", "key-0"), VALUE).await;
    set(&**secrets, &keys, &place(&acme, "billing", "key-0"), VALUE).await;
    assert_eq!(
        names(&fixture.store, &acme, "payment").await.len(),
        SECRETS_MAX
    );
}

async fn secrets_are_sealed_anew_unless_they_were_set_meanwhile(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let globex = fixture.scope("globex/production").await;
    let (old, both) = (keys(OLD), keys(&format!("{NEW} {OLD}")));
    let secrets = &fixture.store.secrets;
    let places = [
        place(&acme, "billing", "b"),
        place(&acme, "payment", "a"),
        place(&acme, "payment", "c"),
        place(&globex, "payment", "a"),
    ];
    for place in &places {
        set(&**secrets, &old, place, VALUE).await;
    }
    assert_eq!(secrets.not_under(both.first()).await.unwrap(), 4);
    let first = secrets.under(old.first(), None, 3).await.unwrap();
    let found: Vec<_> = first.iter().map(|(place, _)| place.clone()).collect();
    assert_eq!(found, places[..3], "by place");
    let rest = secrets.under(old.first(), found.last(), 3).await.unwrap();
    let rest: Vec<_> = rest.into_iter().map(|(place, _)| place).collect();
    assert_eq!(rest, places[3..]);

    // Somebody sets one between the look and the change: what was set stays.
    let renewed = set(&**secrets, &both, &places[0], "a newer value").await;
    let who = author("token:a");
    for (place, from) in &first {
        let to = both.reseal(place, from).unwrap();
        let done = secrets.reseal(place, from, &to, &who, NOW).await.unwrap();
        assert_eq!(done, *place != places[0], "{place:?}");
    }
    assert_eq!(secrets.get(&places[0]).await.unwrap(), Some(renewed));
    for place in &places[1..3] {
        let row = secrets.get(place).await.unwrap().unwrap();
        assert_eq!(keys(NEW).open(place, &row).unwrap().reveal(), VALUE);
    }
    assert_eq!(secrets.not_under(both.first()).await.unwrap(), 1);
}

async fn a_plugin_comes_with_its_first_secret(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let (keys, secrets) = (keys(OLD), &fixture.store.secrets);
    let listed = secrets.list(&acme, &payment()).await;
    assert_eq!(listed.unwrap_err().code(), Code::PluginNotFound);
    let own = place(&acme, "payment", "api-key");
    let missing = secrets.delete(&own, &author("token:o"), NOW).await;
    assert_eq!(missing.unwrap_err().code(), Code::PluginNotFound);
    set(&**secrets, &keys, &own, VALUE).await;
    assert!(fixture.store.plugins.get(&acme, &payment()).await.is_ok());

    let nowhere = place(&scope("nobody/production"), "payment", "api-key");
    let row = sealed(&keys, &nowhere, VALUE);
    let refused = secrets.put(&nowhere, &row, &author("token:o"), NOW).await;
    let code = refused.unwrap_err().code();
    assert!(
        matches!(code, Code::TenantNotFound | Code::EnvironmentNotFound),
        "{code}"
    );
    assert_eq!(secrets.get(&nowhere).await.unwrap(), None);
}

#[tokio::test]
async fn a_value_is_in_no_byte_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let acme = scope("acme/production");
    store.tenants.put(&acme.tenant).await.unwrap();
    store.environments.put(&acme).await.unwrap();
    let own = place(&acme, "payment", "api-key");
    set(&*store.secrets, &keys(OLD), &own, VALUE).await;
    store.database.close().await;
    let bytes = std::fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    let stands = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    assert!(stands(b"api-key"), "this is the file");
    assert!(!stands(VALUE.as_bytes()), "the value stands in the file");
}
