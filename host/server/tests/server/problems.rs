//! How refusals look.

use serde_json::json;
use tenterhook_domain::Code;
use tenterhook_server::{JSON_BYTES_MAX, status};

use crate::host::{Body, PLUGIN, WORKFLOWS, furnished};

#[tokio::test]
async fn a_refusal_is_a_problem_with_a_code() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let answer = acme.get(&format!("{PLUGIN}x")).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(!answer.header("x-request-id").is_empty());
    assert_eq!(
        answer.json,
        json!({
            "type": "urn:tenterhook:problem:plugin-not-found",
            "title": "There is no such plugin.",
            "status": 404,
            "code": "plugin-not-found",
            "detail": "acme/production has no plugin paymentx"
        })
    );
}

#[tokio::test]
async fn what_is_not_in_the_table_is_a_problem_too() {
    let host = furnished().await;
    for caller in [host.nobody(), host.admin().await] {
        for path in [
            "/",
            "/v1",
            "/v1/nothing",
            "/v2/tenants",
            "/v1/tenants/acme/x",
        ] {
            let answer = caller.get(path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (404, "route-not-found"),
                "{path}"
            );
        }
        let answer = caller.send("DELETE", WORKFLOWS, Body::None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (405, "method-not-allowed")
        );
        let allow = answer.header("allow");
        assert!(allow.contains("GET") && allow.contains("POST"), "{allow:?}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_problems() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let config = format!("{PLUGIN}/config");
    let deep = "[".repeat(10_000);
    for body in ["", "{", "[]", "\u{0}", deep.as_str()] {
        let answer = acme.put(&config, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "request-invalid")
        );
    }
    let untyped = acme.send("PUT", &config, Body::Component(b"{}")).await;
    assert_eq!(untyped.code(), "request-invalid");
    for bytes in [JSON_BYTES_MAX + 1, 3 * JSON_BYTES_MAX] {
        let answer = acme.put(&config, &" ".repeat(bytes)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (413, "body-too-large")
        );
    }
}

#[tokio::test]
async fn faults_of_the_host_keep_their_causes_to_themselves() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let cases = [
        ("panic", 500, "internal"),
        ("fault", 500, "store-failed"),
        ("gone", 503, "temporal-unavailable"),
        ("unknown", 422, "query-failed"),
    ];
    for (query, status, code) in cases {
        let path = format!("{WORKFLOWS}/order%2F1/queries/{query}");
        let answer = acme.send("POST", &path, Body::None).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code));
        let text = answer.json.to_string();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(answer.header("retry-after").is_empty(), status != 503);
    }
    assert_eq!(acme.get(PLUGIN).await.status, 200, "the host goes on");
}

#[test]
fn every_code_has_a_status_of_a_refusal() {
    for &code in Code::ALL {
        let status = status(code);
        assert!(
            status.is_client_error() || status.is_server_error(),
            "{code}: {status}"
        );
    }
}
