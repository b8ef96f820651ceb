//! `environment`: the worlds of a tenant.

mod lane;

use clap::Subcommand;

use self::lane::LaneCommand;
use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::Column,
    failure::Result,
    output::Console,
};

const COLUMNS: &[Column] = &[Column::new("ENVIRONMENT", "/name")];

/// `environment …`.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvironmentCommand {
    /// Make an environment, where it is not there yet
    Put {
        /// A lower-case letter, then lower-case letters, digits and -
        #[arg(value_name = "ENVIRONMENT")]
        name: String,
    },
    /// List the tenant's environments
    List {
        #[command(flatten)]
        page: PageArguments,
    },
    /// Show an environment
    Show {
        /// The environment
        #[arg(value_name = "ENVIRONMENT")]
        name: String,
    },
    /// The lane that is an environment's alone: a task queue or a namespace of Temporal
    #[command(subcommand)]
    Lane(LaneCommand),
}

impl EnvironmentCommand {
    /// Does it, for `tenant`.
    pub(crate) async fn run(&self, client: &Client, tenant: &str, console: &Console) -> Result<()> {
        match self {
            Self::Lane(command) => command.run(client, tenant, console).await,
            Self::Put { name } => {
                let environment = client
                    .call(Call::put(["tenants", tenant, "environments", name]))
                    .await?;
                console.record(&environment, COLUMNS)
            }
            Self::List { page } => {
                let call = Call::get(["tenants", tenant, "environments"]);
                let environments = client.call(page.of(call)).await?;
                console.list(&environments, COLUMNS)?;
                page::tell_next(&environments, "--cursor", console);
                Ok(())
            }
            Self::Show { name } => {
                let environment = client
                    .call(Call::get(["tenants", tenant, "environments", name]))
                    .await?;
                console.record(&environment, COLUMNS)
            }
        }
    }
}
