//! A tenant is shredded at one host, and another one had its key in memory.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;
use tenterhook_tests::{cluster::Cluster, host::World};

use super::MARKER;
use crate::{
    features::{PLUGIN, once, type_of},
    hosts::{HEARD_WITHIN, until},
};

/// What a host says when it has forgotten keys that others deleted.
const FORGOTTEN: &str = "the payload keys of a tenant were deleted, and are forgotten here";

#[tokio::test(flavor = "multi_thread")]
async fn every_host_forgets_keys_that_were_deleted_at_one() {
    let cluster = Cluster::start().await.unwrap();
    let secret_keys = "ab".repeat(32);
    let variables = [("TENTERHOOK_SECRET_KEYS", secret_keys.as_str())];
    let (here, there) = tokio::join!(
        cluster.host_with("here", "all", &variables),
        cluster.host_with("there", "all", &variables)
    );
    let (here, there) = (here.unwrap(), there.unwrap());
    let ours = World::make(&here.api, "acme").await.unwrap();
    ours.push_guest(PLUGIN).await.unwrap();
    let encryption = "/v1/tenants/acme/encryption";
    let on = here.api.put(encryption, &json!({"payloads": "on"})).await;
    on.unwrap().ok().unwrap();
    let (runs, echo) = (
        type_of("RunsActivity"),
        once("Echo", json!({ "card": MARKER })),
    );
    let ran = ours.execute(&runs, "done", echo.clone());
    assert_eq!(ran.await.unwrap()["status"], "completed");
    // From now on the other host has the key in memory.
    let theirs = World::of(&there.api, "acme");
    let read = theirs.outcome("done").await.unwrap();
    assert_eq!(read["result"]["result"]["card"], MARKER);
    assert!(!there.log().contains(FORGOTTEN), "{}", there.log());

    let keys = "/v1/tenants/acme/keys";
    let deleted = here.api.call(Method::DELETE, keys, None).await.unwrap();
    assert_eq!(deleted.ok().unwrap(), json!({ "deleted": 1 }));
    let answered = Instant::now();
    // Nobody asks it for anything of the tenant meanwhile.
    until("the other host forgets the key", async || {
        there.log().contains(FORGOTTEN)
    })
    .await;
    let heard = answered.elapsed();
    assert!(heard < HEARD_WITHIN, "{heard:?}");
    let result = theirs.path("workflows/done/result");
    let gone = theirs.api.get(&result).await.unwrap();
    assert_eq!(gone.code(), Some("payload-key-gone"), "{gone:?}");
    let start = json!({ "type": runs, "id": "late", "input": echo });
    let start = theirs.api.post(&theirs.path("workflows"), &start).await;
    assert_eq!(start.unwrap().code(), Some("payload-key-gone"));
}
