//! `tenant quota`: what a tenant may ask of the hosts.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value};

use crate::{
    client::{Call, Client},
    column::Column,
    command::assignment,
    failure::Result,
    output::Console,
    reason::ReasonArgument,
};

const COLUMNS: &[Column] = &[
    Column::new("QUOTA", "/name"),
    Column::new("UNIT", "/unit"),
    Column::new("VALUE", "/value"),
    Column::new("USED", "/used"),
    Column::new("DEFAULT", "/default"),
    Column::new("ABOUT", "/about"),
];

/// `tenant quota …`.
#[derive(Debug, Subcommand)]
pub(crate) enum QuotaCommand {
    /// Show the tenant's quotas, and how much of each is used
    Get {
        /// The tenant
        tenant: String,
    },
    /// Change the tenant's quotas; what is not named stays
    Set(SetArguments),
}

/// `tenant quota set TENANT …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true))]
pub(crate) struct SetArguments {
    /// The tenant
    tenant: String,
    /// A quota and its value (see `tenterhook quotas`); once for each
    #[arg(long = "quota", value_name = "NAME=VALUE", group = "changes")]
    quotas: Vec<String>,
    /// A quota that goes back to its default; once for each
    #[arg(long, value_name = "NAME", group = "changes")]
    unset: Vec<String>,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl QuotaCommand {
    /// Does it.
    pub(super) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        let tenant = match self {
            Self::Get { tenant } => tenant,
            Self::Set(arguments) => &arguments.tenant,
        };
        let path = ["tenants", tenant, "quotas"];
        if let Self::Set(arguments) = self {
            // Read before anybody is asked: a word that is none changes nothing.
            let mut given = Map::new();
            arguments.change(&mut given)?;
            let mut quotas = client.call(Call::get(path)).await?["set"].take();
            arguments.change(quotas.as_object_mut().unwrap_or(&mut given))?;
            let quotas = match quotas {
                Value::Object(quotas) => quotas,
                _ => given,
            };
            let call = Call::put(path).json(Value::Object(quotas));
            let quotas = client.call(call.reason(&arguments.reason)).await?;
            return console.list(&quotas, COLUMNS);
        }
        console.list(&client.call(Call::get(path)).await?, COLUMNS)
    }
}

impl SetArguments {
    fn change(&self, quotas: &mut Map<String, Value>) -> Result<()> {
        let example = "--quota starts_per_second=50";
        assignment::change(quotas, &self.quotas, &self.unset, "quota", example)
    }
}
