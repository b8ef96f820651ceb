//! Tenants, environments, plugins, releases.

use serde_json::json;
use tenterhook_domain::{Digest, component::COMPONENT_BYTES_MAX};
use tenterhook_server::PAGE_DEFAULT;

use crate::host::{Body, NOW, PLUGIN, SCOPE, component, furnished, host};

#[tokio::test]
async fn a_scope_is_made_step_by_step() {
    let host = host().await;
    let admin = host.admin().await;
    let early = admin.put(SCOPE, "").await;
    assert_eq!(
        (early.status.as_u16(), early.code()),
        (404, "tenant-not-found")
    );
    let tenant = "/v1/tenants/acme";
    for (path, name) in [(tenant, "acme"), (SCOPE, "production")] {
        for status in [201, 200] {
            let answer = admin.send("PUT", path, Body::None).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.json, json!({"name": name}));
        }
        assert_eq!(admin.get(path).await.json, json!({"name": name}));
    }
    let environments = admin.get(&format!("{tenant}/environments")).await;
    assert_eq!(
        environments.json,
        json!({"items": [{"name": "production"}]})
    );
    let bad = admin.send("PUT", "/v1/tenants/Acme", Body::None).await;
    assert_eq!((bad.status.as_u16(), bad.code()), (400, "name-invalid"));
}

#[tokio::test]
async fn a_push_answers_what_was_checked_and_a_repetition_nothing_new() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let second = component("2.0.0");
    let digest = Digest::of(&second).to_string();
    let pushed = acme.push(PLUGIN, &second).await;
    assert_eq!(pushed.status, 201);
    let path = format!("{PLUGIN}/releases/{digest}");
    assert_eq!(pushed.header("location"), path);
    let json = &pushed.json;
    assert_eq!(json["digest"], digest);
    assert_eq!(json["version"], "2.0.0");
    assert_eq!(json["state"], "ready");
    assert_eq!(json["uploaded_at"], NOW);
    assert_eq!(json["bytes"], second.len());
    assert_eq!(
        json["checks"],
        json!([
            {"name": "imports", "severity": "passed", "detail": "none"},
            {"name": "replay", "severity": "passed", "detail": "1 of 1 histories replay"},
        ])
    );
    assert_eq!(acme.get(&path).await.json, *json);

    let again = acme.push(PLUGIN, &second).await;
    assert_eq!((again.status.as_u16(), &again.json), (200, json));

    let listed = acme.get(&format!("{PLUGIN}/releases")).await;
    let states: Vec<_> = listed.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| (release["version"].clone(), release["state"].clone()))
        .collect();
    assert_eq!(
        states,
        [
            (json!("2.0.0"), json!("ready")),
            (json!("1.0.0"), json!("current"))
        ]
    );
}

#[tokio::test]
async fn what_is_current_is_chosen() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    acme.push(PLUGIN, &component("2.0.0")).await;
    let current = format!("{PLUGIN}/current");
    assert_eq!(acme.get(&current).await.json["version"], "1.0.0");
    let digest = Digest::of(&component("2.0.0")).to_string();
    let chosen = acme
        .put(&current, &json!({ "digest": digest }).to_string())
        .await;
    assert_eq!(
        (chosen.status.as_u16(), &chosen.json["state"]),
        (200, &json!("current"))
    );
    assert_eq!(acme.get(&current).await.json["version"], "2.0.0");
    let plugin = acme.get(PLUGIN).await;
    assert_eq!(plugin.json, json!({"name": "payment", "current": digest}));

    let unknown = json!({"digest": Digest::of(b"x").to_string()}).to_string();
    let refused = acme.put(&current, &unknown).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (404, "release-not-found")
    );
    let refused = acme.put(&current, r#"{"digest": "latest"}"#).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (400, "digest-invalid")
    );
}

#[tokio::test]
async fn what_is_no_component_is_refused_and_its_report_kept() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let plugin = format!("{SCOPE}/plugins/other");
    let refused = acme.push(&plugin, b"not a component").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (422, "component-invalid")
    );
    let releases = acme.get(&format!("{plugin}/releases")).await.json;
    let release = &releases["items"][0];
    assert_eq!(release["state"], "refused");
    assert_eq!(release["checks"][0]["code"], "component-invalid");
    assert_eq!(
        acme.get(&plugin).await.json,
        json!({"name": "other", "current": null})
    );
    let nowhere = "/v1/tenants/acme/environments/nowhere/plugins/other";
    let refused = acme.push(nowhere, &component("1.0.0")).await;
    assert_eq!(refused.code(), "environment-not-found");
}

#[tokio::test]
async fn a_component_that_is_too_large_is_refused_with_an_answer() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    for extra in [1, 2 * COMPONENT_BYTES_MAX] {
        let refused = acme
            .push(PLUGIN, &vec![0; COMPONENT_BYTES_MAX + extra])
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (413, "component-too-large")
        );
    }
    assert_eq!(acme.get(PLUGIN).await.status, 200);
}

#[tokio::test]
async fn grants_and_configuration_are_set_as_a_whole() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let admin = host.admin().await;
    let (grants, config) = (format!("{PLUGIN}/grants"), format!("{PLUGIN}/config"));
    let none = acme.get(&grants).await;
    assert_eq!(
        (none.status.as_u16(), &none.json["http"]),
        (200, &json!([]))
    );
    assert_eq!(acme.get(&config).await.json, json!({}));

    let body = r#"{"http": [{"host": "127.0.0.1:9000"}], "private_network": true, "config": true, "plugins": ["billing"]}"#;
    assert_eq!(admin.put(&grants, body).await.status, 200);
    let got = acme.get(&grants).await.json;
    assert_eq!(got["plugins"], json!(["billing"]));
    assert_eq!(got["http"], json!([{"host": "127.0.0.1:9000"}]));
    assert_eq!(
        (&got["private_network"], &got["keyvalue"]),
        (&json!(true), &json!(false))
    );

    assert_eq!(
        acme.put(&config, r#"{"url": "http://a.test"}"#)
            .await
            .status,
        200
    );
    assert_eq!(acme.put(&config, r#"{"key": "value"}"#).await.status, 200);
    assert_eq!(acme.get(&config).await.json, json!({"key": "value"}));

    let refused = [
        (
            &grants,
            r#"{"http": [{"host": "a b"}]}"#,
            422,
            "grant-invalid",
        ),
        (
            &grants,
            r#"{"limits": {"memory_bytes": 0}}"#,
            422,
            "grant-invalid",
        ),
        (&grants, r#"{"network": true}"#, 400, "request-invalid"),
        (&config, r#"{"": "x"}"#, 422, "config-invalid"),
        (&config, r#"{"key": 1}"#, 400, "request-invalid"),
    ];
    for (path, body, status, code) in refused {
        let answer = admin.put(path, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{body}"
        );
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let host = furnished().await;
    let admin = host.admin().await;
    let first = admin.get("/v1/tenants?limit=1").await.json;
    assert_eq!(first, json!({"items": [{"name": "acme"}], "next": "acme"}));
    let second = admin.get("/v1/tenants?limit=1&cursor=acme").await.json;
    assert_eq!(second, json!({"items": [{"name": "globex"}]}));
    for query in ["limit=0", "limit=1001", "limit=x", "page=2"] {
        let answer = admin.get(&format!("/v1/tenants?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "request-invalid"),
            "{query}"
        );
    }
    assert!((1..=1_000).contains(&PAGE_DEFAULT));
}
