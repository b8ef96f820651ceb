//! Lanes of environments' own.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

#[tokio::test]
async fn a_lane_is_set_shown_and_deleted() {
    let path = "/v1/tenants/acme/environments/production/lane";
    let lane = json!({"namespace": "acme", "task_queue": "orders", "default_plugin": "payment"});
    let host = FakeHost::start()
        .await
        .on(&format!("GET {path}"), 200, lane.clone())
        .on(&format!("PUT {path}"), 201, lane.clone())
        .on(&format!("DELETE {path}"), 204, json!(null));
    let program = Program::of(&host);
    let line = "environment lane set production --task-queue orders --namespace acme --default-plugin payment --reason moves";
    let ran = program.run(line).await.exited(0);
    for word in ["acme", "orders", "payment"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let asked = host.asked();
    let put = asked.last().unwrap();
    assert_eq!((put.json(), put.reason.as_str()), (lane, "moves"));
    program
        .run("environment lane set production --task-queue orders")
        .await
        .exited(0);
    let asked = host.asked();
    assert_eq!(
        asked.last().unwrap().json(),
        json!({"task_queue": "orders"})
    );
    let ran = program
        .run("environment lane get production")
        .await
        .exited(0);
    assert!(ran.stdout.contains("orders"), "{}", ran.stdout);
    program
        .run("environment lane delete production")
        .await
        .exited(0);
}
