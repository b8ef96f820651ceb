//! What Temporal's own tools are shown, and under which key.

use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use temporalio_protos::temporal::api::common::v1::Payload;
use tenterhook_tests::{
    host::{Api, World},
    temporal_cli::TemporalCli,
};

use super::{MARKER, Stage, input};
use crate::features::{once, type_of};

#[tokio::test(flavor = "multi_thread")]
async fn temporals_tools_see_what_the_tenants_token_opens() {
    let mut stage = Stage::new().await;
    let (runs, echo) = (
        type_of("RunsActivity"),
        once("Echo", json!({ "card": MARKER })),
    );
    let run = async |world: &World, id: &str| {
        let ran = world.execute(&runs, id, echo.clone());
        ran.await.unwrap()
    };
    run(&stage.acme, "first").await;
    let first = input(&stage.raw("acme/production/first").await);
    assert_eq!(first.metadata["encoding"], b"binary/encrypted");

    let operators = [stage.operator("acme").await, stage.operator("globex").await];
    let decode = async |api: &Api, tenant: &str, payload: &Payload| {
        let metadata = payload.metadata.iter();
        let metadata: serde_json::Map<String, Value> = metadata
            .map(|(name, value)| (name.clone(), BASE64.encode(value).into()))
            .collect();
        let body =
            json!({ "payloads": [{ "metadata": metadata, "data": BASE64.encode(&payload.data) }] });
        let path = format!("/v1/tenants/{tenant}/codec/decode");
        api.post(&path, &body).await.unwrap()
    };
    let opened = decode(&operators[0], "acme", &first).await.ok().unwrap();
    let data = opened["payloads"][0]["data"].as_str().unwrap();
    let data = String::from_utf8(BASE64.decode(data).unwrap()).unwrap();
    assert!(data.contains(MARKER), "{data}");
    let stranger = decode(&operators[1], "acme", &first).await;
    assert_eq!(stranger.code(), Some("tenant-not-found"));
    let elsewhere = decode(&operators[1], "globex", &first).await;
    assert_eq!(elsewhere.code(), Some("payload-key-gone"));
    let mut changed = first.clone();
    changed.data[30] ^= 1;
    let changed = decode(&operators[0], "acme", &changed).await;
    assert_eq!(changed.code(), Some("payload-unreadable"));

    // As an operator looks at it, with Temporal's own program.
    let api = &operators[0];
    let temporal = TemporalCli::of(&stage.address).await.unwrap();
    let shown = |codec: bool| {
        let mut command = Command::new(temporal.program());
        command.args(["workflow", "show", "--workflow-id", "acme/production/first"]);
        command.args(["--output", "json", "--address", &stage.address]);
        if codec {
            let endpoint = format!("{}/v1/tenants/acme/codec", api.address());
            command.args(["--codec-endpoint", &endpoint]);
            command.args(["--codec-auth", &format!("Bearer {}", api.token())]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!says_marker(&shown(false)));
    let shown = shown(true);
    assert!(says_marker(&shown), "{shown}");

    // Another key: what is new is under it, what is old still opens.
    stage.ask("POST", "keys", json!({})).await;
    let ended = stage.acme.outcome("first").await.unwrap();
    assert_eq!(ended["result"]["result"]["card"], MARKER);
    run(&stage.acme, "second").await;
    let second = input(&stage.raw("acme/production/second").await);
    let key = |payload: &Payload| payload.metadata["encryption-key-id"].clone();
    assert_ne!(key(&first), key(&second));
    stage
        .ask("PUT", "encryption", json!({"payloads": "off"}))
        .await;
    let ended = stage.acme.outcome("second").await.unwrap();
    assert_eq!(ended["result"]["result"]["card"], MARKER);
    run(&stage.acme, "third").await;
    let third = input(&stage.raw("acme/production/third").await);
    assert_eq!(third.metadata["encoding"], b"json/plain");
}

/// True if one of the payloads in what Temporal's program shows has the marker in it.
fn says_marker(shown: &str) -> bool {
    let data = shown.split("\"data\": \"").skip(1);
    let data = data.filter_map(|rest| BASE64.decode(rest.split('"').next()?).ok());
    let mut texts = data.map(|data| String::from_utf8_lossy(&data).into_owned());
    texts.any(|text| text.contains(MARKER))
}
