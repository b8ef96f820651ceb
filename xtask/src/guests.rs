//! Building the guests and putting them where tests, demo and bench find them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::step;
use crate::tools::{self, WASM_TARGET};
use crate::workspace::{Guest, Workspace};

/// The profile of the root manifest that makes components small.
const PROFILE: &str = "guest";

/// Builds every guest, and those with a feature `v2` a second time as `NAME-v2.wasm`.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    tools::ensure_wasm_target(workspace)?;
    let folder = workspace.guests_folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if workspace.guests.is_empty() {
        step::say("no guests under plugins/, nothing to build");
        return Ok(());
    }
    let all: Vec<&Guest> = workspace.guests.iter().collect();
    compile(workspace, "build the guest components", &all, "")?;
    collect(workspace, &all, "")?;
    let changed: Vec<&Guest> = workspace
        .guests
        .iter()
        .filter(|guest| guest.has_v2)
        .collect();
    if !changed.is_empty() {
        compile(
            workspace,
            "build the guests that have a second version",
            &changed,
            "v2",
        )?;
        collect(workspace, &changed, "-v2")?;
    }
    Ok(())
}

/// One cargo invocation for all `guests`, so that what they share is built once.
fn compile(
    workspace: &Workspace,
    what: &str,
    guests: &[&Guest],
    feature: &str,
) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", PROFILE, "--target", WASM_TARGET]);
    for guest in guests {
        cargo.args(["--package", &guest.package]);
        if !feature.is_empty() {
            cargo.args(["--features", &format!("{}/{feature}", guest.package)]);
        }
    }
    step::run(what, &mut cargo)
}

/// Copies what was built to `guests/NAME<suffix>.wasm`, leaving files that are the same untouched.
fn collect(workspace: &Workspace, guests: &[&Guest], suffix: &str) -> anyhow::Result<()> {
    let built = workspace.target.join(WASM_TARGET).join(PROFILE);
    for guest in guests {
        let from = built.join(format!("{}.wasm", guest.artifact));
        let to = workspace
            .guests_folder()
            .join(format!("{}{suffix}.wasm", guest.name));
        copy_changed(&from, &to)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}

fn copy_changed(from: &Path, to: &Path) -> std::io::Result<()> {
    let component = fs::read(from)?;
    if fs::read(to).is_ok_and(|present| present == component) {
        return Ok(());
    }
    // Renamed into place: a test that reads meanwhile sees the old file or the new one.
    let fresh = to.with_extension("wasm.new");
    fs::write(&fresh, component)?;
    fs::rename(fresh, to)
}
