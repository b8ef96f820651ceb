//! Finding the `temporal` program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use directories::BaseDirs;
use tokio::process::Command;

use crate::download;

/// The release of Temporal's CLI that this host is developed and tested with.
pub const VERSION: &str = "1.5.1";

/// The program's file name.
const PROGRAM: &str = "temporal";
/// How long `temporal --version` may take.
const VERSION_WITHIN: Duration = Duration::from_secs(15);
/// What every release of Temporal's CLI answers to `--version`; other programs of that name do not.
const VERSION_LINE: &str = "temporal version";

/// A `temporal` program that was found, or given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporalProgram {
    path: PathBuf,
    source: Source,
}

/// Where the program came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The caller named it.
    Given,
    /// A folder of `PATH`.
    Path,
    /// The project's cache folder.
    Cache,
    /// Temporal's own download address, just now.
    Download,
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folders of `PATH`, in order.
    pub path: Vec<PathBuf>,
    /// The project's cache folder, where a download goes.
    pub cache: PathBuf,
    /// Whether Temporal's download address may be asked.
    pub download: bool,
}

/// No usable `temporal` program; the message says what was tried and what to do.
#[derive(Debug, thiserror::Error)]
#[error(
    "no `temporal` program: not on PATH, not at {cached:?}, and the official download failed \
     ({download}). Install it with: {}",
    install_command(.cached)
)]
pub struct NotFound {
    /// Where the cache would have it.
    pub cached: PathBuf,
    /// Why the download failed.
    pub download: String,
}

/// The command that builds the program from source into the cache, where it is looked for.
fn install_command(cached: &Path) -> String {
    let folder = cached.parent().unwrap_or(cached).display();
    format!(
        "GOBIN={folder} go install -ldflags \"-s -w\" github.com/temporalio/cli/cmd/temporal@v{VERSION}"
    )
}

impl Places {
    /// The places of this process: its `PATH`, and `tenterhook` in the user's cache directory.
    #[must_use]
    pub fn from_environment() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .collect();
        let user = BaseDirs::new().map(|user| user.cache_dir().to_owned());
        let cache = user.unwrap_or_else(std::env::temp_dir).join("tenterhook");
        Self {
            path,
            cache,
            download: true,
        }
    }

    /// Where the cache has the program of [`VERSION`]: `<cache>/temporal/<version>/temporal`.
    #[must_use]
    pub fn cached(&self) -> PathBuf {
        self.cache.join(PROGRAM).join(VERSION).join(PROGRAM)
    }
}

impl TemporalProgram {
    /// A program the caller knows of, unchecked.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            source: Source::Given,
        }
    }

    /// The file to run.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Looks on `PATH`, then in the cache, then downloads into the cache. What is found is run
    /// once with `--version`; a program that is not Temporal's is passed over.
    ///
    /// The download gives up when it stands still for 20 seconds, or after ten minutes.
    ///
    /// # Errors
    /// When there is none anywhere; the error names the command that installs it.
    pub async fn find(places: &Places) -> Result<Self, NotFound> {
        let on_path = places
            .path
            .iter()
            .map(|folder| (folder.join(PROGRAM), Source::Path));
        let cached = places.cached();
        for (path, source) in on_path.chain([(cached.clone(), Source::Cache)]) {
            if path.is_file() && is_temporal(&path).await {
                return Ok(Self { path, source });
            }
        }
        if !places.download {
            return Err(NotFound {
                cached,
                download: "not tried".to_owned(),
            });
        }
        match download::fetch(&cached).await {
            Ok(()) if is_temporal(&cached).await => Ok(Self {
                path: cached,
                source: Source::Download,
            }),
            Ok(()) => {
                let download = "what was downloaded does not run here".to_owned();
                Err(NotFound { cached, download })
            }
            Err(error) => Err(NotFound {
                cached,
                download: error.to_string(),
            }),
        }
    }
}

/// Whether the file runs and says that it is Temporal's CLI.
async fn is_temporal(path: impl AsRef<OsStr>) -> bool {
    let path = path.as_ref();
    let run = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let is = match tokio::time::timeout(VERSION_WITHIN, run).await {
        Ok(Ok(output)) => {
            output.status.success()
                && String::from_utf8_lossy(&output.stdout).contains(VERSION_LINE)
        }
        Ok(Err(_)) | Err(_) => false,
    };
    if !is {
        tracing::warn!(
            ?path,
            "this is no working `temporal` program and is passed over"
        );
    }
    is
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn script(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes the folder");
        std::fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("writes");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    #[tokio::test]
    async fn path_comes_before_the_cache_and_strangers_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let [strange, good] = ["strange", "good"].map(|name| folder.path().join(name));
        let places = Places {
            path: vec![folder.path().join("absent"), strange.clone(), good.clone()],
            cache: folder.path().join("cache"),
            download: false,
        };
        let missing = TemporalProgram::find(&places)
            .await
            .expect_err("nothing there")
            .to_string();
        assert!(
            missing.contains("go install -ldflags \"-s -w\" "),
            "{missing}"
        );
        assert!(
            missing.contains("github.com/temporalio/cli/cmd/temporal@v1.5.1"),
            "{missing}"
        );
        assert!(
            missing.contains("cache/temporal/1.5.1 go install"),
            "{missing}"
        );

        script(&places.cached(), "echo temporal version 1.5.1");
        script(&strange.join("temporal"), "echo a time machine");
        let found = TemporalProgram::find(&places).await.expect("in the cache");
        assert_eq!(
            (found.path(), found.source()),
            (places.cached().as_path(), Source::Cache)
        );

        script(&good.join("temporal"), "echo temporal version 1.4.0");
        let found = TemporalProgram::find(&places).await.expect("on the path");
        assert_eq!(
            (found.path(), found.source()),
            (good.join("temporal").as_path(), Source::Path)
        );
    }
}
