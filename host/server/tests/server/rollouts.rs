//! Ramps, rollbacks, settings, and who changed what.

use serde_json::{Value, json};
use tenterhook_domain::Digest;

use crate::host::{Body, Caller, PLUGIN, component, furnished};

fn digest(version: &str) -> String {
    Digest::of(&component(version)).to_string()
}

fn plan(version: &str, percentages: &[u8]) -> String {
    let steps: Vec<Value> = percentages
        .iter()
        .map(|percentage| json!({"percentage": percentage, "bake_seconds": 60}))
        .collect();
    json!({"digest": digest(version), "steps": steps}).to_string()
}

async fn act(caller: &Caller<'_>, action: &str) -> (u16, Value) {
    let path = format!("{PLUGIN}/{action}");
    let answer = caller.send("POST", &path, Body::None).await;
    (answer.status.as_u16(), answer.json)
}

#[tokio::test]
async fn a_ramp_goes_its_steps_and_back() {
    let host = furnished().await;
    let operator = host.tenant("acme").await;
    let rollout = format!("{PLUGIN}/rollout");
    operator.push(PLUGIN, &component("2.0.0")).await;
    let none = operator.get(&rollout).await.json;
    assert_eq!(
        (&none["percentage"], &none["rollout"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(
        act(&operator, "rollout/advance").await.1["code"],
        "rollout-not-running"
    );

    let ramped = operator.put(&rollout, &plan("2.0.0", &[10, 50])).await;
    assert_eq!(
        (ramped.status.as_u16(), &ramped.json["percentage"]),
        (200, &json!(10))
    );
    assert_eq!(
        act(&operator, "rollout/pause").await.1["rollout"]["paused"],
        true
    );
    assert_eq!(
        act(&operator, "rollout/resume").await.1["rollout"]["paused"],
        false
    );
    assert_eq!(act(&operator, "rollout/advance").await.1["percentage"], 50);
    let (_, done) = act(&operator, "rollout/advance").await;
    assert_eq!(
        (&done["current"], &done["rollout"]),
        (&json!(digest("2.0.0")), &Value::Null)
    );
    let (status, back) = act(&operator, "rollback").await;
    assert_eq!((status, &back["current"]), (200, &json!(digest("1.0.0"))));

    for (plan, status, code) in [
        (plan("2.0.0", &[]), 422, "rollout-invalid"),
        (plan("2.0.0", &[101]), 422, "rollout-invalid"),
        (plan("9.9.9", &[10]), 404, "release-not-found"),
        (plan("1.0.0", &[10]), 409, "release-state-conflict"),
        ("{}".to_owned(), 400, "request-invalid"),
    ] {
        let refused = operator.put(&rollout, &plan).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (status, code),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_changed_again() {
    let host = furnished().await;
    let admin = host.admin().await;
    admin.push(PLUGIN, &component("2.0.0")).await;
    let choice = |version: &str| json!({"digest": digest(version)}).to_string();
    let cases = [
        (
            "config",
            r#"{"a": "1"}"#.to_owned(),
            r#"{"a": "2"}"#.to_owned(),
        ),
        (
            "grants",
            r#"{"keyvalue": true}"#.to_owned(),
            r#"{"config": true}"#.to_owned(),
        ),
        (
            "policy",
            r#"{"sample_open": 1}"#.to_owned(),
            r#"{"sample_open": 2}"#.to_owned(),
        ),
        ("current", choice("2.0.0"), choice("1.0.0")),
        ("rollout", plan("1.0.0", &[5]), plan("1.0.0", &[6])),
    ];
    for (what, first, second) in cases {
        let path = format!("{PLUGIN}/{what}");
        let read = admin.get(&path).await;
        let tag = read.header("etag").to_owned();
        assert!(tag.len() > 10 && tag.starts_with('"'), "{what}: {tag}");
        let known = admin.with("if-match", &tag);
        let set = known.put(&path, &first).await;
        assert_eq!(set.status, 200, "{what}: {:?}", set.json);
        let late = known.put(&path, &second).await;
        assert_eq!(
            (late.status.as_u16(), late.code()),
            (412, "precondition-failed"),
            "{what}"
        );
        // The answer to a change carries the tag for the next one.
        let next = admin.with("if-match", set.header("etag"));
        let set = next.put(&path, &second).await;
        assert_eq!(set.status, 200, "{what}: {:?}", set.json);
        assert_eq!(
            admin.with("if-match", "*").put(&path, &first).await.status,
            200,
            "{what}"
        );
    }
    // What does another thing each time it is said.
    let stale = admin.with("if-match", "\"stale\"");
    for what in [
        "rollout/advance",
        "rollout/pause",
        "rollout/resume",
        "rollback",
    ] {
        let path = format!("{PLUGIN}/{what}");
        let late = stale.send("POST", &path, Body::None).await;
        assert_eq!(
            (late.status.as_u16(), late.code()),
            (412, "precondition-failed"),
            "{what}"
        );
    }
    let nothing = format!("{PLUGIN}x/config");
    let refused = admin.with("if-match", "\"x\"").put(&nothing, "{}").await;
    assert_eq!(refused.code(), "plugin-not-found");
}

#[tokio::test]
async fn the_log_says_who_did_what_from_where_and_why() {
    let host = furnished().await;
    let operator = host
        .tenant("acme")
        .await
        .with("tenterhook-reason", "the new rates");
    operator.push(PLUGIN, &component("2.0.0")).await;
    let choice = json!({"digest": digest("2.0.0")}).to_string();
    assert_eq!(
        operator
            .put(&format!("{PLUGIN}/current"), &choice)
            .await
            .status,
        200
    );
    assert_eq!(
        operator.put(&format!("{PLUGIN}/policy"), "{}").await.status,
        200
    );

    let log = operator.get(&format!("{PLUGIN}/audit")).await.json;
    let entries = log["items"].as_array().unwrap();
    assert_eq!(entries[0]["action"], "policy", "newest first");
    let promoted = entries
        .iter()
        .find(|entry| entry["action"] == "promote")
        .unwrap();
    let token = operator.token.clone().unwrap();
    let (id, _) = tenterhook_domain::token::parse(&token).unwrap();
    assert_eq!(promoted["who"], format!("token:{id}"));
    assert_eq!(promoted["why"], "the new rates");
    assert!(
        promoted["from"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{promoted}"
    );
    assert_eq!(promoted["digest"], digest("2.0.0"));
    assert_eq!(
        (&promoted["tenant"], &promoted["environment"]),
        (&json!("acme"), &json!("production"))
    );

    let of_first = format!("{PLUGIN}/audit?digest={}", digest("1.0.0"));
    let of_first = operator.get(&of_first).await.json;
    let of_first = of_first["items"].as_array().unwrap();
    assert!(!of_first.is_empty() && of_first.len() < entries.len());
    assert!(
        of_first
            .iter()
            .all(|entry| entry["digest"] == digest("1.0.0"))
    );

    let long = operator.with("tenterhook-reason", &"x".repeat(501));
    assert_eq!(long.get(PLUGIN).await.code(), "request-invalid");
}

#[tokio::test]
async fn the_log_comes_in_pages_and_to_each_its_own() {
    let host = furnished().await;
    let admin = host.admin().await;
    let elsewhere = "/v1/tenants/globex/environments/production/plugins/payment";
    admin.push(elsewhere, &component("1.0.0")).await;
    let read = async |caller: &Caller<'_>, path: &str| {
        let mut entries: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = caller.get(&format!("{path}?limit=2{cursor}")).await.json;
            entries.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return entries,
            }
        }
    };
    let all = read(&admin, "/v1/audit").await;
    let acme = read(&host.tenant("acme").await, "/v1/tenants/acme/audit").await;
    let globex = read(&host.tenant("globex").await, "/v1/tenants/globex/audit").await;
    assert!(!acme.is_empty() && !globex.is_empty());
    assert_eq!(all.len(), acme.len() + globex.len());
    assert!(acme.iter().all(|entry| entry["tenant"] == "acme"));
    assert!(globex.iter().all(|entry| entry["tenant"] == "globex"));
    let bad = admin.get("/v1/audit?cursor=x").await;
    assert_eq!((bad.status.as_u16(), bad.code()), (400, "request-invalid"));
}
