//! Debian's packages, for programs that the tests run.

use std::process::Command;

use anyhow::bail;

use crate::step;

/// Installs `package` where that is ours to do; `why` it is needed, in a few words.
pub(crate) fn install(package: &str, why: &str) -> anyhow::Result<()> {
    if !is_root() {
        bail!("{package} is missing, {why}: sudo apt-get install {package}");
    }
    let mut update = Command::new("apt-get");
    step::run(
        "read the package lists",
        update.args(["update", "--quiet=2"]),
    )?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends", "--quiet=2"])
        .arg(package)
        .env("DEBIAN_FRONTEND", "noninteractive");
    step::run(
        &format!("install the package {package}: {why}"),
        &mut install,
    )
}

fn is_root() -> bool {
    step::answer(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
}
