//! The author's commands: a plugin's crate made, built, tested and tried.

use clap::Subcommand;

use super::{build::BuildArguments, dev::DevArguments, new::NewArguments, test::TestArguments};
use crate::{
    arguments::ScopeArguments, client::Client, connection::ConnectionArguments, failure::Result,
    output::Console,
};

/// `plugin new`, `build`, `test` and `dev`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthorCommand {
    /// Make a crate that builds, tests and pushes at once; asks no host
    New(NewArguments),
    /// Build the component of a crate with cargo; asks no host
    Build(BuildArguments),
    /// Run the tests of a crate with cargo; asks no host
    Test(TestArguments),
    /// Build and push at each change of a crate's files, and tell what its executions do, until Ctrl-C
    Dev(DevArguments),
}

impl AuthorCommand {
    /// Does it; `connection` and `scope` are for those that talk to a host.
    pub(crate) async fn run(
        &self,
        connection: &ConnectionArguments,
        scope: &ScopeArguments,
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::New(arguments) => arguments.run(console),
            Self::Build(arguments) => arguments.run(console).await,
            Self::Test(arguments) => arguments.run().await,
            Self::Dev(arguments) => {
                let client = Client::new(connection.resolve(console)?)?;
                arguments.run(&client, &scope.path()?, console).await
            }
        }
    }
}
