//! Pushing, granting, configuring.

use serde_json::{Value, json};
use tenterhook_domain::{Digest, component::COMPONENT_BYTES_MAX};

use crate::{fake_host::FakeHost, program::Program};

const SCOPE: &str = "/v1/tenants/acme/environments/production";

fn release(component: &[u8], state: &str) -> Value {
    json!({
        "digest": Digest::of(component),
        "version": "1.2.0",
        "state": state,
        "bytes": component.len(),
        "uploaded_at": 1_795_257_720_123_u64,
        "metadata": {"name": "payment", "workflows": [{"name": "ProcessPayment"}], "activities": [{"name": "Charge"}]},
        "checks": [{"name": "imports", "severity": "passed", "detail": "all known"}],
    })
}

#[tokio::test]
async fn a_component_is_sent_whole_and_its_release_shown() {
    let component: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let host = FakeHost::start()
        .await
        .on(
            &format!("POST {SCOPE}/plugins/my-payment/releases?wait=0s"),
            201,
            release(&component, "ready"),
        )
        .on(
            &format!("PUT {SCOPE}/plugins/my-payment/current"),
            200,
            release(&component, "current"),
        );
    let program = Program::of(&host).file("my_payment.wasm", &component);
    let ran = program
        .run("plugin push my_payment.wasm --current")
        .await
        .exited(0);
    assert_eq!(
        ran.stderr, "pushed as plugin my-payment\n",
        "no bar where there is no terminal"
    );
    assert!(
        ran.words().contains(&vec!["State", "current"]),
        "{}",
        ran.stdout
    );
    assert!(
        ran.words()
            .contains(&vec!["Uploaded", "2026-11-21", "10:42:00.123Z"]),
        "{}",
        ran.stdout
    );
    assert!(
        ran.words().contains(&vec!["Workflows", "ProcessPayment"]),
        "{}",
        ran.stdout
    );

    let asked = host.asked();
    assert_eq!(asked[0].content_type, "application/wasm");
    assert_eq!(asked[0].content_length, Some(component.len()));
    assert_eq!(asked[0].body, component);
    assert_eq!(asked[1].json(), json!({"digest": Digest::of(&component)}));
}

#[tokio::test]
async fn the_first_release_is_current_without_another_call() {
    let host = FakeHost::start().await.on(
        &format!("POST {SCOPE}/plugins/p/releases?wait=0s"),
        201,
        release(b"x", "current"),
    );
    let program = Program::of(&host).stdin("x");
    let ran = program
        .run("plugin push - --name p --current --output json")
        .await
        .exited(0);
    assert_eq!(ran.json()["state"], "current");
    assert_eq!(host.asked_once().body, "x");
}

/// While the checks run the release is asked for again and again; what they find is told.
#[tokio::test]
async fn a_push_waits_for_the_checks_and_tells_their_warnings() {
    let at = format!("{SCOPE}/plugins/p/releases");
    let look = format!("GET {at}/{}?wait=2s", Digest::of(b"x"));
    let mut checking = release(b"x", "uploaded");
    checking["progress"] = json!({"done": 3, "total": 12, "now": "compiles"});
    let mut ready = release(b"x", "ready");
    ready["checks"] = json!([
        {"name": "imports", "severity": "passed", "detail": "all known"},
        {"name": "replay", "severity": "warning", "detail": "2 of 20 histories do not replay"},
    ]);
    let host = FakeHost::start()
        .await
        .on(&format!("POST {at}?wait=0s"), 202, checking.clone())
        .on(&look, 200, checking.clone())
        .on(&look, 200, ready);
    let program = Program::of(&host).file("p.wasm", "x");
    let ran = program
        .run_with(&["plugin", "push", "p.wasm", "--reason", "über Nacht"])
        .await
        .exited(0);
    assert_eq!(
        ran.stderr,
        "warning: replay: 2 of 20 histories do not replay\npushed as plugin p\n"
    );
    assert_eq!(host.asked().len(), 3);
    assert_eq!(host.asked()[0].reason, "über Nacht");

    let mut refused = release(b"x", "refused");
    refused["checks"] = json!([
        {"name": "imports", "severity": "refused", "code": "component-import-unknown", "detail": "it imports a:b/c"},
    ]);
    let host = FakeHost::start()
        .await
        .on(&format!("POST {at}?wait=0s"), 202, checking)
        .on(&look, 200, refused);
    let program = Program::of(&host).file("p.wasm", "x");
    let ran = program.run("plugin push p.wasm").await.exited(1);
    assert!(
        ran.stderr
            .starts_with("error[component-import-unknown]: it imports a:b/c\nhint: "),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn what_cannot_be_a_component_is_not_sent() {
    let host = FakeHost::start().await;
    let program = Program::of(&host);
    let file = std::fs::File::create(program.folder().join("big.wasm")).expect("made");
    file.set_len(COMPONENT_BYTES_MAX as u64 + 1)
        .expect("sparse");
    let ran = program.run("plugin push big.wasm").await.exited(1);
    assert!(
        ran.stderr
            .starts_with("error[component-too-large]: big.wasm is larger"),
        "{}",
        ran.stderr
    );
    let ran = program.run("plugin push none.wasm").await.exited(1);
    assert!(
        ran.stderr
            .starts_with("error[file-unreadable]: none.wasm cannot be read"),
        "{}",
        ran.stderr
    );
    let ran = program
        .run("plugin push big.wasm --name Not_a_name")
        .await
        .exited(1);
    assert!(
        ran.stderr.starts_with("error[name-invalid]: "),
        "{}",
        ran.stderr
    );
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn another_digest_than_sent_is_an_error() {
    let host = FakeHost::start().await.on(
        &format!("POST {SCOPE}/plugins/p/releases?wait=0s"),
        201,
        release(b"y", "ready"),
    );
    let ran = Program::of(&host)
        .file("p.wasm", "x")
        .run("plugin push p.wasm")
        .await
        .exited(1);
    assert!(
        ran.stderr
            .starts_with("error[answer-invalid]: the host stored \"sha256:"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn plugins_and_releases_are_shown() {
    let digest = Digest::of(b"x").to_string();
    let host = FakeHost::start()
        .await
        .on(&format!("GET {SCOPE}/plugins?limit=100"), 200, json!({"items": [{"name": "payment", "current": digest}, {"name": "new", "current": null}]}))
        .on(&format!("GET {SCOPE}/plugins/payment"), 200, json!({"name": "payment", "current": digest}))
        .on(&format!("GET {SCOPE}/plugins/payment/releases/{digest}"), 200, release(b"x", "current"))
        .on(&format!("GET {SCOPE}/plugins/payment/releases?limit=100"), 200, json!({"items": [release(b"x", "current")]}));
    let program = Program::of(&host);
    let ran = program.run("plugin list").await.exited(0);
    assert_eq!(
        ran.words(),
        [
            vec!["PLUGIN", "CURRENT"],
            vec!["payment", &digest],
            vec!["new"]
        ]
    );
    let ran = program.run("plugin show payment").await.exited(0);
    assert!(
        ran.words().contains(&vec!["Activities", "Charge"]),
        "{}",
        ran.stdout
    );
    let ran = program.run("release list payment").await.exited(0);
    assert_eq!(ran.words()[1][..4], [&digest, "1.2.0", "current", "1"]);
    let ran = program
        .run(&format!("release show payment {digest} --output json"))
        .await
        .exited(0);
    assert_eq!(ran.json(), release(b"x", "current"));
}

#[tokio::test]
async fn what_a_double_run_found_is_told_with_the_release() {
    let digest = Digest::of(b"x").to_string();
    let mut found = release(b"x", "current");
    found["double_run"] = json!({
        "code": "component-not-deterministic", "found_at": 1, "workflow_type": "Pay", "workflow_id": "p-1",
        "run_id": "r-1", "activation": 2, "command": 1, "expected": "StartTimer 1.000 s", "actual": "StartTimer 2.000 s",
    });
    let path = format!("GET {SCOPE}/plugins/payment/releases/{digest}");
    let host = FakeHost::start().await.on(&path, 200, found);
    let ran = Program::of(&host)
        .run(&format!("release show payment {digest}"))
        .await
        .exited(0);
    assert!(
        ran.words().contains(&vec!["Not", "deterministic", "Pay"]),
        "{}",
        ran.stdout
    );
    for part in ["execution p-1", "activation 2", "StartTimer 2.000 s"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn grants_come_from_flags_or_a_file() {
    let line = format!("PUT {SCOPE}/plugins/payment/grants");
    let answer = json!({"http": [{"host": "a.test"}], "private_network": true, "keyvalue": false, "config": true, "limits": {}});
    let cases = [
        (
            "--http a.test --http get,POST=*.b.test:8443 --private-network --config --secret api-key=a.test --reach billing --limit log_lines=5",
            json!({
                "http": [{"host": "a.test"}, {"host": "*.b.test:8443", "methods": ["GET", "POST"]}],
                "private_network": true, "keyvalue": false, "config": true, "limits": {"log_lines": 5},
                "secrets": [{"name": "api-key", "host": "a.test"}], "plugins": ["billing"],
            }),
        ),
        ("--file grants.json", json!({"keyvalue": true, "later": 1})),
        (
            "--none",
            json!({"http": [], "private_network": false, "keyvalue": false, "config": false, "limits": {}}),
        ),
    ];
    for (arguments, sent) in cases {
        let host = FakeHost::start().await.on(&line, 200, answer.clone());
        let program = Program::of(&host).file("grants.json", r#"{"keyvalue": true, "later": 1}"#);
        let ran = program
            .run(&format!("plugin grants put payment {arguments}"))
            .await
            .exited(0);
        assert_eq!(host.asked_once().json(), sent, "{arguments}");
        assert!(
            ran.words().contains(&vec!["Private", "network", "true"]),
            "{}",
            ran.stdout
        );
    }
    let host = FakeHost::start().await;
    for (arguments, says) in [
        ("--http http://a.test", "host pattern"),
        (
            "--http a.test --secret api-key=b.test",
            "not among the granted hosts",
        ),
        ("--limit log_lines=99999999", "log_lines cannot be"),
    ] {
        let ran = Program::of(&host)
            .run(&format!("plugin grants put payment {arguments}"))
            .await
            .exited(1);
        assert!(
            ran.stderr.starts_with("error[grant-invalid]: ") && ran.stderr.contains(says),
            "{}",
            ran.stderr
        );
    }
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn configuration_comes_from_pairs_or_a_file() {
    let line = format!("PUT {SCOPE}/plugins/payment/config");
    let config = json!({"gateway_url": "http://a.test/?x=y", "empty": ""});
    let pairs = "gateway_url=http://a.test/?x=y empty=";
    for arguments in [pairs, "--file config.json", "--file -"] {
        let host = FakeHost::start().await.on(&line, 200, config.clone());
        let program = Program::of(&host)
            .file("config.json", config.to_string())
            .stdin(&config.to_string());
        let ran = program
            .run(&format!("plugin config put payment {arguments}"))
            .await
            .exited(0);
        assert_eq!(host.asked_once().json(), config, "{arguments}");
        assert!(
            ran.words()
                .contains(&vec!["gateway_url", "http://a.test/?x=y"]),
            "{}",
            ran.stdout
        );
    }
    let host = FakeHost::start().await.on(
        &format!("GET {SCOPE}/plugins/payment/config"),
        200,
        config.clone(),
    );
    let ran = Program::of(&host)
        .run("plugin config get payment --output json")
        .await
        .exited(0);
    assert_eq!(ran.json(), config);
}
