//! A recorded history of each feature, replayed without a server: what the translation makes of activations does not
//! change unnoticed.
//!
//! The histories in `tests/histories` are made by running these tests with `TENTERHOOK_RECORD` set to that folder and
//! `TEMPORAL_ADDRESS` to a server of one's own (`temporal server start-dev`), which is then asked for them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tenterhook_tests::host::{World, target_dir};

use super::PLUGIN;

/// Where histories are exported to, if they are.
const RECORD: &str = "TENTERHOOK_RECORD";
/// Features that there are histories of, at least: each test of one leaves some.
const HISTORIES_MIN: usize = 30;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

/// Exports the history of an execution that is over, where histories are recorded.
pub(super) fn record(world: &World, id: &str) {
    let Some(folder) = env::var_os(RECORD) else {
        return;
    };
    let tenant = world.path("").split('/').nth(3).unwrap().to_owned();
    let exported = Command::new("temporal")
        .args(["workflow", "show", "--output", "json", "--workflow-id"])
        .arg(format!("{tenant}/production/{id}"))
        .output()
        .unwrap();
    assert!(exported.status.success(), "{exported:?}");
    let history: Value = serde_json::from_slice(&exported.stdout).unwrap();
    let name = format!("{tenant}.{}.json", id.replace('/', "-"));
    fs::write(Path::new(&folder).join(name), history.to_string()).unwrap();
}

#[test]
fn recorded_histories_of_every_feature_replay_the_same() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "json"));
    assert!(files.len() >= HISTORIES_MIN, "{} histories", files.len());
    let output = Command::new(target_dir().join("debug/tenterhook"))
        .args(["plugin", "replay", "--output", "json", "--name", PLUGIN])
        .arg(target_dir().join("guests").join(format!("{PLUGIN}.wasm")))
        .args(&files)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdicts = report["histories"].as_array().unwrap();
    assert_eq!(verdicts.len(), files.len());
    for verdict in verdicts {
        assert_eq!(verdict["verdict"], "same", "{verdict:#}");
    }
    assert!(output.status.success(), "{output:?}");
}
