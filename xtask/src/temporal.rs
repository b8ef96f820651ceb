//! The `temporal` program: found as the host finds it, or built from source as a last resort.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::step;
use crate::workspace::Workspace;

/// The release that is built from source. Later ones cannot be installed by `go install`.
const VERSION: &str = "1.5.1";
/// Names the server to use, as for every Temporal program; then none is started.
pub(crate) const ADDRESS: &str = "TEMPORAL_ADDRESS";

/// Makes sure that the host finds a Temporal: the server that `TEMPORAL_ADDRESS` names, else the
/// program. The workspace's programs must be built.
pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<()> {
    match env::var(ADDRESS) {
        Ok(address) if !address.is_empty() => {
            step::say(&format!(
                "use the Temporal server at {address}, for {ADDRESS} is set"
            ));
            Ok(())
        }
        _ => ensure_program(workspace).map(drop),
    }
}

/// Finds the program: on `PATH`, in the cache, by the official download, by `go install`.
///
/// All but the last is the host's own search, asked through its program `find-temporal`. Whatever
/// installs it puts it into the cache, where the host finds it again.
pub(crate) fn ensure_program(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    step::say("find the temporal program: on PATH, in the cache, at Temporal's download address");
    let finder = workspace.binary("find-temporal");
    let found = Command::new(&finder)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", finder.display()))?;
    if found.status.success() {
        let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        eprintln!("    {path}");
        return Ok(path.into());
    }
    let folder = workspace.cache.join("temporal").join(VERSION);
    install(&folder)?;
    Ok(folder.join("temporal"))
}

fn install(folder: &Path) -> anyhow::Result<()> {
    if step::answer(Command::new("go").arg("version")).is_none() {
        bail!(
            "no temporal program and no Go to build it: install Go from https://go.dev/dl, \
             or temporal from https://docs.temporal.io/cli"
        );
    }
    let what = format!(
        "build temporal {VERSION} with Go into {} (once, 3 minutes)",
        folder.display()
    );
    let package = format!("github.com/temporalio/cli/cmd/temporal@v{VERSION}");
    let mut go = Command::new("go");
    go.args(["install", "-ldflags", "-s -w", &package])
        .env("GOBIN", folder);
    step::run_silent(&what, &mut go)
}
