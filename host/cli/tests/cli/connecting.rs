//! Finding the host, and what is told when that fails.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

const TENANTS: &str = "GET /v1/tenants?limit=100";

#[tokio::test]
async fn the_data_folder_says_where_the_host_is() {
    let host = FakeHost::start()
        .await
        .on(TENANTS, 200, json!({"items": [{"name": "acme"}]}));
    for (folder, arguments) in [
        (".tenterhook", "tenant list"),
        ("other", "tenant list --data-dir other"),
    ] {
        let program = Program::new()
            .file(&format!("{folder}/api-address"), format!("{}\n", host.url))
            .file(&format!("{folder}/admin-token"), "tth_admin_x\n");
        restrict(&program, folder, 0o600);
        let ran = program.run(arguments).await.exited(0);
        assert_eq!(ran.stdout, "TENANT\nacme\n");
        assert_eq!(ran.stderr, "", "a private token is no cause for warnings");

        restrict(&program, folder, 0o644);
        let ran = program.run(arguments).await.exited(0);
        assert!(
            ran.stderr.starts_with("warning: ") && ran.stderr.contains("can be read by others"),
            "{}",
            ran.stderr
        );
    }
    let asked = host.asked();
    assert_eq!(asked.len(), 4);
    assert!(
        asked
            .iter()
            .all(|asked| asked.authorization == "Bearer tth_admin_x"),
        "{asked:?}"
    );
}

fn restrict(program: &Program, folder: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let token = program.folder().join(folder).join("admin-token");
    std::fs::set_permissions(token, std::fs::Permissions::from_mode(mode)).expect("set");
}

#[tokio::test]
async fn a_host_that_is_nowhere_is_told_with_what_to_do() {
    let ran = Program::new().run("tenant list").await.exited(1);
    assert!(
        ran.stderr
            .starts_with("error[host-unknown]: no host runs on the data folder ./.tenterhook"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("hint: start one with `tenterhook dev`"),
        "{}",
        ran.stderr
    );

    // A port that was free a moment ago, and that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let program = Program::new().variable("TENTERHOOK_TOKEN", "t");
    let ran = program
        .run(&format!("tenant list --url http://{address}"))
        .await
        .exited(1);
    assert!(
        ran.stderr.starts_with(&format!(
            "error[host-unreachable]: no host answers at http://{address}/\n"
        )),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("Connection refused") && ran.stderr.contains("hint: is it running?"),
        "{}",
        ran.stderr
    );

    let ran = Program::new()
        .run("tenant list --url http://127.0.0.1:1")
        .await
        .exited(1);
    assert!(
        ran.stderr.starts_with("error[token-missing]: "),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_gets_a_hint() {
    let problem = json!({
        "type": "urn:tenterhook:problem:token-invalid",
        "title": "No bearer token, or one that is not valid.",
        "status": 401,
        "code": "token-invalid",
        "detail": "the token is \u{1b}[31mnot valid",
    });
    let host = FakeHost::start().await.on(TENANTS, 401, problem);
    let ran = Program::of(&host).run("tenant list").await.exited(1);
    assert_eq!(
        ran.stderr,
        "error[token-invalid]: the token is \\u{1b}[31mnot valid\n\
         hint: give a valid token with --token or TENTERHOOK_TOKEN\n"
    );
    assert_eq!(ran.stdout, "");
}

#[tokio::test]
async fn what_is_no_host_is_told_as_such() {
    for (status, body, says) in [
        (200, "<html>", "is not JSON"),
        (
            502,
            "bad gateway",
            "the host answered 502 Bad Gateway: bad gateway",
        ),
        (302, "", "the host answered 302 Found and nothing else"),
        (200, "{}", "is not a list"),
    ] {
        let host = FakeHost::start().await.on_text(TENANTS, status, body);
        let ran = Program::of(&host).run("tenant list").await.exited(1);
        assert!(
            ran.stderr.starts_with("error[answer-invalid]: ") && ran.stderr.contains(says),
            "{}",
            ran.stderr
        );
    }
}

#[tokio::test]
async fn tenants_environments_and_tokens() {
    let host = FakeHost::start()
        .await
        .on("PUT /v1/tenants/acme", 201, json!({"name": "acme"}))
        .on(
            "PUT /v1/tenants/acme/environments/staging",
            201,
            json!({"name": "staging"}),
        )
        .on(
            "GET /v1/tenants/acme/environments?limit=1&cursor=a",
            200,
            json!({"items": [{"name": "b"}], "next": "b"}),
        )
        .on(
            "POST /v1/tokens",
            201,
            json!({"id": "n1", "principal": {"role": "admin"}, "token": "tth_n1_s"}),
        )
        .on(
            "POST /v1/tenants/acme/tokens",
            201,
            json!({"id": "n2", "principal": {"role": "operator", "tenant": "acme"}, "token": "tth_n2_s"}),
        )
        .on(
            "GET /v1/tenants/acme/tokens?limit=100",
            200,
            json!({"items": [{"id": "n2", "principal": {"role": "operator", "tenant": "acme"}, "label": "ci",
                "created_at": 0, "expires_at": 1_795_257_720_123_u64, "expired": true}]}),
        )
        .on("DELETE /v1/tokens/n1", 204, json!(null));
    let program = Program::of(&host);
    let ran = program.run("--output json tenant put acme").await.exited(0);
    assert_eq!(ran.json(), json!({"name": "acme"}));
    program.run("environment put staging").await.exited(0);
    let ran = program
        .run("environment list --limit 1 --cursor a")
        .await
        .exited(0);
    assert_eq!(ran.words(), [["ENVIRONMENT"], ["b"]]);
    assert_eq!(ran.stderr, "there are more: --cursor b\n");

    let ran = program.run("token create --tenant acme").await.exited(0);
    assert_eq!(ran.stdout, "tth_n2_s\n");
    let ran = program.run("token create --admin").await.exited(0);
    assert_eq!(ran.stdout, "tth_n1_s\n");
    for arguments in [
        "--role caller --scope acme/production --label shop",
        "--role author --scope acme/production --plugin payment",
    ] {
        program
            .run(&format!("token create {arguments}"))
            .await
            .exited(0);
    }
    program.run("token revoke n1").await.exited(0);
    let ran = program.run("token list --tenant acme").await.exited(0);
    assert_eq!(
        ran.words()[1],
        [
            "n2",
            "operator",
            "acme",
            "ci",
            "1970-01-01",
            "00:00:00.000Z",
            "2026-11-21",
            "10:42:00.123Z",
            "true"
        ]
    );
    let bodies: Vec<_> = host
        .asked()
        .iter()
        .filter(|asked| asked.line.starts_with("POST "))
        .map(|asked| asked.json())
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"principal": {"role": "operator", "tenant": "acme"}}),
            json!({"principal": {"role": "admin"}}),
            json!({"principal": {"role": "caller", "tenant": "acme", "environment": "production"}, "label": "shop"}),
            json!({"principal": {"role": "author", "tenant": "acme", "environment": "production", "plugin": "payment"}}),
        ]
    );
    program
        .run("token create --tenant acme --expires 30d")
        .await
        .exited(0);
    let sent = host.asked().pop().expect("asked").json();
    let days = std::time::Duration::from_secs(30 * 86_400);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ends = (now.expect("after 1970") + days).as_millis();
    let given = u128::from(sent["expires_at"].as_u64().expect("a time"));
    assert!(given <= ends && ends - given < 60_000, "{given} of {ends}");
}

#[tokio::test]
async fn limits_are_the_hosts() {
    let row = json!({"name": "memory_bytes", "unit": "bytes", "default": 5, "lowest": 1, "highest": 9, "about": " Memory."});
    let host = FakeHost::start()
        .await
        .on("GET /v1/limits", 200, json!({"items": [row]}));
    let ran = Program::of(&host).run("limits").await.exited(0);
    assert_eq!(
        ran.words(),
        [
            ["LIMIT", "UNIT", "DEFAULT", "LOWEST", "HIGHEST", "ABOUT"],
            ["memory_bytes", "bytes", "5", "1", "9", "Memory."]
        ]
    );
}
