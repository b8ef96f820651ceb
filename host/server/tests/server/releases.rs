//! A release on its way: sent, checked, compared, retired.

use std::sync::atomic::Ordering;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;
use tenterhook_domain::Digest;

use crate::{
    fake::SLOW,
    host::{Body, PLUGIN, component, furnished},
};

fn at(version: &str) -> String {
    format!("{PLUGIN}/releases/{}", Digest::of(&component(version)))
}

#[tokio::test]
async fn a_push_that_does_not_wait_says_where_to_look_and_a_look_waits_for_the_next_state() {
    let host = furnished().await;
    let author = host.author("acme/production", "payment").await;
    let path = format!("{PLUGIN}/releases?wait=0s");
    let slow = component(SLOW);
    let pushed = author.send("POST", &path, Body::Component(&slow)).await;
    assert_eq!(pushed.status, 202);
    assert_eq!(pushed.json["state"], "uploaded");
    assert_eq!(pushed.header("location"), at(SLOW));

    let path = format!("{}?wait=30s", at(SLOW));
    let watching = author.get(&path);
    let go_on = async { host.go_on.notify_one() };
    let (seen, ()) = tokio::join!(watching, go_on);
    assert_eq!(seen.status, 200);
    assert_ne!(
        seen.json["state"], "uploaded",
        "the look waited for a change"
    );
    let again = author.push(PLUGIN, &slow).await;
    assert_eq!(
        (again.status.as_u16(), &again.json["state"]),
        (200, &json!("ready"))
    );
    // Nothing changes any more: the look ends with its wait.
    let still = author.get(&format!("{}?wait=50ms", at(SLOW))).await;
    assert_eq!(still.json["state"], "ready");
}

#[tokio::test]
async fn what_is_not_what_the_digest_says_is_not_stored() {
    let host = furnished().await;
    let author = host.author("acme/production", "payment").await;
    let second = component("2.0.0");
    let digest = |bytes: &[u8]| {
        let digest = BASE64.encode(Digest::of(bytes).as_bytes());
        format!("sha-256=:{digest}:")
    };
    let wrong = author.with("content-digest", &digest(b"other"));
    let refused = wrong.push(PLUGIN, &second).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (422, "digest-mismatch")
    );
    assert_eq!(author.get(&at("2.0.0")).await.code(), "release-not-found");
    let unreadable = author.with("content-digest", "sha-256=x");
    assert_eq!(
        unreadable.push(PLUGIN, &second).await.code(),
        "request-invalid"
    );
    let right = author.with("content-digest", &digest(&second));
    assert_eq!(right.push(PLUGIN, &second).await.status, 201);
}

#[tokio::test]
async fn two_releases_are_compared() {
    let host = furnished().await;
    let author = host.author("acme/production", "payment").await;
    author.push(PLUGIN, &component("2.0.0")).await;
    let first = Digest::of(&component("1.0.0"));
    let diff = author
        .get(&format!("{}/diff?against={first}", at("2.0.0")))
        .await;
    assert_eq!(diff.status, 200);
    assert_eq!(diff.json["from"], json!(first));
    assert_eq!(
        diff.json["values"],
        json!([{"at": "/version", "before": "1.0.0", "after": "2.0.0"}])
    );
    for (query, code) in [
        (String::new(), "request-invalid"),
        ("?against=x".to_owned(), "digest-invalid"),
        (
            format!("?against={}", Digest::of(b"none")),
            "release-not-found",
        ),
    ] {
        let refused = author.get(&format!("{}/diff{query}", at("2.0.0"))).await;
        assert_eq!(refused.code(), code, "{query}");
    }
}

#[tokio::test]
async fn a_release_is_retired_once_nothing_runs_on_it() {
    let host = furnished().await;
    let operator = host.tenant("acme").await;
    operator.push(PLUGIN, &component("2.0.0")).await;
    let retire = format!("{}/retire", at("2.0.0"));
    host.census.open.store(3, Ordering::SeqCst);
    let refused = operator.send("POST", &retire, Body::None).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (409, "release-state-conflict")
    );
    assert!(
        refused.json["detail"]
            .as_str()
            .unwrap()
            .starts_with("3 open"),
        "{:?}",
        refused.json
    );
    host.census.open.store(0, Ordering::SeqCst);
    let stale = operator
        .with("if-match", "\"x\"")
        .send("POST", &retire, Body::None)
        .await;
    assert_eq!(stale.code(), "precondition-failed");
    let retired = operator.send("POST", &retire, Body::None).await;
    assert_eq!(
        (retired.status.as_u16(), &retired.json["state"]),
        (200, &json!("retired"))
    );
    let current = format!("{}/retire", at("1.0.0"));
    let refused = operator.send("POST", &current, Body::None).await;
    assert_eq!(refused.code(), "release-state-conflict", "it is current");
}
