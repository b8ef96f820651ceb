//! `plugin test`: a crate's tests, which need no host.

use clap::Args;

use super::cargo::CrateArgument;
use crate::failure::Result;

/// `plugin test -- ARGUMENT…`.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    source: CrateArgument,
    /// Handed to cargo test, such as the name of a test
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

impl TestArguments {
    /// Runs them.
    pub(super) async fn run(&self) -> Result<()> {
        self.source.find()?.test(&self.arguments).await
    }
}
