//! The keys that sign contexts, as an admin rotates them.

use serde_json::{Value, json};
use tenterhook_domain::context::CONTEXT_KEYS_MAX;

use crate::host::{Body, NOW, host};

const KEYS: &str = "/v1/context-keys";
const ROTATE: &str = "/v1/context-keys/rotate";

fn states(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|key| key["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_new_key_comes_signs_and_is_retired() {
    let host = host().await;
    let admin = host.admin().await.with("tenterhook-reason", "a leak");
    let first = admin.get(KEYS).await;
    assert_eq!(states(&first.json), ["signing"]);
    let rotated = admin.send("POST", ROTATE, Body::None).await;
    assert_eq!((rotated.status.as_u16(), rotated.code()), (200, "none"));
    assert_eq!(states(&rotated.json), ["coming", "signing"]);
    let id = rotated.json["items"][0]["id"].as_str().unwrap();
    let coming = json!({"id": id, "state": "coming", "made_at": NOW, "signs_from": NOW + 60_000});
    assert_eq!(rotated.json["items"][0], coming);
    assert_eq!(rotated.json["items"][1]["retired_at"], NOW + 60_000);
    host.clock.forward(60_000);
    let signs = admin.get(KEYS).await;
    assert_eq!(states(&signs.json), ["signing", "retired"]);

    let at_once = admin.post(ROTATE, r#"{"signs_after_seconds": 0}"#).await;
    assert_eq!(states(&at_once.json), ["signing", "retired", "retired"]);
    let log = admin.get("/v1/audit").await;
    let told = &log.json["items"][1];
    assert_eq!(
        (&told["action"], &told["why"]),
        (&json!("context-key"), &json!("a leak"))
    );
    assert_eq!(
        told["detail"],
        format!("made {id}, which signs after 60000 ms")
    );
    assert_eq!(told.get("tenant"), None);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let host = host().await;
    let admin = host.admin().await;
    for wrong in [
        r#"{"signs_after_seconds": 86401}"#,
        r#"{"signs_after_seconds": -1}"#,
        r#"{"signs_after_seconds": "60"}"#,
        r#"{"signs_after": 60}"#,
    ] {
        let refused = admin.post(ROTATE, wrong).await;
        assert_eq!(refused.code(), "request-invalid", "{wrong}");
    }
    for _ in 0..CONTEXT_KEYS_MAX {
        assert_eq!(admin.send("POST", ROTATE, Body::None).await.status, 200);
    }
    let over = admin.send("POST", ROTATE, Body::None).await;
    assert_eq!(
        (over.status.as_u16(), over.code()),
        (409, "context-keys-full")
    );
    assert_eq!(states(&admin.get(KEYS).await.json).len(), CONTEXT_KEYS_MAX);
}

#[tokio::test]
async fn no_answer_has_a_secret() {
    let host = host().await;
    let admin = host.admin().await;
    let rotated = admin.send("POST", ROTATE, Body::None).await;
    for answer in [rotated, admin.get(KEYS).await] {
        for key in answer.json["items"].as_array().unwrap() {
            let names: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
            let told = ["id", "made_at", "retired_at", "signs_from", "state"];
            assert!(
                names.iter().all(|name| told.contains(&name.as_str())),
                "{names:?}"
            );
        }
    }
}
