//! PostgreSQL's programs, which the tests start servers of their own from.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::step;

/// Where the tests look, the wanted version first.
const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/17/bin",
];
/// The packages that have them: Debian's own version, whatever it is, brings the numbered one.
const PACKAGE: &str = "postgresql";

/// Makes sure that they are there; installs them where that is ours to do.
pub(crate) fn ensure() -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    if !is_root() {
        bail!("PostgreSQL is missing, hosts are tested on it: sudo apt-get install {PACKAGE}");
    }
    let mut update = Command::new("apt-get");
    step::run(
        "read the package lists",
        update.args(["update", "--quiet=2"]),
    )?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends", "--quiet=2"])
        .arg(PACKAGE)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let what = format!("install the package {PACKAGE}: hosts share a database, and are tested so");
    step::run(&what, &mut install)?;
    if !is_there() {
        bail!("{PACKAGE} was installed, but its programs are in none of {FOLDERS:?}");
    }
    Ok(())
}

fn is_there() -> bool {
    FOLDERS
        .iter()
        .any(|folder| Path::new(folder).join("postgres").is_file())
}

fn is_root() -> bool {
    step::answer(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}
