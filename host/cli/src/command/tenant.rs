//! `tenant`: who owns plugins and executions.

mod encryption;
mod limits;
mod quota;
mod trust;

use clap::Subcommand;

use self::{
    encryption::EncryptionCommand, limits::TenantLimitsCommand, quota::QuotaCommand,
    trust::TrustCommand,
};
use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::Column,
    failure::Result,
    output::Console,
};

const COLUMNS: &[Column] = &[Column::new("TENANT", "/name")];

const CIRCUIT_COLUMNS: &[Column] = &[
    Column::new("DESTINATION", "/destination"),
    Column::new("STATE", "/state"),
    Column::new("FAILURES", "/failures"),
    Column::new("TRIED AGAIN IN MS", "/retry_after_millis"),
];

/// `tenant …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant, where it is not there yet
    Put {
        /// A lower-case letter, then lower-case letters, digits and -
        #[arg(value_name = "TENANT")]
        name: String,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        page: PageArguments,
    },
    /// Show a tenant
    Show {
        /// The tenant
        #[arg(value_name = "TENANT")]
        name: String,
    },
    /// Show which destinations of the tenant's outbound requests fail, on the host that answers
    Circuits {
        /// The tenant
        tenant: String,
    },
    /// Whom the tenant trusts to sign its releases
    #[command(subcommand)]
    Trust(TrustCommand),
    /// How the tenant's payloads are encrypted on their way to Temporal
    #[command(subcommand)]
    Encryption(EncryptionCommand),
    /// What the tenant may ask of the hosts
    #[command(subcommand)]
    Quota(QuotaCommand),
    /// What all plugins of the tenant get
    #[command(subcommand)]
    Limits(TenantLimitsCommand),
}

impl TenantCommand {
    /// Does it.
    pub(crate) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        match self {
            Self::Put { name } => {
                let tenant = client.call(Call::put(["tenants", name])).await?;
                console.record(&tenant, COLUMNS)
            }
            Self::List { page } => {
                let tenants = client.call(page.of(Call::get(["tenants"]))).await?;
                console.list(&tenants, COLUMNS)?;
                page::tell_next(&tenants, "--cursor", console);
                Ok(())
            }
            Self::Show { name } => {
                let tenant = client.call(Call::get(["tenants", name])).await?;
                console.record(&tenant, COLUMNS)
            }
            Self::Circuits { tenant } => {
                let path = ["tenants", tenant, "circuits"];
                console.list(&client.call(Call::get(path)).await?, CIRCUIT_COLUMNS)
            }
            Self::Trust(command) => command.run(client, console).await,
            Self::Encryption(command) => command.run(client, console).await,
            Self::Quota(command) => command.run(client, console).await,
            Self::Limits(command) => command.run(client, console).await,
        }
    }
}
