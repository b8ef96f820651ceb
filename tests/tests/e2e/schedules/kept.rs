//! What Temporal keeps of a schedule whose tenant's payloads are encrypted.

use std::net::TcpListener;

use prost::Message as _;
use serde_json::json;
use tenterhook_tests::{
    host::{Host, World},
    raw::{history, temporal},
};

use super::{ask, described, put, started, until};
use crate::features::{PLUGIN, once, type_of};

/// Stands in what the schedule starts is given.
const MARKER: &str = "4111-1111-1111-1111";

#[tokio::test]
async fn input_and_notes_of_an_encrypted_tenant_are_sealed() {
    let data = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let host = Host::start_with(data.path(), &["--temporal-port", &port]).await;
    let host = host.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest(PLUGIN).await.unwrap();
    let on = json!({"payloads": "on"});
    let on = host.api.put("/v1/tenants/acme/encryption", &on).await;
    on.unwrap().ok().unwrap();
    let (input, memo) = (
        once("Echo", json!({ "card": MARKER })),
        json!({"card": MARKER}),
    );
    let schedule = json!({
        "action": {"type": type_of("RunsActivity"), "input": input, "memo": memo},
        "cron": ["0 4 * * *"], "paused": true,
    });
    put(&world, "echo", &schedule).await;

    let mut service = temporal(&format!("127.0.0.1:{port}")).await.unwrap();
    let kept = described(&mut service, "acme/production/echo").await;
    let kept = kept.encode_to_vec();
    let has = |kept: &[u8], text: &str| {
        let mut places = kept.windows(text.len());
        places.any(|place| place == text.as_bytes())
    };
    assert!(has(&kept, "binary/encrypted") && !has(&kept, MARKER));
    // What the server needs it can read.
    assert!(has(&kept, "tenterhook-context") && has(&kept, "Environment"));

    let read = until(&world, "echo", |_| true).await;
    assert_eq!(read["schedule"]["action"]["input"], input);
    assert_eq!(read["schedule"]["action"]["memo"], memo);
    // What a key opens that is no longer the newest still starts.
    let rotated = host.api.post("/v1/tenants/acme/keys", &json!({})).await;
    rotated.unwrap().ok().unwrap();
    ask(&world, "echo", "trigger", json!({})).await;
    let seen = until(&world, "echo", |seen| seen["started"] == 1).await;
    let id = started(&seen).pop().unwrap();
    let outcome = world.outcome(&id).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert!(
        outcome["result"].to_string().contains(MARKER),
        "{outcome:#}"
    );
    let ran = history(&mut service, &format!("acme/production/{id}")).await;
    assert!(!has(&ran.unwrap().encode_to_vec(), MARKER));
}
