//! Building the guests and putting them where tests, demo and bench find them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::step;
use crate::tools::{self, WASM_TARGET};
use crate::workspace::{Guest, Workspace};

/// The profile of what ships and of what is tested: small.
const PROFILE: &str = "guest";

/// Builds every guest, and those with a feature `v2` a second time as `NAME-v2.wasm`.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    prepare(workspace)?;
    let mut guests: Vec<&Guest> = workspace.guests.iter().collect();
    if guests.is_empty() {
        step::say("no guests under plugins/, nothing to build");
        return Ok(());
    }
    compile(
        workspace,
        "build the guest components",
        PROFILE,
        &guests,
        "",
    )?;
    collect(workspace, PROFILE, &guests, "")?;
    guests.retain(|guest| guest.has_v2);
    if guests.is_empty() {
        return Ok(());
    }
    let what = "build the guests that have a second version";
    compile(workspace, what, PROFILE, &guests, "v2")?;
    collect(workspace, PROFILE, &guests, "-v2")
}

/// Builds the guests that are measured by the profiles that their manifests name, as `NAME-measured.wasm`.
pub(crate) fn build_measured(workspace: &Workspace) -> anyhow::Result<()> {
    prepare(workspace)?;
    for guest in &workspace.guests {
        if let Some(profile) = &guest.measured {
            let what = format!(
                "build {} to be measured, by the profile {profile}",
                guest.name
            );
            compile(workspace, &what, profile, &[guest], "")?;
            collect(workspace, profile, &[guest], "-measured")?;
        }
    }
    Ok(())
}

fn prepare(workspace: &Workspace) -> anyhow::Result<()> {
    tools::ensure_wasm_target(workspace)?;
    let folder = workspace.guests_folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// One cargo invocation for all `guests`, so that what they share is built once.
fn compile(
    workspace: &Workspace,
    what: &str,
    profile: &str,
    guests: &[&Guest],
    feature: &str,
) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--profile", profile, "--target", WASM_TARGET]);
    for guest in guests {
        cargo.args(["--package", &guest.package]);
        if !feature.is_empty() {
            cargo.args(["--features", &format!("{}/{feature}", guest.package)]);
        }
    }
    step::run(what, &mut cargo)
}

/// Copies what was built to `guests/NAME<suffix>.wasm`, leaving files that are the same untouched.
fn collect(
    workspace: &Workspace,
    profile: &str,
    guests: &[&Guest],
    suffix: &str,
) -> anyhow::Result<()> {
    let built = workspace.target.join(WASM_TARGET).join(profile);
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
