//! The keys that sign contexts.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

#[tokio::test]
async fn keys_are_listed_and_rotated() {
    let keys = json!({"items": [
        {"id": "b2", "state": "coming", "made_at": 0, "signs_from": 60_000},
        {"id": "a1", "state": "signing", "made_at": 0, "signs_from": 0, "retired_at": 60_000},
    ]});
    let host = FakeHost::start()
        .await
        .on("GET /v1/context-keys", 200, keys.clone())
        .on("POST /v1/context-keys/rotate", 200, keys.clone());
    let program = Program::of(&host);
    let listed = program.run("context-key list").await.exited(0);
    for word in [
        "KEY",
        "RETIRED",
        "b2",
        "coming",
        "signing",
        "1970-01-01 00:01:00",
    ] {
        assert!(listed.stdout.contains(word), "{word}: {}", listed.stdout);
    }
    let rotated = program.run("context-key rotate").await.exited(0);
    assert_eq!(rotated.stdout, listed.stdout);
    let sent = || host.asked().pop().unwrap();
    assert_eq!(sent().json(), json!({"signs_after_seconds": 60}));
    let line = "context-key rotate --signs-after 5m --reason leak --output json";
    let told = program.run(line).await.exited(0);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&told.stdout).unwrap(),
        keys
    );
    assert_eq!(
        (sent().json(), sent().reason.as_str()),
        (json!({"signs_after_seconds": 300}), "leak")
    );
}
