//! What a tenant may ask of the hosts, and what its plugins get.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

#[tokio::test]
async fn of_quotas_what_is_not_named_stays() {
    let path = "/v1/tenants/acme/quotas";
    let answer = json!({
        "set": {"releases": 5, "starts_burst": 9},
        "items": [
            {"name": "releases", "unit": "count", "value": 5, "used": 2, "default": 10, "about": " Releases kept."},
            {"name": "open_executions", "unit": "count", "value": 7, "default": 7, "about": " Open."},
        ],
    });
    let host = FakeHost::start()
        .await
        .on(&format!("GET {path}"), 200, answer.clone())
        .on(&format!("PUT {path}"), 200, answer);
    let program = Program::of(&host);
    let ran = program.run("tenant quota get acme").await.exited(0);
    for word in ["QUOTA", "USED", "releases", "Releases kept."] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let line = "tenant quota set acme --quota releases=7 --unset starts_burst --reason more";
    program.run(line).await.exited(0);
    let asked = host.asked();
    let put = asked.last().unwrap();
    assert_eq!(
        (put.json(), put.reason.as_str()),
        (json!({"releases": 7}), "more")
    );
}

#[tokio::test]
async fn of_a_tenants_limits_what_is_not_named_stays() {
    let path = "/v1/tenants/acme/limits";
    let found =
        json!({"defaults": {"log_lines": 1}, "ceilings": {"log_lines": 5, "payload_bytes": 9}});
    let host = FakeHost::start()
        .await
        .on(&format!("GET {path}"), 200, found.clone())
        .on(&format!("PUT {path}"), 200, found);
    let program = Program::of(&host);
    let line = "tenant limits set acme --default memory_bytes=3 --ceiling memory_bytes=4 --unset log_lines";
    let ran = program.run(line).await.exited(0);
    assert!(ran.stdout.contains("Ceilings"), "{}", ran.stdout);
    let asked = host.asked();
    let expected = json!({
        "defaults": {"memory_bytes": 3},
        "ceilings": {"payload_bytes": 9, "memory_bytes": 4},
    });
    assert_eq!(asked.last().unwrap().json(), expected);
}

#[tokio::test]
async fn the_limits_of_a_plugin_are_shown_with_where_they_come_from() {
    let path = "/v1/tenants/acme/environments/production/plugins/payment/limits";
    let row = json!({"name": "log_lines", "unit": "count", "value": 5, "source": "tenant-ceiling", "about": " Lines."});
    let host = FakeHost::start()
        .await
        .on(&format!("GET {path}"), 200, json!({"items": [row]}));
    let ran = Program::of(&host)
        .run("plugin limits payment")
        .await
        .exited(0);
    for word in ["FROM", "log_lines", "tenant-ceiling"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn the_circuits_of_a_tenant_are_listed() {
    let failing = json!({
        "destination": "https://api.example.com:443", "state": "open", "failures": 7, "retry_after_millis": 900,
    });
    let host = FakeHost::start().await.on(
        "GET /v1/tenants/acme/circuits",
        200,
        json!({"items": [failing]}),
    );
    let ran = Program::of(&host).run("tenant circuits acme").await;
    let ran = ran.exited(0);
    for word in ["DESTINATION", "https://api.example.com:443", "open", "900"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
}
