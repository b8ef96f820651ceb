//! PostgreSQL's programs, which the tests start servers of their own from.

use std::path::Path;

use anyhow::bail;

use crate::package;

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
    package::install(PACKAGE, "hosts share a database, and are tested so")?;
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
