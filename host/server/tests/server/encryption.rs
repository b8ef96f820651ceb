//! How a tenant's payloads are encrypted, and the codec for Temporal's tools.

use async_trait::async_trait;
use serde_json::{Value, json};
use tenterhook_domain::{
    Code, Error, Result, TenantId,
    payload_key::{PayloadCodec, RemotePayload},
    secret_key::SecretKeys,
};
use tenterhook_server::{CODEC_PAYLOADS_MAX, PAYLOADS_BYTES_MAX};

use crate::host::{Body, Host, NOW, furnished};

const ENCRYPTION: &str = "/v1/tenants/acme/encryption";
const KEYS: &str = "/v1/tenants/acme/keys";
const DECODE: &str = "/v1/tenants/acme/codec/decode";
const ENCODE: &str = "/v1/tenants/acme/codec/encode";

/// Writes the tenant's name before what it encodes, and takes it away again.
pub(crate) struct FakeCodec;

#[async_trait]
impl PayloadCodec for FakeCodec {
    async fn encode(
        &self,
        tenant: &TenantId,
        mut payloads: Vec<RemotePayload>,
    ) -> Result<Vec<RemotePayload>> {
        for payload in &mut payloads {
            payload.data = [tenant.as_str().as_bytes(), &payload.data].concat();
        }
        Ok(payloads)
    }

    async fn decode(
        &self,
        tenant: &TenantId,
        mut payloads: Vec<RemotePayload>,
    ) -> Result<Vec<RemotePayload>> {
        for payload in &mut payloads {
            if payload.data == b"gone" {
                return Err(Error::new(Code::PayloadKeyGone, "the key is gone"));
            }
            let name = tenant.as_str().as_bytes();
            if let Some(rest) = payload.data.strip_prefix(name) {
                payload.data = rest.to_vec();
            }
        }
        Ok(payloads)
    }
}

fn ids(status: &Value) -> Vec<String> {
    let keys = status["keys"].as_array().unwrap().iter();
    keys.map(|key| key["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn encryption_is_turned_on_and_keys_come_and_go() {
    let host = furnished().await;
    let operator = host.tenant("acme").await.with("tenterhook-reason", "audit");
    let off = operator.get(ENCRYPTION).await;
    assert_eq!(off.json, json!({"payloads": "off", "keys": []}));
    let early = operator.send("POST", KEYS, Body::None).await;
    assert_eq!(early.code(), "encryption-conflict");

    let on = operator.put(ENCRYPTION, r#"{"payloads": "on"}"#).await;
    assert_eq!(
        (on.status.as_u16(), &on.json["payloads"]),
        (200, &json!("on"))
    );
    assert_eq!(on.json["keys"][0]["made_at"], NOW);
    let first = ids(&on.json);
    assert_eq!(first.len(), 1);
    let rotated = operator.send("POST", KEYS, Body::None).await;
    assert_eq!(ids(&rotated.json)[1..], first[..]);
    let both = ids(&rotated.json);
    // Off and on again makes no further key.
    operator.put(ENCRYPTION, r#"{"payloads": "off"}"#).await;
    let again = operator.put(ENCRYPTION, r#"{"payloads": "on"}"#).await;
    assert_eq!(ids(&again.json), both);
    for wrong in [
        "{}",
        r#"{"payloads": "shredded"}"#,
        r#"{"payloads": "on", "x": 1}"#,
    ] {
        let refused = operator.put(ENCRYPTION, wrong).await;
        assert_eq!(refused.code(), "request-invalid", "{wrong}");
    }
    let refused = operator.send("DELETE", KEYS, Body::None).await;
    assert_eq!(refused.code(), "permission-denied");
    let admin = host.admin().await;
    let shredded = admin.send("DELETE", KEYS, Body::None).await;
    assert_eq!(shredded.json, json!({"deleted": 2}));
    let gone = operator.get(ENCRYPTION).await;
    assert_eq!(gone.json, json!({"payloads": "shredded", "keys": []}));
    let anew = operator.put(ENCRYPTION, r#"{"payloads": "on"}"#).await;
    let anew = ids(&anew.json);
    assert!(anew.len() == 1 && !both.contains(&anew[0]), "{anew:?}");

    let log = operator.get("/v1/tenants/acme/audit").await;
    let told: Vec<&str> = log.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "encryption")
        .map(|entry| entry["detail"].as_str().unwrap())
        .collect();
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(told[1], "shredded: 2 keys deleted");
    let other = host.tenant("globex").await;
    let theirs = other.get("/v1/tenants/globex/encryption").await;
    assert_eq!(theirs.json, json!({"payloads": "off", "keys": []}));
}

#[tokio::test]
async fn keys_are_sealed_anew_with_the_secrets() {
    let host = furnished().await;
    let (old, new) = ("11".repeat(32), "22".repeat(32));
    let keys = |text: &str| SecretKeys::parse(text).unwrap();
    host.secret_keys.set(Some(keys(&old)));
    let admin = host.admin().await;
    admin.put(ENCRYPTION, r#"{"payloads": "on"}"#).await;
    host.secret_keys.set(Some(keys(&format!("{new} {old}"))));
    let resealed = admin.post("/v1/secrets/reseal", "{}").await;
    let newest = keys(&new);
    assert_eq!(
        resealed.json,
        json!({"key": newest.first(), "resealed": 1, "left": 0})
    );
    let status = admin.get(ENCRYPTION).await;
    assert_eq!(status.json["keys"][0]["key"], newest.first());
    // The older key of the host can go.
    let tenant = "acme".parse().unwrap();
    let kept = host.store.payload_keys.encryption(&tenant).await.unwrap();
    assert!(newest.open_payload_key(&tenant, &kept.keys[0]).is_ok());
    host.secret_keys.set(None);
    let refused = admin.put(ENCRYPTION, r#"{"payloads": "on"}"#).await;
    assert_eq!(refused.code(), "secret-key-missing");
}

fn payloads(data: &str) -> String {
    json!({"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": data}]}).to_string()
}

#[tokio::test]
async fn the_codec_answers_as_temporals_tools_ask() {
    let host = furnished().await;
    let operator = host.tenant("acme").await;
    // "hi", and "acmehi".
    let encoded = operator.post(ENCODE, &payloads("aGk=")).await;
    assert_eq!(encoded.json.to_string(), payloads("YWNtZWhp"));
    let decoded = operator.post(DECODE, &payloads("YWNtZWhp")).await;
    assert_eq!(decoded.json.to_string(), payloads("aGk="));
    let empty = operator.post(DECODE, "{}").await;
    assert_eq!(empty.json, json!({"payloads": []}));
    let bare = operator
        .post(DECODE, r#"{"payloads": [{"later": 1}]}"#)
        .await;
    assert_eq!(
        bare.json,
        json!({"payloads": [{"metadata": {}, "data": ""}]})
    );
    let gone = operator.post(DECODE, &payloads("Z29uZQ==")).await;
    assert_eq!(
        (gone.status.as_u16(), gone.code()),
        (409, "payload-key-gone")
    );
    let wrong = operator.post(DECODE, &payloads("not base64")).await;
    assert_eq!(wrong.code(), "request-invalid");
    for list in [
        "[]",
        "[[]]",
        r#"{"payloads": [[]]}"#,
        r#"{"payloads": [[{}, ""]]}"#,
    ] {
        let wrong = operator.post(DECODE, list).await;
        assert_eq!(wrong.code(), "request-invalid", "{list}");
    }
    let many = vec![json!({}); CODEC_PAYLOADS_MAX + 1];
    let many = operator
        .post(DECODE, &json!({"payloads": many}).to_string())
        .await;
    assert_eq!(many.code(), "request-invalid");
    let large = payloads(&"A".repeat(PAYLOADS_BYTES_MAX));
    let large = operator.post(DECODE, &large).await;
    assert_eq!(
        (large.status.as_u16(), large.code()),
        (413, "body-too-large")
    );
    let two_mebibytes = payloads(&"AAAA".repeat(2 * 1024 * 1024 / 3));
    assert_eq!(operator.post(DECODE, &two_mebibytes).await.status, 200);
}

/// What a browser is told when it asks `method` of `path` for `origin`.
async fn asks(host: &Host, method: &str, path: &str, origin: &str) -> (u16, String, String) {
    let caller = match method {
        "OPTIONS" => host.nobody(),
        _ => host.tenant("acme").await,
    };
    let caller = caller.with("origin", origin);
    let body = match method {
        "POST" => Body::Json(r#"{"payloads": []}"#),
        _ => Body::None,
    };
    let answer = caller.send(method, path, body).await;
    (
        answer.status.as_u16(),
        answer.header("access-control-allow-origin").to_owned(),
        answer.header("access-control-allow-headers").to_owned(),
    )
}

#[tokio::test]
async fn pages_that_the_operator_named_may_ask_the_codec_and_nothing_else() {
    let host = furnished().await;
    let (ui, evil) = ("https://temporal.example", "https://evil.example");
    let named = "authorization, content-type, x-namespace".to_owned();
    let of = |status, origin: &str, headers: &str| (status, origin.to_owned(), headers.to_owned());
    assert_eq!(
        asks(&host, "OPTIONS", DECODE, ui).await,
        of(204, ui, &named)
    );
    assert_eq!(asks(&host, "POST", DECODE, ui).await, of(200, ui, ""));
    assert_eq!(asks(&host, "OPTIONS", DECODE, evil).await, of(405, "", ""));
    assert_eq!(asks(&host, "POST", DECODE, evil).await, of(200, "", ""));
    assert_eq!(
        asks(&host, "OPTIONS", ENCRYPTION, ui).await,
        of(405, "", "")
    );
    assert_eq!(asks(&host, "GET", ENCRYPTION, ui).await, of(200, "", ""));
}
