//! Temporal's own command line, as somebody uses it who knows nothing of this host.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tenterhook_embedded::{Places, TemporalProgram};

/// The `temporal` program, against one server.
#[derive(Debug, Clone)]
pub struct TemporalCli {
    program: PathBuf,
    address: String,
}

impl TemporalCli {
    /// For the server at `address`, `HOST:PORT`.
    ///
    /// # Errors
    /// When there is no such program.
    pub async fn of(address: &str) -> anyhow::Result<Self> {
        let program = TemporalProgram::find(&Places::from_environment()).await?;
        Ok(Self {
            program: program.path().to_owned(),
            address: address.to_owned(),
        })
    }

    /// The program, for what is not a line that answers JSON.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs `temporal LINE` with `arguments` behind it, and reads what it writes as JSON; null where that is none.
    ///
    /// # Errors
    /// When it fails, with its words.
    pub fn run(&self, line: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        let ran = Command::new(&self.program)
            .args(line.split(' '))
            .args(arguments)
            .args(["--address", &self.address, "--output", "json"])
            .output()
            .context("temporal does not start")?;
        if !ran.status.success() {
            bail!("temporal {line}: {}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(serde_json::from_slice(&ran.stdout).unwrap_or_default())
    }
}
