//! Secrets of plugins: who sets one never reads it again.

use std::sync::Mutex;

use serde_json::json;
use tenterhook_domain::{
    Result,
    secret_key::{self, SecretKeyring, SecretKeys, SecretPlace},
};

use crate::host::{Body, Host, NOW, PLUGIN, furnished};

const VALUE: &str = "sk_live_0123456789abcdef";
const OLD: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// Keys that tests change, as an operator changes a file.
pub(crate) struct FakeKeys(Mutex<Option<SecretKeys>>);

impl Default for FakeKeys {
    fn default() -> Self {
        Self(Mutex::new(SecretKeys::parse(&"ab".repeat(32)).ok()))
    }
}

impl FakeKeys {
    pub(crate) fn set(&self, keys: Option<SecretKeys>) {
        *self.0.lock().unwrap() = keys;
    }
}

impl SecretKeyring for FakeKeys {
    fn now(&self) -> Result<SecretKeys> {
        self.0
            .lock()
            .unwrap()
            .clone()
            .ok_or_else(secret_key::missing)
    }

    fn holding(&self, _: &str) -> Result<SecretKeys> {
        self.now()
    }
}

fn keys(text: &str) -> SecretKeys {
    SecretKeys::parse(text).unwrap()
}

fn at(name: &str) -> String {
    format!("{PLUGIN}/secrets/{name}")
}

fn body(value: &str) -> String {
    json!({ "value": value }).to_string()
}

/// The value as the store has it.
async fn stored(host: &Host, name: &str, keys: &SecretKeys) -> String {
    let place = SecretPlace {
        scope: "acme/production".parse().unwrap(),
        plugin: "payment".parse().unwrap(),
        name: name.parse().unwrap(),
    };
    let sealed = host.store.secrets.get(&place).await.unwrap().unwrap();
    keys.open(&place, &sealed).unwrap().reveal().to_owned()
}

#[tokio::test]
async fn a_secret_is_set_and_listed_and_never_told() {
    let host = furnished().await;
    host.secret_keys.set(Some(keys(OLD)));
    let operator = host.tenant("acme").await.with("tenterhook-reason", "moved");
    let empty = operator.get(&format!("{PLUGIN}/secrets")).await;
    assert_eq!(
        (empty.status.as_u16(), empty.json),
        (200, json!({"items": []}))
    );
    for value in ["an older value", VALUE] {
        let set = operator.put(&at("api-key"), &body(value)).await;
        assert_eq!((set.status.as_u16(), set.json), (204, json!(null)));
    }
    assert_eq!(stored(&host, "api-key", &keys(OLD)).await, VALUE);
    let author = host.author("acme/production", "payment").await;
    let listed = author.get(&format!("{PLUGIN}/secrets")).await;
    let item = json!({"name": "api-key", "set_at": NOW, "key": keys(OLD).first()});
    assert_eq!(listed.json, json!({ "items": [item] }));

    for _ in 0..2 {
        let deleted = operator.send("DELETE", &at("api-key"), Body::None).await;
        assert_eq!(deleted.status, 204);
    }
    let listed = author.get(&format!("{PLUGIN}/secrets")).await;
    assert_eq!(listed.json, json!({"items": []}));

    let log = operator.get(&format!("{PLUGIN}/audit")).await;
    let entries = log.json["items"].as_array().unwrap();
    let noted: Vec<_> = entries
        .iter()
        .filter(|entry| entry["action"] == "secret")
        .map(|entry| (entry["detail"].as_str().unwrap(), &entry["why"]))
        .collect();
    let why = &json!("moved");
    assert_eq!(
        noted,
        [
            ("deleted api-key", why),
            ("set api-key", why),
            ("set api-key", why)
        ]
    );
    assert!(!log.json.to_string().contains(VALUE));
}

#[tokio::test]
async fn what_is_no_secret_is_refused_without_being_repeated() {
    let host = furnished().await;
    let operator = host.tenant("acme").await;
    let long = "x".repeat(4097);
    let cases = [
        (body("short"), 422, "secret-invalid"),
        (body("two\nlines of it"), 422, "secret-invalid"),
        (body("kein ASCII: hätte"), 422, "secret-invalid"),
        (body(&long), 422, "secret-invalid"),
        (r#"{"value": 8736451987}"#.into(), 400, "request-invalid"),
        (
            r#"{"value": ["8736451987"]}"#.into(),
            400,
            "request-invalid",
        ),
        ("{}".into(), 400, "request-invalid"),
    ];
    for (body, status, code) in cases {
        let refused = operator.put(&at("api-key"), &body).await;
        assert_eq!(refused.code(), code, "{:?}", refused.json);
        assert_eq!(refused.status.is_client_error(), status < 500, "{body}");
        let told = refused.json.to_string();
        for part in ["8736451987", "of it", "hätte", &long] {
            assert!(!told.contains(part), "{told}");
        }
    }
    let refused = operator.put(&at("API_KEY"), &body(VALUE)).await;
    assert_eq!(refused.code(), "name-invalid");
    let listed = operator.get(&format!("{PLUGIN}/secrets")).await;
    assert_eq!(listed.json, json!({"items": []}));
}

#[tokio::test]
async fn a_host_without_a_key_says_so_and_does_all_else() {
    let host = furnished().await;
    host.secret_keys.set(None);
    let admin = host.admin().await;
    let refused = admin.put(&at("api-key"), &body(VALUE)).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.code(), "secret-key-missing");
    let detail = refused.json["detail"].as_str().unwrap();
    assert!(detail.contains("--secret-key-file"), "{detail}");
    let refused = admin.post("/v1/secrets/reseal", "{}").await;
    assert_eq!(refused.code(), "secret-key-missing");
    assert_eq!(admin.get(&format!("{PLUGIN}/secrets")).await.status, 200);
    let deleted = admin.send("DELETE", &at("api-key"), Body::None).await;
    assert_eq!(deleted.status, 204);
}

#[tokio::test]
async fn keys_rotate_while_the_host_runs() {
    let host = furnished().await;
    host.secret_keys.set(Some(keys(OLD)));
    let admin = host.admin().await;
    for name in ["a", "b", "c"] {
        let set = admin.put(&at(name), &body(VALUE)).await;
        assert_eq!(set.status, 204);
    }
    host.secret_keys.set(Some(keys(&format!("{NEW} {OLD}"))));
    let set = admin.put(&at("b"), &body("a newer value")).await;
    assert_eq!(set.status, 204);
    let done = admin.post("/v1/secrets/reseal", "{}").await;
    let (new, nothing) = (keys(NEW), json!(0));
    assert_eq!(
        done.json,
        json!({"key": new.first(), "resealed": 2, "left": 0}),
    );
    assert_eq!(stored(&host, "a", &new).await, VALUE);
    assert_eq!(stored(&host, "b", &new).await, "a newer value");
    let again = admin.post("/v1/secrets/reseal", "{}").await;
    assert_eq!(again.json["resealed"], nothing);

    // A host that lost the older key leaves what is under it.
    host.secret_keys.set(Some(keys(OLD)));
    let done = admin.post("/v1/secrets/reseal", "{}").await;
    assert_eq!(done.json["left"], 3);
    assert_eq!(stored(&host, "c", &new).await, VALUE);
}
