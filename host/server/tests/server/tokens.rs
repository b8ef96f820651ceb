//! Tokens: made, listed, expired, revoked, and by whom.

use serde_json::{Value, json};
use tenterhook_domain::token::{self, Principal};

use crate::host::{Body, NOW, PLUGIN, SCOPE, furnished};

#[tokio::test]
async fn tokens_that_are_none_are_refused() {
    let host = furnished().await;
    let good = host.admin().await;
    let token = good.token.clone().unwrap();
    let (id, _) = token::parse(&token).unwrap();
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
    let body = r#"{"principal": {"role": "operator", "tenant": "acme"}, "label": "for ci"}"#;
    let made = admin.post("/v1/tokens", body).await;
    assert_eq!(made.json["label"], "for ci");
    assert_eq!(made.json["created_at"], NOW);
    let text = made.json["token"].as_str().unwrap();
    let mut tenant = host.nobody();
    tenant.token = Some(text.to_owned());
    let seen = tenant.get("/v1/tenants").await;
    assert_eq!(seen.json, json!({"items": [{"name": "acme"}]}));

    let listed = admin.get("/v1/tokens").await.json.to_string();
    let (id, secret) = token::parse(text).unwrap();
    assert!(listed.contains(id) && listed.contains("for ci") && !listed.contains(secret));

    let path = format!("/v1/tokens/{id}");
    assert_eq!(admin.send("DELETE", &path, Body::None).await.status, 204);
    assert_eq!(tenant.get("/v1/tenants").await.status, 401);

    for (principal, code) in [
        (
            json!({"role": "operator", "tenant": "nobody"}),
            "tenant-not-found",
        ),
        (
            json!({"role": "caller", "tenant": "acme", "environment": "nowhere"}),
            "environment-not-found",
        ),
        (
            json!({"role": "caller", "tenant": "acme"}),
            "request-invalid",
        ),
        (json!({"role": "king"}), "request-invalid"),
    ] {
        let body = json!({"principal": principal}).to_string();
        assert_eq!(
            admin.post("/v1/tokens", &body).await.code(),
            code,
            "{principal}"
        );
    }
    let label = "x".repeat(201);
    let body = json!({"principal": {"role": "admin"}, "label": label}).to_string();
    assert_eq!(
        admin.post("/v1/tokens", &body).await.code(),
        "request-invalid"
    );
}

#[tokio::test]
async fn a_token_ends_when_its_time_is_over() {
    let host = furnished().await;
    let admin = host.admin().await;
    // The clock of these tests stands still at NOW.
    for (expires_at, status) in [(NOW, 401), (NOW + 1, 200)] {
        let body = json!({"principal": {"role": "admin"}, "expires_at": expires_at}).to_string();
        let made = admin.post("/v1/tokens", &body).await;
        assert_eq!(made.json["expires_at"], expires_at);
        assert_eq!(made.json["expired"], status == 401);
        let mut caller = host.nobody();
        caller.token = made.json["token"].as_str().map(str::to_owned);
        assert_eq!(caller.get("/v1/limits").await.status, status);
    }
}

#[tokio::test]
async fn an_operator_makes_lists_and_revokes_what_is_of_its_tenant() {
    let host = furnished().await;
    let operator = host.tenant("acme").await;
    let tokens = "/v1/tenants/acme/tokens";
    let make = async |principal: Value| {
        let body = json!({"principal": principal}).to_string();
        operator.post(tokens, &body).await
    };
    let author = make(json!({
        "role": "author", "tenant": "acme", "environment": "production", "plugin": "payment"
    }))
    .await;
    assert_eq!(author.status, 201, "{:?}", author.json);
    let caller =
        make(json!({"role": "caller", "tenant": "acme", "environment": "production"})).await;
    assert_eq!(caller.status, 201);
    assert_eq!(
        make(json!({"role": "admin"})).await.code(),
        "permission-denied"
    );
    let foreign = make(json!({"role": "operator", "tenant": "globex"})).await;
    assert_eq!(foreign.code(), "tenant-not-found");

    let ids = async || {
        let listed = operator.get(&format!("{tokens}?limit=1")).await.json;
        let mut items = listed["items"].as_array().unwrap().clone();
        let mut next = listed["next"].clone();
        while let Some(cursor) = next.as_str() {
            let page = operator
                .get(&format!("{tokens}?limit=1&cursor={cursor}"))
                .await
                .json;
            items.extend(page["items"].as_array().unwrap().clone());
            next = page["next"].clone();
        }
        assert!(
            items
                .iter()
                .all(|item| item["principal"]["tenant"] == "acme")
        );
        items.len()
    };
    assert_eq!(ids().await, 3, "its own, the author's and the caller's");

    let mut used = host.nobody();
    used.token = author.json["token"].as_str().map(str::to_owned);
    assert_eq!(used.get(&format!("{PLUGIN}/releases")).await.status, 200);
    let path = format!("{tokens}/{}", author.json["id"].as_str().unwrap());
    assert_eq!(operator.send("DELETE", &path, Body::None).await.status, 204);
    assert_eq!(used.get(&format!("{PLUGIN}/releases")).await.status, 401);
    assert_eq!(ids().await, 2);

    // A token of another tenant is let alone, whatever is answered.
    let globex = host
        .caller(Principal::Operator {
            tenant: "globex".parse().unwrap(),
        })
        .await;
    let (id, _) = token::parse(globex.token.as_deref().unwrap()).unwrap();
    let path = format!("{tokens}/{id}");
    assert_eq!(operator.send("DELETE", &path, Body::None).await.status, 204);
    assert_eq!(globex.get("/v1/tenants/globex").await.status, 200);
}

#[tokio::test]
async fn an_author_keeps_to_its_plugin_and_a_caller_to_its_workflows() {
    let host = furnished().await;
    let author = host.author("acme/production", "payment").await;
    let caller = host.client("acme/production").await;
    assert_eq!(author.push(PLUGIN, b"\0asm:9.0.0").await.status, 201);
    let other = format!("{SCOPE}/plugins/other");
    assert_eq!(
        author.push(&other, b"\0asm:9.0.0").await.code(),
        "plugin-not-found"
    );
    assert_eq!(
        caller.push(PLUGIN, b"\0asm:9.0.1").await.code(),
        "permission-denied"
    );
    let body = r#"{"type": "payment.Pay", "input": {"amount": 1}}"#;
    let workflows = crate::host::WORKFLOWS;
    assert_eq!(caller.post(workflows, body).await.status, 202);
    assert_eq!(
        author.post(workflows, body).await.code(),
        "permission-denied"
    );
}
