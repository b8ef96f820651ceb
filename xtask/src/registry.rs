//! A program that is an OCI registry, which the tests start registries of their own from.

use std::path::Path;

use anyhow::bail;

use crate::package;

/// Where the tests look.
const PROGRAM: &str = "/usr/bin/docker-registry";
/// The package that has it: the CNCF's distribution, the registry that most others are made of.
const PACKAGE: &str = "docker-registry";

/// Makes sure that it is there; installs it where that is ours to do.
pub(crate) fn ensure() -> anyhow::Result<()> {
    if Path::new(PROGRAM).is_file() {
        return Ok(());
    }
    package::install(
        PACKAGE,
        "releases are pulled from registries, and tested so",
    )?;
    if !Path::new(PROGRAM).is_file() {
        bail!("{PACKAGE} was installed, but {PROGRAM} is not there");
    }
    Ok(())
}
