//! Which crate may know what: the arrows between the host's crates, and crates that only one of them knows.

use super::{SourceFile, assert_none, files};

/// What each crate of the host may know of the others. Lower never knows higher.
const KNOWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("embedded", &[]),
    ("workflow", &["domain"]),
    ("store", &["domain"]),
    ("sandbox", &["domain", "workflow"]),
    ("worker", &["domain", "workflow", "store", "sandbox"]),
    ("release", &["domain", "store"]),
    ("registry", &["domain"]),
    ("signature", &["domain"]),
    ("server", &["domain", "store"]),
    (
        "cli",
        &[
            "domain",
            "workflow",
            "store",
            "release",
            "registry",
            "signature",
            "sandbox",
            "worker",
            "server",
            "embedded",
        ],
    ),
];

/// Crates of others, by the start of their names, and who may know them. Temporal's client stands in `cli` and
/// `embedded` beside `worker`, for the download and the first question of an embedded server.
const ONLY: &[(&str, &[&str])] = &[
    ("wasmtime", &["sandbox"]),
    ("wasmparser", &["sandbox"]),
    ("temporalio-sdk-core", &["worker", "embedded"]),
    ("temporalio-client", &["worker", "embedded"]),
    ("axum", &["server"]),
    ("tower-http", &["server"]),
    ("sqlx", &["store"]),
    ("object_store", &["store"]),
    ("oci-", &["registry"]),
    ("sigstore", &["signature"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
    // `domain` and `workflow` know no runtime.
    (
        "tokio",
        &[
            "sandbox", "store", "release", "registry", "worker", "server", "embedded", "cli",
        ],
    ),
];

const OWN: &str = "tenterhook-";

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut within = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            within = line == "[dependencies]";
        } else if within && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().trim_end_matches(".workspace"));
        }
    }
    names
}

fn arrows(manifests: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in manifests {
        let name = file.path.split('/').nth(1).unwrap_or_default();
        let Some((_, known)) = KNOWS.iter().find(|(of, _)| *of == name) else {
            findings.push(format!("{}: say in this test what it may know", file.path));
            continue;
        };
        for dependency in dependencies(&file.text) {
            if let Some(own) = dependency.strip_prefix(OWN) {
                if !known.contains(&own) {
                    findings.push(format!("{name} must not know {own}"));
                }
            } else if let Some((start, by)) =
                ONLY.iter().find(|(start, _)| dependency.starts_with(start))
                && !by.contains(&name)
            {
                findings.push(format!(
                    "{name} must not know {dependency}: {start} is for {by:?}"
                ));
            }
        }
        if !file.text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: its lints are not the workspace's", file.path));
        }
    }
    findings
}

#[test]
fn crates_know_only_what_they_may() {
    let manifests = files("host", &["Cargo.toml"]);
    assert_eq!(
        manifests.len(),
        KNOWS.len(),
        "every crate of the host, and no other"
    );
    assert_none(&arrows(&manifests));
}

#[test]
fn a_wrong_arrow_is_found() {
    let manifest = |name: &str, dependencies: &str| {
        let text = format!("[dependencies]\n{dependencies}\n[lints]\nworkspace = true\n");
        [SourceFile::new(&format!("host/{name}/Cargo.toml"), &text)]
    };
    let bad = [
        ("server", "tenterhook-worker = { workspace = true }"),
        ("domain", "tokio = { workspace = true }"),
        ("worker", "wasmtime-wasi.workspace = true"),
        ("store", "tenterhook-sdk = { workspace = true }"),
        ("cli", "axum = \"0.8\""),
        ("new", ""),
    ];
    for (name, dependencies) in bad {
        assert_eq!(
            arrows(&manifest(name, dependencies)).len(),
            1,
            "{name}: {dependencies}"
        );
    }
    assert_none(&arrows(&manifest(
        "worker",
        "tenterhook-domain = { workspace = true }",
    )));
    // What tests of a crate use is their own affair.
    let tests = "bytes = \"1\"\n[dev-dependencies]\naxum = \"0.8\"";
    assert_none(&arrows(&manifest("cli", tests)));
    let lax = [SourceFile::new(
        "host/domain/Cargo.toml",
        "[dependencies]\n",
    )];
    assert_eq!(arrows(&lax).len(), 1);
}
