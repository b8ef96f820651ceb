//! The gate as commands for authors and CI: exported histories without a host, and a component against one.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tenterhook_embedded::{Config, EmbeddedTemporal, Places, TemporalProgram};
use tenterhook_tests::host::{Host, World, guest, target_dir};

use super::{Closed, Open, PLUGIN, live, visible};

/// Runs `tenterhook` with `arguments`; its standard output as JSON.
async fn tenterhook(arguments: &[&str]) -> (Output, Value) {
    let mut command = Command::new(target_dir().join("debug").join("tenterhook"));
    command
        .args(arguments)
        .args(["--output", "json"])
        .env_remove("TENTERHOOK_URL")
        .env_remove("TENTERHOOK_TOKEN");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, json)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Exports a history as anybody does: by Temporal's own command line.
fn export(temporal: &Path, address: &str, id: &str, folder: &Path) -> String {
    let exported = Command::new(temporal)
        .args(["workflow", "show", "--output", "json", "--address", address])
        .args(["--workflow-id", &format!("acme/production/{id}")])
        .output()
        .unwrap();
    assert!(exported.status.success(), "{}", said(&exported));
    let file = folder.join(format!("{id}.json"));
    std::fs::write(&file, exported.stdout).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The same history as an array of events.
fn unwrapped(file: &str) -> String {
    let history: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let bare = format!("{file}.bare.json");
    std::fs::write(&bare, history["events"].to_string()).unwrap();
    bare
}

#[tokio::test]
async fn exported_histories_replay_without_a_host_and_a_component_is_checked_against_one() {
    let program = TemporalProgram::find(&Places::from_environment())
        .await
        .unwrap();
    let (server_data, data, files) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let temporal = program.path().to_owned();
    let server = EmbeddedTemporal::start(Config::new(program, server_data.path()))
        .await
        .unwrap();
    let address = server.address().to_string();
    let mut host = Host::serve(data.path(), &address).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    let first = guest("test-pairs").unwrap();
    let pushed = world.push(PLUGIN, first).await.unwrap();
    for (name, life) in [
        ("ActivityRenamed", Closed),
        ("ActivityAppended", Open(2)),
        ("PatchedProperly", Open(2)),
        ("Busy", super::Signalled(2)),
    ] {
        live(&world, name, life).await;
    }
    let opened = [("ActivityAppended", true), ("PatchedProperly", true)];
    visible(&world, &opened).await;
    visible(&world, &[("ActivityRenamed", false), ("Busy", false)]).await;

    let guests = target_dir().join("guests");
    let second = guests.join("test-pairs-v2.wasm");
    let second = second.to_str().unwrap();
    against_the_host(&host, &world, second, &pushed).await;

    let exported = |id: &str| export(&temporal, &address, id, files.path());
    let renamed = exported("ActivityRenamed");
    let appended = exported("ActivityAppended");
    let same = [exported("PatchedProperly"), exported("Busy")];
    assert!(host.stop().await.unwrap());
    server.stop().await;

    let named = ["plugin", "replay", second, "--name", PLUGIN];
    let (output, report) =
        tenterhook(&[&named[..], &[&same[0], &same[1], &unwrapped(&same[1])]].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let histories = report["histories"].as_array().unwrap();
    assert_eq!(histories.len(), 3, "{report:#}");
    assert!(
        histories.iter().all(|it| it["verdict"] == "same"),
        "{report:#}"
    );

    let all = [&named[..], &[&same[0], &renamed, &appended]].concat();
    let (output, report) = tenterhook(&all).await;
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    assert!(
        said(&output).contains("error[replay-diverges]: 2 of 3"),
        "{}",
        said(&output)
    );
    assert_eq!(report["histories"][1]["event"], 7, "{report:#}");
    assert_eq!(report["histories"][2]["event"], 13, "{report:#}");

    let (output, _) = tenterhook(&[&named[..], &[second]].concat()).await;
    assert!(
        said(&output).contains("error[history-invalid]"),
        "{}",
        said(&output)
    );
}

/// `plugin check`, first alone, then with the gate of `host`, which keeps nothing of it.
async fn against_the_host(host: &Host, world: &World, component: &str, current: &str) {
    let token = std::fs::read_to_string(host.data_dir().join("admin-token")).unwrap();
    let local = ["plugin", "check", component, "--name", PLUGIN];
    let (output, report) = tenterhook(&local).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(report[0]["metadata"]["version"], "2.0.0", "{report:#}");

    let scope = ["--tenant", "acme", "--environment", "production"];
    let there = ["--token", token.trim(), "--against", host.api.address()];
    let (output, report) = tenterhook(&[&local[..], &scope, &there].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let replay = &report[1]["replay"]["histories"];
    // The four and the child of `Busy`.
    assert_eq!(replay.as_array().unwrap().len(), 5, "{report:#}");
    let (output, _) = tenterhook(&[&local[..], &scope, &there, &["--strict"]].concat()).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("error[replay-diverges]"),
        "{}",
        said(&output)
    );

    let path = world.path(&format!("plugins/{PLUGIN}/releases"));
    let releases = world.api.get(&path).await.unwrap().ok().unwrap();
    let releases = releases["items"].as_array().unwrap();
    assert_eq!(releases.len(), 1, "{releases:#?}");
    assert_eq!(releases[0]["digest"], current);
}
