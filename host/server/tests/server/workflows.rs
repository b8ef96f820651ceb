//! Executions through the API.

use std::time::Duration;

use serde_json::json;
use tenterhook_domain::{Scope, execution::ReusePolicy};

use crate::host::{Body, PLUGIN, SCOPE, WORKFLOWS, component, furnished};

fn production() -> Scope {
    "acme/production".parse().unwrap()
}

#[tokio::test]
async fn a_start_is_handed_on_as_it_was_asked_for() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let body = json!({
        "type": "payment.Pay", "id": "p 1/ü", "input": {"amount": 5}, "execution_timeout": "1h",
        "run_timeout": "30m", "task_timeout": "10s", "start_delay": "250ms",
        "memo": {"order": "o-1"}, "reuse": "reject_duplicate"
    });
    let started = acme.post(WORKFLOWS, &body.to_string()).await;
    assert_eq!(started.status, 202);
    assert_eq!(started.json, json!({"id": "p 1/ü", "run_id": "run-1"}));
    let location = started.header("location");
    assert_eq!(location, format!("{WORKFLOWS}/p%201%2F%C3%BC"));
    assert_eq!(acme.get(location).await.json["id"], "p 1/ü");

    let start = host.executions.start_of(&production(), "p 1/ü");
    assert_eq!(start.input, Some(json!({"amount": 5})));
    assert_eq!(start.execution_timeout, Some(Duration::from_secs(3_600)));
    assert_eq!(start.run_timeout, Some(Duration::from_secs(1_800)));
    assert_eq!(start.task_timeout, Some(Duration::from_secs(10)));
    assert_eq!(start.start_delay, Some(Duration::from_millis(250)));
    assert_eq!(start.reuse, ReusePolicy::RejectDuplicate);
    assert_eq!(start.memo["order"], "o-1");

    let again = acme.post(WORKFLOWS, &body.to_string()).await;
    assert_eq!(
        (again.status.as_u16(), again.code()),
        (409, "workflow-already-started")
    );
}

#[tokio::test]
async fn a_start_that_cannot_be_is_refused() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let cases = [
        (
            json!({"type": "payment.Pay", "input": {"amount": 0}}),
            422,
            "input-invalid",
            "at /amount:",
        ),
        (
            json!({"type": "payment.Pay"}),
            422,
            "input-invalid",
            "at /:",
        ),
        (
            json!({"type": "payment.Refund"}),
            404,
            "workflow-type-not-found",
            "it has Pay",
        ),
        (
            json!({"type": "billing.Pay"}),
            404,
            "plugin-not-found",
            "billing",
        ),
        (json!({"type": "Pay"}), 400, "name-invalid", "plugin.Name"),
        (
            json!({"type": "payment.Pay", "id": ""}),
            400,
            "workflow-id-invalid",
            "1 to 512",
        ),
        (
            json!({"type": "payment.Pay", "run_timeout": "soon"}),
            400,
            "request-invalid",
            "run_timeout",
        ),
        (
            json!({"type": "payment.Pay", "retries": 3}),
            400,
            "request-invalid",
            "retries",
        ),
        (json!({}), 400, "request-invalid", "type"),
    ];
    for (body, status, code, words) in cases {
        let answer = acme.post(WORKFLOWS, &body.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{body}"
        );
        let detail = answer.json["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{body}: {detail}");
    }
    let nowhere = "/v1/tenants/acme/environments/nowhere/workflows";
    for answer in [
        acme.post(nowhere, r#"{"type": "payment.Pay"}"#).await,
        acme.get(nowhere).await,
        acme.get(&format!("{nowhere}/order%2F1")).await,
    ] {
        assert_eq!(answer.code(), "environment-not-found");
    }
    let granted = format!("{SCOPE}/plugins/early/grants");
    let admin = host.admin().await;
    assert_eq!(admin.put(&granted, "{}").await.status, 200);
    let early = acme.post(WORKFLOWS, r#"{"type": "early.Pay"}"#).await;
    assert_eq!(early.code(), "release-not-found");
}

#[tokio::test]
async fn a_start_that_waits_answers_the_outcome_when_there_is_one() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let path = format!("{WORKFLOWS}?wait=50ms");
    let body = r#"{"type": "payment.Pay", "id": "slow", "input": {"amount": 1}}"#;
    let slow = acme.post(&path, body).await;
    assert_eq!(
        (slow.status.as_u16(), &slow.json["id"]),
        (202, &json!("slow"))
    );
    assert_eq!(slow.header("location"), format!("{WORKFLOWS}/slow"));

    let path = format!("{WORKFLOWS}?wait=30s");
    let body =
        r#"{"type": "payment.Pay", "id": "fast", "input": {"amount": 1}, "memo": {"ends": 1}}"#;
    let fast = acme.post(&path, body).await;
    assert_eq!(
        (fast.status.as_u16(), &fast.json["status"]),
        (200, &json!("completed"))
    );

    for wait in ["61s", "5", "-1s"] {
        let refused = acme
            .get(&format!("{WORKFLOWS}/fast/result?wait={wait}"))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (400, "request-invalid"),
            "{wait}"
        );
    }
}

#[tokio::test]
async fn a_result_is_waited_for() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let result = format!("{WORKFLOWS}/order%2F1/result");
    let now = acme.get(&result).await;
    assert_eq!(
        (now.status.as_u16(), &now.json["status"]),
        (202, &json!("running"))
    );

    let mut waits = host.executions.waits.subscribe();
    waits.mark_unchanged();
    let path = format!("{result}?wait=30s");
    let waiting = acme.get(&path);
    let finishing = async {
        waits.changed().await.unwrap();
        let finish = format!("{WORKFLOWS}/order%2F1/signals/finish");
        acme.post(&finish, r#"{"input": {"paid": true}}"#).await
    };
    let (ended, finished) = tokio::join!(waiting, finishing);
    assert_eq!(finished.status, 204);
    assert_eq!(ended.status, 200);
    assert_eq!(ended.json["status"], "completed");
    assert_eq!(ended.json["result"], json!({"paid": true}));
}

#[tokio::test]
async fn messages_reach_the_execution() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let workflow = format!("{WORKFLOWS}/order%2F1");
    let signal = format!("{workflow}/signals/change%20plan");
    assert_eq!(acme.send("POST", &signal, Body::None).await.status, 204);
    assert_eq!(
        host.executions.signals_of(&production(), "order/1"),
        ["change plan"]
    );

    for kind in ["queries", "updates"] {
        let path = format!("{workflow}/{kind}/status");
        let answer = acme.post(&path, r#"{"input": [1, 2]}"#).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json),
            (200, json!({"result": [1, 2]}))
        );
        let answer = acme.send("POST", &path, Body::None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json),
            (200, json!({"result": null}))
        );
        let refused = acme.post(&path, r#"{"args": []}"#).await;
        assert_eq!(refused.code(), "request-invalid");
        let unknown = acme
            .post(&format!("{WORKFLOWS}/none/{kind}/status"), "{}")
            .await;
        assert_eq!(
            (unknown.status.as_u16(), unknown.code()),
            (404, "workflow-not-found")
        );
    }
    let long = json!({"reason": "x".repeat(1_001)}).to_string();
    let refused = acme.post(&format!("{workflow}/cancel"), &long).await;
    assert_eq!(refused.code(), "request-invalid");
    for (ending, status) in [("cancel", "canceled"), ("terminate", "terminated")] {
        let path = format!("{workflow}/{ending}");
        assert_eq!(acme.post(&path, r#"{"reason": "why"}"#).await.status, 204);
        assert_eq!(acme.get(&workflow).await.json["status"], status);
    }
    let bad = acme.get(&format!("{WORKFLOWS}/a%00b")).await;
    assert_eq!(
        (bad.status.as_u16(), bad.code()),
        (400, "workflow-id-invalid")
    );
    let bad = acme.get(&format!("{WORKFLOWS}/%FF")).await;
    assert_eq!((bad.status.as_u16(), bad.code()), (400, "request-invalid"));
}

#[tokio::test]
async fn a_message_that_does_not_fit_its_schema_is_refused() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    for (kind, taken) in [("signals", 204), ("queries", 200), ("updates", 200)] {
        let path = format!("{WORKFLOWS}/order%2F1/{kind}/change_plan");
        for (wrong, place) in [
            (r#"{"input": {"price": 0}}"#, "at /price:"),
            (r#"{"input": {"prise": 1}}"#, "at /:"),
            ("{}", "at /:"),
        ] {
            let refused = acme.post(&path, wrong).await;
            let code = (refused.status.as_u16(), refused.code());
            assert_eq!(code, (422, "input-invalid"), "{kind}: {wrong}");
            let detail = refused.json["detail"].as_str().unwrap();
            assert!(detail.contains(place), "{kind}: {detail}");
        }
        let fits = acme.post(&path, r#"{"input": {"price": 1}}"#).await;
        assert_eq!(fits.status, taken, "{kind}");
    }
    // None of those that were refused arrived.
    let signals = host.executions.signals_of(&production(), "order/1");
    assert_eq!(signals, ["change_plan"]);
}

#[tokio::test]
async fn histories_and_lists_are_answered() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let history = format!("{WORKFLOWS}/order%2F1/history");
    let all = acme.get(&history).await.json;
    assert_eq!(all["events"].as_array().unwrap().len(), 3);
    assert_eq!(all.get("next"), None);
    let page = acme.get(&format!("{history}?after=1&limit=1")).await.json;
    assert_eq!(
        (&page["events"][0]["id"], &page["next"]),
        (&json!(2), &json!("2"))
    );

    let listed = acme.get(WORKFLOWS).await.json;
    assert_eq!(listed["items"][0]["id"], "order/1");
    let admin = host.admin().await;
    let elsewhere = "/v1/tenants/globex/environments/production/workflows";
    assert_eq!(admin.get(elsewhere).await.json, json!({"items": []}));
}

#[tokio::test]
async fn a_new_release_brings_its_own_schema_at_once() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let body = r#"{"type": "payment.Pay", "input": {"amount": 1}}"#;
    assert_eq!(acme.post(WORKFLOWS, body).await.status, 202);
    let pushed = acme.push(PLUGIN, &component("2.0.0")).await;
    let digest = json!({"digest": pushed.json["digest"]}).to_string();
    assert_eq!(
        acme.put(&format!("{PLUGIN}/current"), &digest).await.status,
        200
    );
    assert_eq!(acme.post(WORKFLOWS, body).await.status, 202);
    let wrong = r#"{"type": "payment.Pay", "input": {"amount": "1"}}"#;
    assert_eq!(acme.post(WORKFLOWS, wrong).await.code(), "input-invalid");
}
