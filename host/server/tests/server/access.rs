//! Every operation, by everyone.

use tenterhook_server::{Access, Operation, ROUTES, Route};

use crate::host::{Body, component, furnished};

/// What is answered to a caller without a token, with another tenant's, with the tenant's own, and with an
/// admin's; they call one after another.
type Statuses = [u16; 4];

const OPEN: Statuses = [200, 200, 200, 200];
const AUTHENTICATED: Statuses = [401, 200, 200, 200];
const READ: Statuses = [401, 404, 200, 200];
const SENT: Statuses = [401, 404, 204, 204];
/// The first who may makes it, so the second finds it there.
const MADE: Statuses = [401, 404, 201, 200];
const ADMIN: Statuses = [401, 403, 403, 200];

/// One row for each operation; a new operation without one does not compile.
fn row(operation: Operation) -> (Statuses, Body<'static>) {
    use Operation as O;
    let none = Body::None;
    match operation {
        O::Live | O::Ready => (OPEN, none),
        O::ListLimits | O::ListTenants => (AUTHENTICATED, none),
        O::CreateToken => (
            [401, 403, 403, 201],
            Body::Json(r#"{"principal": {"kind": "tenant", "tenant": "acme"}}"#),
        ),
        O::ListTokens => (ADMIN, none),
        O::DeleteToken => ([401, 403, 403, 204], none),
        O::PutTenant => (ADMIN, none),
        O::PutEnvironment => (MADE, none),
        O::GetTenant
        | O::ListEnvironments
        | O::GetEnvironment
        | O::ListPlugins
        | O::GetPlugin
        | O::GetGrants
        | O::GetConfig
        | O::ListReleases
        | O::GetRelease
        | O::GetCurrent
        | O::ListWorkflows
        | O::GetWorkflow
        | O::GetHistory => (READ, none),
        O::GetResult => ([401, 404, 202, 202], none),
        O::PutGrants => (ADMIN, Body::Json(r#"{"keyvalue": true}"#)),
        O::PutConfig => (READ, Body::Json(r#"{"key": "value"}"#)),
        O::PushRelease => (MADE, Body::Component(b"\0asm:2.0.0")),
        // The digest of the component that `furnished` pushes.
        O::PutCurrent => (READ, Body::Json(CURRENT)),
        O::StartWorkflow => (
            [401, 404, 202, 202],
            Body::Json(r#"{"type": "payment.Pay", "input": {"amount": 1}}"#),
        ),
        O::QueryWorkflow | O::UpdateWorkflow => (READ, Body::Json(r#"{"input": 1}"#)),
        O::SignalWorkflow | O::CancelWorkflow | O::TerminateWorkflow => (SENT, none),
    }
}

const CURRENT: &str = r#"{"digest": "sha256:DIGEST"}"#;

fn digest() -> String {
    tenterhook_domain::Digest::of(&component("1.0.0")).to_string()
}

/// The path of `route` with what `furnished` knows.
fn path(route: &Route, tenant: &str) -> String {
    let environment = match route.operation {
        Operation::PutEnvironment => "staging",
        _ => "production",
    };
    route
        .path
        .replace("{tenant}", tenant)
        .replace("{environment}", environment)
        .replace("{plugin}", "payment")
        .replace("{digest}", &digest())
        .replace("{id}", "order%2F1")
        .replace("{name}", "ping")
        .replace("{token}", "none")
}

fn filled(body: Body<'static>) -> Body<'static> {
    match body {
        Body::Json(CURRENT) => Body::Json(CURRENT.replace("sha256:DIGEST", &digest()).leak()),
        body => body,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_for_whom_the_table_says() {
    for route in ROUTES {
        let (statuses, body) = row(route.operation);
        let host = furnished().await;
        let callers = [
            host.nobody(),
            host.tenant("globex").await,
            host.tenant("acme").await,
            host.admin().await,
        ];
        for (place, (caller, expected)) in callers.iter().zip(statuses).enumerate() {
            let path = path(route, "acme");
            let answer = caller.send(route.verb.as_str(), &path, filled(body)).await;
            let who = ["nobody", "another tenant", "the tenant", "an admin"][place];
            assert_eq!(
                answer.status, expected,
                "{:?} by {who}: {:?}",
                route.operation, answer.json
            );
            let code = match expected {
                401 => "token-invalid",
                403 => "permission-denied",
                404 => "tenant-not-found",
                _ => "none",
            };
            assert_eq!(answer.code(), code, "{:?} by {who}", route.operation);
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge.starts_with("Bearer"), expected == 401);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_things_look_like_nothing_at_all() {
    let host = furnished().await;
    let stranger = host.tenant("globex").await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Tenant) {
        let (_, body) = row(route.operation);
        let mut answers = Vec::new();
        for tenant in ["acme", "nobody"] {
            let path = path(route, tenant);
            let answer = stranger
                .send(route.verb.as_str(), &path, filled(body))
                .await;
            let mut headers = answer.headers;
            headers.remove("x-request-id");
            headers.remove("date");
            headers.remove("content-length");
            let json = answer.json.to_string().replace(tenant, "T");
            answers.push((answer.status, headers, json));
        }
        assert_eq!(answers[0], answers[1], "{:?}", route.operation);
    }
}

#[tokio::test]
async fn tokens_that_are_none_are_refused() {
    let host = furnished().await;
    let good = host.admin().await;
    let token = good.token.clone().unwrap();
    let (id, _) = tenterhook_domain::token::parse(&token).unwrap();
    let bad = [
        String::new(),
        "x".into(),
        "tth_".into(),
        format!("tth_{id}_wrong"),
        format!("{token}x"),
        token.replace("tth_", "TTH_"),
        "y".repeat(10_000),
    ];
    for text in bad {
        let mut caller = good.clone();
        caller.token = Some(text.clone());
        let answer = caller.get("/v1/tenants").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "token-invalid"),
            "{text:?}"
        );
    }
    assert_eq!(good.get("/v1/tenants").await.status, 200);
}

#[tokio::test]
async fn a_token_works_from_the_answer_that_shows_it_until_it_is_deleted() {
    let host = furnished().await;
    let admin = host.admin().await;
    let body = r#"{"principal": {"kind": "tenant", "tenant": "acme"}}"#;
    let made = admin.post("/v1/tokens", body).await;
    let text = made.json["token"].as_str().unwrap();
    let mut tenant = host.nobody();
    tenant.token = Some(text.to_owned());
    let seen = tenant.get("/v1/tenants").await;
    assert_eq!(seen.json, serde_json::json!({"items": [{"name": "acme"}]}));

    let listed = admin.get("/v1/tokens").await.json.to_string();
    let (id, secret) = tenterhook_domain::token::parse(text).unwrap();
    assert!(listed.contains(id) && !listed.contains(secret));

    let path = format!("/v1/tokens/{id}");
    assert_eq!(admin.send("DELETE", &path, Body::None).await.status, 204);
    assert_eq!(tenant.get("/v1/tenants").await.status, 401);

    let nowhere = r#"{"principal": {"kind": "tenant", "tenant": "nobody"}}"#;
    let refused = admin.post("/v1/tokens", nowhere).await;
    assert_eq!(refused.code(), "tenant-not-found");
}
