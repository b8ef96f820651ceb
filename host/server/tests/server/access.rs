//! Every operation, by everyone.

use tenterhook_server::{Access, Operation, ROUTES, Route};

use crate::host::{Body, Caller, Host, component, furnished};

/// One row for each operation: what is sent, and what is answered to those who may. A new operation without one does
/// not compile.
fn row(operation: Operation) -> (u16, Body<'static>) {
    use Operation as O;
    let none = Body::None;
    match operation {
        O::Live
        | O::Ready
        | O::GetMetrics
        | O::GetContract
        | O::GetDocs
        | O::ListLimits
        | O::ListQuotas
        | O::GetQuotas
        | O::GetTenantLimits
        | O::GetEncryption
        | O::DeletePayloadKeys
        | O::GetPluginLimits
        | O::ListCircuits
        | O::ListTokens
        | O::ListAudit
        | O::ListTenants
        | O::PutTenant
        | O::GetTenant
        | O::ListTenantTokens
        | O::ListTenantAudit
        | O::ListEnvironments
        | O::GetEnvironment
        | O::ListPlugins
        | O::GetPlugin
        | O::GetGrants
        | O::GetConfig
        | O::GetPolicy
        | O::ListSecrets
        | O::ResealSecrets
        | O::ListContextKeys
        | O::RotateContextKeys
        | O::GetTrust
        | O::ListReleases
        | O::GetRelease
        | O::GetCurrent
        | O::GetRollout
        | O::ListPluginAudit
        | O::ListWorkflows
        | O::GetWorkflow
        | O::GetHistory
        | O::ListSchedules
        | O::GetSchedule
        | O::DiffReleases => (200, none),
        O::CreateToken | O::CreateTenantToken => (
            201,
            Body::Json(r#"{"principal": {"role": "operator", "tenant": "acme"}, "label": "ci"}"#),
        ),
        O::DeleteToken | O::DeleteTenantToken | O::DeleteSecret => (204, none),
        O::PutSecret => (204, Body::Json(r#"{"value": "sk_live_0123"}"#)),
        O::PutEnvironment => (201, none),
        // Whoever may is told that there is none.
        O::GetLane | O::DeleteLane => (404, none),
        O::PutLane => (201, Body::Json(r#"{"task_queue": "acme"}"#)),
        O::PutGrants => (200, Body::Json(r#"{"keyvalue": true}"#)),
        O::PutConfig => (200, Body::Json(r#"{"key": "value"}"#)),
        O::PutPolicy => (200, Body::Json(r#"{"on_divergence": "refuse"}"#)),
        O::PutQuotas => (200, Body::Json(r#"{"starts_per_second": 500}"#)),
        O::PutTenantLimits => (
            200,
            Body::Json(r#"{"ceilings": {"memory_bytes": 33554432}}"#),
        ),
        O::PutEncryption => (200, Body::Json(r#"{"payloads": "on"}"#)),
        // Whoever may is told that there is nothing to make a new key for.
        O::AddPayloadKey => (409, none),
        O::DecodePayloads | O::EncodePayloads => (
            200,
            Body::Json(r#"{"payloads": [{"metadata": {}, "data": "aGk="}]}"#),
        ),
        O::PutTrust => (200, Body::Json(r#"{"mode": "off"}"#)),
        // Whoever may pull is told what is wrong with the reference.
        O::PullRelease => (
            422,
            Body::Json(r#"{"oci": "registry.example/payment:1.0.0"}"#),
        ),
        O::PushRelease => (201, Body::Component(b"\0asm:3.0.0")),
        O::CheckComponent => (200, Body::Component(b"\0asm:3.0.0")),
        O::PutCurrent => (200, Body::Json(r#"{"digest": "DIGEST"}"#)),
        O::PutRollout => (
            200,
            Body::Json(r#"{"digest": "SECOND", "steps": [{"percentage": 10}]}"#),
        ),
        // These say what is wrong, for no ramp is under way and nothing can be gone back to or retired.
        O::AdvanceRollout | O::PauseRollout | O::ResumeRollout | O::RollBack | O::RetireRelease => {
            (409, none)
        }
        O::GetResult => (202, none),
        O::PutSchedule => (200, Body::Json(crate::schedules::DAILY)),
        O::DeleteSchedule | O::PauseSchedule | O::ResumeSchedule => (204, none),
        O::TriggerSchedule => (204, Body::Json(r#"{"overlap": "allow_all"}"#)),
        O::BackfillSchedule => (204, Body::Json(r#"{"from": 0, "to": 5000}"#)),
        O::StartWorkflow => (
            202,
            Body::Json(r#"{"type": "payment.Pay", "input": {"amount": 1}}"#),
        ),
        O::QueryWorkflow | O::UpdateWorkflow => (200, Body::Json(r#"{"input": 1}"#)),
        O::SignalWorkflow | O::CancelWorkflow | O::TerminateWorkflow => (204, none),
    }
}

/// Who is let in, of the tenant's own: author, caller, operator.
fn lets_in(access: Access) -> [bool; 3] {
    match access {
        Access::Open | Access::Authenticated | Access::Member => [true, true, true],
        Access::Author => [true, false, true],
        Access::Caller => [false, true, true],
        Access::Operator => [false, false, true],
        Access::Admin => [false, false, false],
    }
}

fn digest(version: &str) -> String {
    tenterhook_domain::Digest::of(&component(version)).to_string()
}

/// The path of `route` with what `furnished` knows.
fn path(route: &Route, tenant: &str) -> String {
    let environment = match route.operation {
        Operation::PutEnvironment => "staging",
        _ => "production",
    };
    let path = route
        .path
        .replace("{tenant}", tenant)
        .replace("{environment}", environment)
        .replace("{plugin}", "payment")
        .replace("{digest}", &digest("1.0.0"))
        .replace("{id}", "order%2F1")
        .replace("{schedule}", "daily")
        .replace("{name}", "ping")
        .replace("{secret}", "api-key")
        .replace("{token}", "none");
    match route.operation {
        Operation::DiffReleases => format!("{path}?against={}", digest("1.0.0")),
        _ => path,
    }
}

fn filled(body: Body<'static>) -> Body<'static> {
    match body {
        Body::Json(text) => {
            let text = text.replace("DIGEST", &digest("1.0.0"));
            Body::Json(text.replace("SECOND", &digest("2.0.0")).leak())
        }
        body => body,
    }
}

/// Somebody's name for messages, the caller, and the status that must be answered.
type Try<'a> = (&'static str, Caller<'a>, u16);

async fn tries<'a>(host: &'a Host, route: &Route, right: u16) -> Vec<Try<'a>> {
    let [author, caller, operator] = lets_in(route.access);
    let own = |let_in: bool| if let_in { right } else { 403 };
    // What is not of a token's own is not there; what no tenant may do tells nothing, wherever.
    let other = |above: bool| match route.access {
        Access::Open | Access::Authenticated => right,
        Access::Admin => 403,
        _ if above => 404,
        _ => 0,
    };
    let nobody = if route.access == Access::Open {
        right
    } else {
        401
    };
    // The places that a token of the tenant's own may not know of: another plugin, another environment.
    let (in_scope, in_plugin) = (
        route.path.contains("{environment}"),
        route.path.contains("{plugin}"),
    );
    // The environment that is made here is none of a bound token's.
    let making = route.operation == Operation::PutEnvironment;
    let bound = |let_in: bool| if making { 404 } else { own(let_in) };
    let mut tries = vec![
        ("nobody", host.nobody(), nobody),
        (
            "another tenant's operator",
            host.tenant("globex").await,
            other(true),
        ),
        (
            "another tenant's caller",
            host.client("globex/production").await,
            other(true),
        ),
        (
            "another tenant's author",
            host.author("globex/production", "payment").await,
            other(true),
        ),
        (
            "a caller",
            host.client("acme/production").await,
            bound(caller),
        ),
        (
            "an author",
            host.author("acme/production", "payment").await,
            bound(author),
        ),
        (
            "an author elsewhere",
            host.author("acme/test", "payment").await,
            if in_scope { other(true) } else { own(author) },
        ),
        (
            "a caller elsewhere",
            host.client("acme/test").await,
            if in_scope { other(true) } else { own(caller) },
        ),
        (
            "another plugin's author",
            host.author("acme/production", "billing").await,
            if in_plugin {
                other(true)
            } else {
                bound(author)
            },
        ),
        ("the operator", host.tenant("acme").await, own(operator)),
        ("an admin", host.admin().await, right),
    ];
    tries.retain(|(_, _, status)| *status != 0);
    tries
}

/// The first who may makes it, so the next find it there.
fn repeated(operation: Operation, status: u16) -> u16 {
    match (operation, status) {
        (Operation::PushRelease | Operation::PutEnvironment | Operation::PutLane, 201) => 200,
        _ => status,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_for_whom_the_table_says() {
    for route in ROUTES {
        let (right, body) = row(route.operation);
        let host = furnished().await;
        let admin = host.admin().await;
        assert_eq!(
            admin
                .push(crate::host::PLUGIN, &component("2.0.0"))
                .await
                .status,
            201
        );
        let mut right_now = right;
        for (who, caller, expected) in tries(&host, route, right).await {
            let expected = if expected == right {
                right_now
            } else {
                expected
            };
            let path = path(route, "acme");
            let answer = caller.send(route.verb.as_str(), &path, filled(body)).await;
            assert_eq!(
                answer.status, expected,
                "{:?} by {who}: {:?}",
                route.operation, answer.json
            );
            if expected == right_now {
                right_now = repeated(route.operation, right);
            }
            let codes: &[&str] = match expected {
                401 => &["token-invalid"],
                403 => &["permission-denied"],
                404 => &[
                    "tenant-not-found",
                    "environment-not-found",
                    "plugin-not-found",
                    "lane-not-found",
                ],
                422 => &["origin-invalid"],
                409 => &[
                    "release-state-conflict",
                    "rollout-not-running",
                    "encryption-conflict",
                ],
                _ => &["none"],
            };
            assert!(
                codes.contains(&answer.code()),
                "{:?} by {who}: {:?}",
                route.operation,
                answer.json
            );
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge.starts_with("Bearer"), expected == 401);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_may_not_know_of_looks_like_nothing_at_all() {
    let host = furnished().await;
    // Whom, which place that is there, and which place that is not: each the same but for the name.
    let strangers = [
        (
            host.tenant("globex").await,
            "tenants/acme",
            "tenants/nobody",
        ),
        (
            host.client("acme/test").await,
            "environments/production",
            "environments/nowhere",
        ),
        (
            host.author("acme/production", "billing").await,
            "plugins/payment",
            "plugins/nothing",
        ),
    ];
    for route in ROUTES {
        if matches!(
            route.access,
            Access::Open | Access::Authenticated | Access::Admin
        ) {
            continue;
        }
        let (_, body) = row(route.operation);
        for (stranger, there, nowhere) in &strangers {
            let known = path(route, "acme");
            if !known.contains(there) {
                continue;
            }
            let mut answers = Vec::new();
            for (path, name) in [
                (known.clone(), there),
                (known.replace(there, nowhere), nowhere),
            ] {
                let answer = stranger
                    .send(route.verb.as_str(), &path, filled(body))
                    .await;
                assert_eq!(
                    answer.status, 404,
                    "{:?}: {:?}",
                    route.operation, answer.json
                );
                let mut headers = answer.headers;
                headers.remove("x-request-id");
                headers.remove("date");
                headers.remove("content-length");
                let name = name.split('/').nth(1).unwrap();
                let json = answer.json.to_string().replace(name, "X");
                answers.push((answer.status, headers, json));
            }
            assert_eq!(answers[0], answers[1], "{:?}", route.operation);
        }
    }
}

/// What is told to who may not know is what is told to who may of what is not there.
#[tokio::test]
async fn the_words_for_what_is_hidden_are_the_words_for_what_is_missing() {
    let host = furnished().await;
    let (admin, stranger) = (host.admin().await, host.tenant("globex").await);
    let author = host.author("acme/production", "billing").await;
    let cases = [
        (&stranger, "/v1/tenants/acme", "acme", "nobody"),
        (
            &author,
            "/v1/tenants/acme/environments/test",
            "environment test",
            "environment nowhere",
        ),
        (
            &author,
            crate::host::PLUGIN,
            "plugin payment",
            "plugin nothing",
        ),
    ];
    for (caller, path, hidden, missing) in cases {
        let told = caller.get(path).await;
        let (from, to) = (
            hidden.rsplit(' ').next().unwrap(),
            missing.rsplit(' ').next().unwrap(),
        );
        let real = admin
            .get(&path.replace(&format!("/{from}"), &format!("/{to}")))
            .await;
        assert_eq!(told.status, 404, "{path}");
        assert_eq!(
            told.json.to_string().replace(hidden, missing),
            real.json.to_string(),
            "{path}"
        );
    }
}
