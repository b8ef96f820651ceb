//! Help, wrong use, exit codes.

use crate::{fake_host::FakeHost, program::Program};

/// Every command there is, as words.
const COMMANDS: &[&str] = &[
    "dev",
    "serve",
    "tenant put",
    "tenant list",
    "tenant show",
    "tenant trust get",
    "tenant trust set",
    "tenant encryption get",
    "tenant encryption on",
    "tenant encryption off",
    "tenant encryption rotate",
    "tenant encryption shred",
    "tenant quota get",
    "tenant quota set",
    "tenant limits get",
    "tenant limits set",
    "tenant circuits",
    "environment put",
    "environment list",
    "environment show",
    "environment lane get",
    "environment lane set",
    "environment lane delete",
    "plugin new",
    "plugin build",
    "plugin test",
    "plugin dev",
    "plugin push",
    "plugin list",
    "plugin show",
    "plugin current",
    "plugin limits",
    "plugin grants get",
    "plugin grants put",
    "plugin config get",
    "plugin config put",
    "plugin secret set",
    "plugin secret list",
    "plugin secret delete",
    "plugin policy get",
    "plugin policy set",
    "release list",
    "release show",
    "release diff",
    "release rollout",
    "release promote",
    "release ramp",
    "release advance",
    "release pause",
    "release resume",
    "release roll-back",
    "release retire",
    "release audit",
    "workflow start",
    "workflow show",
    "workflow result",
    "workflow history",
    "workflow list",
    "workflow signal",
    "workflow query",
    "workflow update",
    "workflow cancel",
    "workflow terminate",
    "schedule put",
    "schedule show",
    "schedule list",
    "schedule pause",
    "schedule resume",
    "schedule trigger",
    "schedule backfill",
    "schedule delete",
    "token create",
    "token list",
    "token revoke",
    "context-key list",
    "context-key rotate",
    "secret-key make",
    "secret-key rotate",
    "secret-key reseal",
    "limits",
    "quotas",
    "completions",
];

#[tokio::test]
async fn every_command_has_help_for_everything() {
    let program = Program::new();
    for command in COMMANDS {
        let ran = program.run(&format!("{command} --help")).await.exited(0);
        assert!(
            ran.stdout.contains(&format!("Usage: tenterhook {command}")),
            "{command}: {}",
            ran.stdout
        );
        assert_eq!(ran.stderr, "", "{command}");
        let lines: Vec<&str> = ran.stdout.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let argument = line.trim_start();
            if !argument.starts_with("--") && !argument.starts_with('<') {
                continue;
            }
            let on_line = argument.contains("  ");
            let below = lines
                .get(at + 1)
                .is_some_and(|next| !next.trim().is_empty() && !next.trim().starts_with('-'));
            assert!(on_line || below, "{command}: no help for {argument}");
        }
    }
    let ran = program.run("--version").await.exited(0);
    assert!(ran.stdout.starts_with("tenterhook "), "{}", ran.stdout);
}

#[tokio::test]
async fn wrong_use_exits_with_2_and_says_what() {
    let host = FakeHost::start().await;
    let program = Program::of(&host)
        .file("list.json", "[]")
        .file("a b.wasm", "x");
    let cases = [
        ("frobnicate", "frobnicate"),
        ("tenant put", "TENANT"),
        ("workflow start payment.P --wait 5", "write 500ms, 30s"),
        ("workflow start payment.P --input {", "is not JSON"),
        ("workflow start payment.P --memo x", "is no memo"),
        ("workflow show ..", "can address"),
        ("plugin config put payment", "--none"),
        ("plugin config put payment novalue", "KEY=VALUE"),
        ("plugin config put payment a=1 a=2", "given twice"),
        ("plugin config put payment --file list.json", "no object"),
        ("plugin grants put payment", "--none"),
        (
            "plugin grants put payment --none --keyvalue",
            "cannot be used with",
        ),
        (
            "plugin grants put payment --limit memory_bytes=lots",
            "sets no limit",
        ),
        (
            "plugin grants put payment --secret api-key",
            "grants no secret",
        ),
        ("plugin secret set payment", "NAME"),
        ("plugin secret set payment api-key hunter2", "hunter2"),
        ("tenant encryption shred acme", "--forever"),
        ("secret-key rotate", "FILE"),
        ("context-key rotate --signs-after soon", "is not a duration"),
        ("context-key rotate --signs-after 1500ms", "whole seconds"),
        ("plugin new Greeter", "Greeter"),
        ("plugin new greeter --sdk .", "is no checkout of Tenterhook"),
        ("plugin build", "there is no Cargo.toml in ."),
        (
            "plugin test --path nowhere",
            "there is no Cargo.toml in nowhere",
        ),
        ("plugin dev", "there is no Cargo.toml in ."),
        ("plugin push -", "give --name"),
        ("plugin push", "required"),
        ("plugin push --oci registry.example/x@y", "is not a digest"),
        ("plugin push --oci registry.example/x:1", "names no digest"),
        ("tenant trust set acme", "--mode"),
        ("tenant quota set acme", "--quota"),
        ("tenant quota set acme --quota releases", "sets no quota"),
        ("tenant limits set acme --ceiling x=lots", "sets no limit"),
        ("dev --oci-registry https://r.example", "names no registry"),
        ("plugin policy set payment", "--retention"),
        ("release ramp payment sha256:x", "--percentage"),
        ("release ramp payment sha256:x --percentage 101", "101"),
        (
            "release ramp payment sha256:x --step 10=soon",
            "is not a duration",
        ),
        ("release ramp payment sha256:x --step x=5m", "is no step"),
        ("schedule put daily payment.P", "--cron"),
        (
            "schedule put daily payment.P --every soon",
            "is no interval",
        ),
        (
            "schedule put daily payment.P --calendar 25",
            "is no calendar",
        ),
        (
            "schedule put daily payment.P --every 1h --ends-at soon",
            "is no time",
        ),
        ("schedule backfill daily --from 2026-11-22", "is no time"),
        ("token create", "--admin"),
        ("token create --role caller", "--scope"),
        (
            "token create --role author --scope acme/production",
            "--plugin",
        ),
        ("token create --role operator", "--tenant"),
        (
            "token create --role caller --tenant acme --scope acme/production",
            "cannot be used with",
        ),
        (
            "token create --role admin --scope acme/production",
            "does not go",
        ),
        ("token create --admin --tenant acme", "cannot be used with"),
        ("token revoke tth_a_b", "not its id"),
        ("environment lane set production", "--task-queue"),
        ("limits --url ftp://x", "neither http nor https"),
        ("limits --output yaml", "table, json"),
        ("dev --listen nowhere", "nowhere"),
        ("dev --limit memory_bytes", "sets no limit"),
        ("serve --limit memory_bytes=1", "use 1048576 to"),
        ("serve --limit stack_bytes=1048576", "there is no limit"),
        ("dev --log-filter a=b=c=d", "is not a log filter"),
    ];
    for (line, says) in cases {
        let ran = program.run(line).await.exited(2);
        assert!(
            ran.stderr.starts_with("error[usage]: "),
            "{line}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains(says), "{line}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{line}");
    }
    let nothing_given = program.run("").await;
    assert_eq!(nothing_given.code, 2);
    assert!(
        host.asked().is_empty(),
        "nobody is asked: {:?}",
        host.asked()
    );
}

#[tokio::test]
async fn the_scope_is_asked_for() {
    let host = FakeHost::start().await;
    let program = Program::new()
        .variable("TENTERHOOK_URL", &host.url)
        .variable("TENTERHOOK_TOKEN", "t");
    let ran = program.run("plugin list --tenant acme").await.exited(2);
    assert_eq!(
        ran.stderr,
        "error[usage]: no environment is given\nhint: give --environment, or set TENTERHOOK_ENVIRONMENT\n"
    );
    let ran = program.run("environment list").await.exited(2);
    assert!(
        ran.stderr
            .contains("give --tenant, or set TENTERHOOK_TENANT"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn completions_are_written_for_each_shell() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = program.run(&format!("completions {shell}")).await.exited(0);
        assert!(ran.stdout.contains("terminate"), "{shell}");
    }
}
