//! Where cargo builds: found from where the test program itself lies.

use std::path::PathBuf;

/// Cargo marks its folder with this file.
const MARK: &str = "CACHEDIR.TAG";

/// Cargo's target folder, or the system's folder for what is temporary where the program does not lie in one.
pub(crate) fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .find(|folder| folder.join(MARK).is_file())
        .map_or_else(std::env::temp_dir, PathBuf::from)
}
