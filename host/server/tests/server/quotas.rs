//! Quotas at the door, and the limits of a tenant.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::{
    fake::Counted,
    host::{Answer, Caller, PLUGIN, WORKFLOWS, component, furnished},
};

const QUOTAS: &str = "/v1/tenants/acme/quotas";
const LIMITS: &str = "/v1/tenants/acme/limits";
const START: &str = r#"{"type": "payment.Pay", "input": {"amount": 1}}"#;

async fn set(admin: &Caller<'_>, quotas: Value) -> Answer {
    let answer = admin.put(QUOTAS, &quotas.to_string()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    answer
}

/// What is said of the quota `name`.
fn row<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let rows = answer.json["items"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap()
}

/// Refused over the quota `name`, with these words, and told to come back after so many seconds.
fn check_refused(answer: &Answer, says: &[&str], retry_after: &str) {
    let found = (answer.status.as_u16(), answer.code());
    assert_eq!(found, (429, "quota-exceeded"), "{:?}", answer.json);
    let detail = answer.json["detail"].as_str().unwrap();
    for part in says {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    assert!(detail.contains("admin"), "{detail}");
    assert_eq!(answer.header("retry-after"), retry_after);
}

#[tokio::test]
async fn starts_come_at_their_rate_and_others_are_not_concerned() {
    let host = furnished().await;
    let (admin, caller) = (host.admin().await, host.client("acme/production").await);
    set(&admin, json!({"starts_per_second": 2, "starts_burst": 3})).await;
    for _ in 0..3 {
        assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    }
    let counts = host.executions.counts.load(Ordering::SeqCst);
    let refused = caller.post(WORKFLOWS, START).await;
    check_refused(&refused, &["starts_per_second", "acme", "is 2"], "1");
    let again = caller.post(WORKFLOWS, START).await;
    check_refused(&again, &["starts_per_second"], "1");
    assert_eq!(
        host.executions.counts.load(Ordering::SeqCst),
        counts,
        "Temporal is asked nothing"
    );
    let shown = admin.get(QUOTAS).await;
    assert_eq!(row(&shown, "starts_burst")["used"], 3);
    assert_eq!(row(&shown, "starts_per_second")["value"], 2);
    // Whatever else the caller does it may do, and another tenant starts as before.
    assert_eq!(caller.get(WORKFLOWS).await.status, 200);
    let other = "/v1/tenants/globex/environments/production";
    let pushed = admin
        .push(&format!("{other}/plugins/payment"), &component("1.0.0"))
        .await;
    assert_eq!(pushed.status, 201, "{:?}", pushed.json);
    let globex = host.client("globex/production").await;
    let started = globex.post(&format!("{other}/workflows"), START).await;
    assert_eq!(started.status, 202, "{:?}", started.json);
    // Half a second brings one more, and no second one.
    host.clock.forward(500);
    assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    check_refused(&caller.post(WORKFLOWS, START).await, &[], "1");
    // A pause fills the bucket, and no more than that.
    host.clock.forward(60_000);
    for _ in 0..3 {
        assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    }
    check_refused(&caller.post(WORKFLOWS, START).await, &[], "1");
}

#[tokio::test]
async fn open_executions_count_also_before_temporal_counts_them() {
    let host = furnished().await;
    let (admin, caller) = (host.admin().await, host.client("acme/production").await);
    host.clock.forward(10_000);
    *host.executions.open.lock().unwrap() = Counted::As(1);
    set(&admin, json!({"open_executions": 3})).await;
    // One that Temporal knows of, and two that it has not counted yet.
    for _ in 0..2 {
        assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    }
    let refused = caller.post(WORKFLOWS, START).await;
    check_refused(&refused, &["open_executions", "is 3", "3 of it"], "10");
    // It still has not counted them: it was asked for older ones.
    host.clock.forward(2_000);
    check_refused(&caller.post(WORKFLOWS, START).await, &[], "10");
    // Now it could, and they have ended: it counts one.
    host.clock.forward(2_000);
    assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    // A count that is not to be had stops nobody who has room as far as is known, and lets nobody in who has none.
    *host.executions.open.lock().unwrap() = Counted::Not;
    host.clock.forward(2_000);
    assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    check_refused(&caller.post(WORKFLOWS, START).await, &[], "10");
    let shown = admin.get(QUOTAS).await;
    assert_eq!(row(&shown, "open_executions")["used"], Value::Null);
    set(&admin, json!({})).await;
    assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
}

#[tokio::test]
async fn a_tenant_has_so_many_requests_under_way_and_an_admin_more() {
    let host = furnished().await;
    let (admin, caller) = (host.admin().await, host.client("acme/production").await);
    set(&admin, json!({"requests_at_once": 2})).await;
    let mut waits = host.executions.waits.subscribe();
    let result = format!("{WORKFLOWS}/order%2F1/result?wait=20s");
    let refused = {
        let waiting = async { tokio::join!(caller.get(&result), caller.get(&result)) };
        let third = async {
            waits.wait_for(|waits| *waits == 2).await.unwrap();
            let refused = caller.get(WORKFLOWS).await;
            assert_eq!(admin.get(WORKFLOWS).await.status, 200);
            assert_eq!(
                host.tenant("globex").await.get("/v1/limits").await.status,
                200
            );
            let shown = admin.get(QUOTAS).await;
            assert_eq!(row(&shown, "requests_at_once")["used"], 2);
            let end = format!("{WORKFLOWS}/order%2F1/terminate");
            let end = admin.send("POST", &end, crate::host::Body::None).await;
            assert_eq!(end.status, 204, "{:?}", end.json);
            refused
        };
        let ((first, second), refused) = tokio::join!(waiting, third);
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
        refused
    };
    check_refused(&refused, &["requests_at_once", "is 2", "2 of it"], "1");
    assert_eq!(caller.get(WORKFLOWS).await.status, 200);
}

#[tokio::test]
async fn releases_and_their_bytes_are_counted_until_they_are_retired() {
    let host = furnished().await;
    let (admin, author) = (
        host.admin().await,
        host.author("acme/production", "payment").await,
    );
    set(&admin, json!({"releases": 2})).await;
    let second = author.push(PLUGIN, &component("2.0.0")).await;
    assert_eq!(second.status, 201, "{:?}", second.json);
    let refused = author.push(PLUGIN, &component("3.0.0")).await;
    check_refused(&refused, &["releases", "is 2", "2 of it"], "60");
    let digest = tenterhook_domain::Digest::of(&component("3.0.0"));
    assert!(
        !host.store.blobs.contains(&digest).await.unwrap(),
        "nothing is left of what was refused"
    );
    // What is there may be pushed again.
    let again = author.push(PLUGIN, &component("2.0.0")).await;
    assert_eq!(again.status, 200, "{:?}", again.json);
    let digest = tenterhook_domain::Digest::of(&component("2.0.0"));
    let retire = format!("{PLUGIN}/releases/{digest}/retire");
    let retired = admin.send("POST", &retire, crate::host::Body::None).await;
    if retired.status == 200 {
        let third = author.push(PLUGIN, &component("3.0.0")).await;
        assert_eq!(third.status, 201, "{:?}", third.json);
    }
    let shown = admin.get(QUOTAS).await;
    let bytes = row(&shown, "component_bytes")["used"].as_u64().unwrap();
    assert_eq!(bytes, 2 * component("2.0.0").len() as u64);
    set(&admin, json!({"component_bytes": bytes})).await;
    let refused = author.push(PLUGIN, &component("4.0.0")).await;
    check_refused(&refused, &["component_bytes"], "60");
}

#[tokio::test]
async fn quotas_are_set_by_name_within_their_ranges() {
    let host = furnished().await;
    let admin = host.admin().await;
    let found = set(&admin, json!({"releases": 7})).await;
    assert_eq!(found.json["set"], json!({"releases": 7}));
    assert_eq!(row(&found, "releases")["value"], 7);
    let tag = found.header("etag").to_owned();
    let other = admin.with("if-match", "\"other\"").put(QUOTAS, "{}").await;
    assert_eq!(other.code(), "precondition-failed");
    let right = admin.with("if-match", tag.leak()).put(QUOTAS, "{}").await;
    assert_eq!(right.status, 200, "{:?}", right.json);
    for (json, says) in [
        (r#"{"starts_per_second": 0}"#, "use 1 to"),
        (r#"{"starts": 1}"#, "there is no quota \"starts\""),
    ] {
        let refused = admin.put(QUOTAS, json).await;
        let found = (refused.status.as_u16(), refused.code());
        assert_eq!(found, (422, "quota-invalid"));
        assert!(refused.json["detail"].as_str().unwrap().contains(says));
    }
    let nobody = admin.put("/v1/tenants/nobody/quotas", "{}").await;
    assert_eq!(nobody.code(), "tenant-not-found");
    let log = admin.get("/v1/tenants/acme/audit").await.json;
    assert_eq!(log["items"][0]["action"], "quotas");
}

#[tokio::test]
async fn the_limits_of_a_plugin_say_where_they_come_from() {
    let host = furnished().await;
    let (admin, author) = (
        host.admin().await,
        host.author("acme/production", "payment").await,
    );
    let grants =
        r#"{"limits": {"memory_bytes": 134217728, "log_lines": 5, "outbound_requests": 2000}}"#;
    assert_eq!(
        admin.put(&format!("{PLUGIN}/grants"), grants).await.status,
        200
    );
    let policy =
        r#"{"defaults": {"payload_bytes": 65536}, "ceilings": {"memory_bytes": 33554432}}"#;
    let set = admin.put(LIMITS, policy).await;
    assert_eq!(set.status, 200, "{:?}", set.json);
    let shown = author.get(&format!("{PLUGIN}/limits")).await;
    for (name, value, source) in [
        ("memory_bytes", 33_554_432, "tenant-ceiling"),
        ("log_lines", 5, "grant"),
        ("payload_bytes", 65_536, "tenant-default"),
        ("outbound_requests", 500, "host-ceiling"),
        ("activation_commands", 2_000, "default"),
        ("stack_bytes", 1_048_576, "fixed"),
    ] {
        let row = row(&shown, name);
        let found = (
            row["value"].as_u64().unwrap(),
            row["source"].as_str().unwrap(),
        );
        assert_eq!(found, (value, source), "{name}");
    }
    for wrong in [
        r#"{"ceilings": {"memory": 1}}"#,
        r#"{"ceilings": {"stack_bytes": 1048576}}"#,
        r#"{"defaults": {"payload_bytes": 1}}"#,
    ] {
        let refused = admin.put(LIMITS, wrong).await;
        let found = (refused.status.as_u16(), refused.code());
        assert_eq!(found, (422, "limit-invalid"), "{wrong}");
    }
}
