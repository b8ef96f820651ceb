//! The crate that a plugin is made of, and what cargo makes of it.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use clap::Args;
use serde_json::Value;
use tokio::process::Command;

use crate::failure::{Failure, Result, code};

/// What components are compiled for.
const TARGET: &str = "wasm32-wasip2";
const MANIFEST: &str = "Cargo.toml";
/// The profile of `plugin dev`, which no manifest needs to have: what is linked in a second is better there than what
/// is small.
const QUICK: &str = "plugin-dev";
const QUICK_SETTINGS: &[&str] = &[
    "inherits=\"release\"",
    "opt-level=1",
    "lto=false",
    "codegen-units=16",
    "incremental=true",
    "debug=false",
    "strip=true",
    "panic=\"abort\"",
];

/// Where a plugin's crate is.
#[derive(Debug, Args)]
pub(super) struct CrateArgument {
    /// The folder of the plugin's crate
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    path: PathBuf,
}

/// A plugin's crate.
pub(super) struct Crate {
    /// Its folder, without links.
    folder: PathBuf,
}

/// How a component is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    /// As the crate's profile `release` says: what is pushed to stay.
    Release,
    /// In the least time.
    Quick,
}

impl CrateArgument {
    /// The crate, if there is one.
    pub(super) fn find(&self) -> Result<Crate> {
        let missing = || {
            Failure::usage(format!("there is no {MANIFEST} in {}", self.path.display()))
                .with_hint("go to the plugin's folder or give --path; `tenterhook plugin new NAME` makes a plugin")
        };
        let folder = self.path.canonicalize().map_err(|_| missing())?;
        if folder.join(MANIFEST).is_file() {
            Ok(Crate { folder })
        } else {
            Err(missing())
        }
    }
}

impl Crate {
    /// Its folder, without links.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds the component, and answers where it is. Cargo tells on stderr how far it is, and what is wrong.
    ///
    /// # Errors
    /// `tool-missing` where cargo or the compiler's target is not installed; `build-failed`.
    pub(super) async fn build(&self, build: Build) -> Result<PathBuf> {
        self.require_target().await?;
        let mut cargo = self.cargo();
        cargo.args(["build", "--target", TARGET]);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        match build {
            Build::Release => {
                cargo.arg("--release");
            }
            Build::Quick => {
                cargo.args(["--profile", QUICK]);
                for setting in QUICK_SETTINGS {
                    cargo
                        .arg("--config")
                        .arg(format!("profile.{QUICK}.{setting}"));
                }
            }
        }
        let child = cargo.stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| not_started("cargo", &error))?;
        let output = child
            .wait_with_output()
            .await
            .map_err(|error| Failure::internal("cargo cannot be waited for").caused_by(&error))?;
        if !output.status.success() {
            return Err(Failure::new(
                code::BUILD_FAILED,
                format!("{} does not build for {TARGET}", self.folder.display()),
            )
            .with_hint("cargo says why above"));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        component(&said, &self.folder.join(MANIFEST)).ok_or_else(|| {
            Failure::new(
                code::BUILD_FAILED,
                format!("{} builds no component", self.folder.display()),
            )
            .with_hint("its Cargo.toml needs, under [lib], crate-type = [\"cdylib\"]")
        })
    }

    /// Runs its tests, with `arguments` for `cargo test`.
    ///
    /// # Errors
    /// `tool-missing`, `tests-failed`.
    pub(super) async fn test(&self, arguments: &[String]) -> Result<()> {
        // Tests build the component that they run.
        self.require_target().await?;
        let status = self.cargo().arg("test").args(arguments).status().await;
        let status = status.map_err(|error| not_started("cargo", &error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(
            code::TESTS_FAILED,
            format!("the tests of {} failed", self.folder.display()),
        )
        .with_hint("cargo says which above"))
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.folder).stdin(Stdio::null());
        // A build that nobody waits for any more would hold the lock of the target folder.
        cargo.kill_on_drop(true);
        cargo
    }

    /// The compiler says where the target's libraries would be; the crate's folder may choose the compiler.
    async fn require_target(&self) -> Result<()> {
        let mut rustc = Command::new("rustc");
        rustc
            .args(["--print", "target-libdir", "--target", TARGET])
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        let output = rustc.output().await;
        let output = output.map_err(|error| not_started("rustc", &error))?;
        let libraries = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && Path::new(libraries.trim()).is_dir() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let failure = Failure::new(
            code::TOOL_MISSING,
            format!("the compiler cannot build for {TARGET}: its libraries are not installed"),
        );
        let causes = said.lines().next().map(str::to_owned);
        Err(failure
            .with_causes(causes)
            .with_hint(format!("rustup target add {TARGET}")))
    }
}

fn not_started(program: &str, error: &io::Error) -> Failure {
    Failure::new(code::TOOL_MISSING, format!("{program} does not run"))
        .caused_by(error)
        .with_hint("install Rust with https://rustup.rs")
}

/// The component among the artifacts that cargo tells of, one JSON document a line.
fn component(said: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"].as_str().map(Path::new) == Some(manifest)
        });
    let files = messages.filter_map(|message| message["filenames"].as_array().cloned());
    files
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|ending| ending == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_that_of_the_crate_itself() {
        let said = r#"
            {"reason":"compiler-artifact","manifest_path":"/p/dep/Cargo.toml","filenames":["/t/dep.wasm"]}
            not a document
            {"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.d","/t/p.wasm"]}
            {"reason":"build-finished","success":true}"#;
        let found = component(said, Path::new("/p/Cargo.toml"));
        assert_eq!(found, Some(PathBuf::from("/t/p.wasm")));
        assert_eq!(component(said, Path::new("/other/Cargo.toml")), None);
    }
}
