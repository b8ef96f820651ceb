//! Compiles the schema of Temporal's histories, so that exported ones can be read: the very files of the crate whose
//! types are used, not a copy of them.
// Cargo reads what is printed.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, fs, path::PathBuf, process::Command};

use prost::Message as _;

const PROTOS_CRATE: &str = "temporalio-protos";
const HISTORY: &str = "temporal/api/history/v1/message.proto";

fn main() -> Result<(), Box<dyn Error>> {
    // Another version of the crate changes the lock.
    println!("cargo:rerun-if-changed=../../Cargo.lock");
    println!("cargo:rerun-if-changed=build.rs");
    let protos = crate_folder()?.join("protos");
    let schema = protox::compile([HISTORY], [protos.join("api_upstream"), protos.clone()])?;
    let file = PathBuf::from(env::var("OUT_DIR")?).join("history.bin");
    fs::write(file, schema.encode_to_vec())?;
    Ok(())
}

/// Where the source of [`PROTOS_CRATE`] is.
fn crate_folder() -> Result<PathBuf, Box<dyn Error>> {
    // Only what this build is for: a new machine has not downloaded what other platforms need, and should not have to.
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", &env::var("TARGET")?])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == PROTOS_CRATE)
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("the workspace does not use temporalio-protos")?;
    let folder = PathBuf::from(manifest).parent().map(PathBuf::from);
    folder.ok_or_else(|| "a manifest stands in a folder".into())
}
