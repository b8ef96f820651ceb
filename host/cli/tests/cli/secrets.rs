//! Secrets of plugins, and the keys that hosts encrypt them under.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

const SECRETS: &str = "/v1/tenants/acme/environments/production/plugins/payment/secrets";
const VALUE: &str = "sk_live_0123456789abcdef";

#[tokio::test]
async fn a_value_comes_from_a_file_or_standard_input() {
    let line = format!("PUT {SECRETS}/api-key");
    for (arguments, given) in [
        ("", format!("{VALUE}\n")),
        ("", VALUE.to_owned()),
        ("--file -", format!("{VALUE}\r\n")),
        ("--file key.txt", "nothing to see".to_owned()),
    ] {
        let host = FakeHost::start().await.on_text(&line, 204, "");
        let program = Program::of(&host)
            .file("key.txt", format!("{VALUE}\n"))
            .stdin(&given);
        let ran = program
            .run(&format!(
                "plugin secret set payment api-key {arguments} --reason new"
            ))
            .await
            .exited(0);
        let asked = host.asked_once();
        assert_eq!(asked.json(), json!({ "value": VALUE }), "{arguments}");
        assert_eq!(asked.reason, "new");
        assert_eq!(ran.stdout, "");
        assert_eq!(ran.stderr, "secret api-key of plugin payment is set\n");
    }
}

#[tokio::test]
async fn what_is_no_secret_is_not_sent_and_not_shown() {
    let host = FakeHost::start().await;
    for value in ["short", "two\nlines of it", "", " blank at its end \n"] {
        let program = Program::of(&host).stdin(value);
        let ran = program.run("plugin secret set payment api-key").await;
        let ran = ran.exited(1);
        assert!(
            ran.stderr.starts_with("error[secret-invalid]: "),
            "{}",
            ran.stderr
        );
        assert!(
            value.is_empty() || !ran.stderr.contains(value),
            "{}",
            ran.stderr
        );
    }
    let program = Program::of(&host).stdin(&"x".repeat(5_000));
    let ran = program.run("plugin secret set payment api-key").await;
    assert!(
        ran.stderr.starts_with("error[file-unreadable]: "),
        "{}",
        ran.stderr
    );
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn secrets_are_listed_and_deleted_by_name() {
    let list =
        json!({"items": [{"name": "api-key", "set_at": 1_795_257_720_123_u64, "key": "0a1b"}]});
    let host = FakeHost::start()
        .await
        .on(&format!("GET {SECRETS}"), 200, list)
        .on_text(&format!("DELETE {SECRETS}/api-key"), 204, "");
    let program = Program::of(&host);
    let ran = program.run("plugin secret list payment").await.exited(0);
    assert_eq!(ran.words()[0], ["SECRET", "SET", "KEY"]);
    assert_eq!(
        ran.words()[1],
        ["api-key", "2026-11-21", "10:42:00.123Z", "0a1b"]
    );
    let ran = program
        .run("plugin secret delete payment api-key --reason leaked")
        .await
        .exited(0);
    assert_eq!(
        ran.stderr,
        "plugin payment has no secret api-key any more\n"
    );
    assert_eq!(host.asked()[1].reason, "leaked");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_of_keys_is_made_and_rotated() {
    use std::os::unix::fs::PermissionsExt as _;

    let host = FakeHost::start()
        .await
        .on("GET /v1/limits", 200, json!({"items": []}));
    let program = Program::of(&host);
    let file = program.folder().join("keys");
    let read = || std::fs::read_to_string(&file).expect("the keys");
    let ran = program.run("secret-key make keys").await.exited(0);
    let first = ran.stdout.trim().to_owned();
    let mode = file.metadata().expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = read();
    assert!(before.starts_with(&format!("# {first}\n")), "{before}");
    // The key itself is nobody's to see.
    assert!(!ran.stdout.contains(before.lines().nth(1).expect("a key")));
    let again = program.run("secret-key make keys").await.exited(1);
    assert!(
        again.stderr.starts_with("error[host-config-invalid]: "),
        "{}",
        again.stderr
    );
    assert!(host.asked().is_empty());

    // A host with another file says another key.
    let host = host.on(
        "POST /v1/secrets/reseal",
        200,
        json!({"key": "ffff", "resealed": 0, "left": 0}),
    );
    let ran = program.run("secret-key rotate keys").await.exited(1);
    assert!(ran.stderr.contains("is not its file"), "{}", ran.stderr);
    let after = read();
    assert!(
        after.ends_with(&before) && after.len() > before.len(),
        "{after}"
    );
    drop(host);

    let nobody = Program::new().variable("TENTERHOOK_URL", "http://127.0.0.1:9");
    let nobody = nobody
        .variable("TENTERHOOK_TOKEN", "t")
        .file("keys", &before);
    nobody.run("secret-key rotate keys").await.exited(1);
    let kept = std::fs::read_to_string(nobody.folder().join("keys")).expect("the keys");
    assert_eq!(kept, before, "without a host nothing is added");
}

#[tokio::test]
async fn secrets_are_sealed_until_none_is_left() {
    let line = "POST /v1/secrets/reseal";
    let done = |resealed, left| json!({"key": "0a1b", "resealed": resealed, "left": left});
    let host = FakeHost::start()
        .await
        .on(line, 200, done(500, 300))
        .on(line, 200, done(298, 2))
        .on(line, 200, done(0, 2));
    let ran = Program::of(&host).run("secret-key reseal").await.exited(0);
    assert_eq!(host.asked().len(), 3);
    assert!(
        ran.words().contains(&vec!["Sealed", "anew", "798"]),
        "{}",
        ran.stdout
    );
    assert!(ran.words().contains(&vec!["Left", "2"]), "{}", ran.stdout);
    assert!(
        ran.stderr.starts_with("warning: some secrets"),
        "{}",
        ran.stderr
    );
}
