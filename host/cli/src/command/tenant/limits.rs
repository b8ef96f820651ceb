//! `tenant limits`: what all plugins of a tenant get.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    client::{Call, Client},
    column::Field,
    command::assignment,
    failure::{Failure, Result},
    output::Console,
    reason::ReasonArgument,
};

const FIELDS: &[Field] = &[
    Field::new("Defaults", "/defaults"),
    Field::new("Ceilings", "/ceilings"),
];

/// `tenant limits …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantLimitsCommand {
    /// Show what is set for the limits of all plugins of the tenant
    Get {
        /// The tenant
        tenant: String,
    },
    /// Change what all plugins of the tenant get; what is not named stays
    Set(SetArguments),
}

/// `tenant limits set TENANT …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true))]
pub(crate) struct SetArguments {
    /// The tenant
    tenant: String,
    /// What a plugin gets whose grants do not say otherwise (see `tenterhook limits`); once for each limit
    #[arg(long = "default", value_name = "NAME=VALUE", group = "changes")]
    defaults: Vec<String>,
    /// The most that any plugin gets, whatever its grants say; once for each limit
    #[arg(long = "ceiling", value_name = "NAME=VALUE", group = "changes")]
    ceilings: Vec<String>,
    /// A limit that has neither of the two any more; once for each
    #[arg(long, value_name = "NAME", group = "changes")]
    unset: Vec<String>,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl TenantLimitsCommand {
    /// Does it.
    pub(super) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        let tenant = match self {
            Self::Get { tenant } => tenant,
            Self::Set(arguments) => &arguments.tenant,
        };
        let path = ["tenants", tenant, "limits"];
        if let Self::Set(arguments) = self {
            // Read before anybody is asked: a word that is none changes nothing.
            arguments.changed(&Value::Null)?;
            let found = client.call(Call::get(path)).await?;
            let call = Call::put(path).json(arguments.changed(&found)?);
            let limits = client.call(call.reason(&arguments.reason)).await?;
            return console.record(&limits, FIELDS);
        }
        console.record(&client.call(Call::get(path)).await?, FIELDS)
    }
}

impl SetArguments {
    fn changed(&self, found: &Value) -> Result<Value> {
        let part = |name: &str, texts: &[String], example: &str| {
            let object = found.get(name).and_then(Value::as_object);
            let mut object: Map<String, Value> = object.cloned().unwrap_or_default();
            assignment::change(&mut object, texts, &self.unset, "limit", example)?;
            Ok::<_, Failure>(object)
        };
        let defaults = part(
            "defaults",
            &self.defaults,
            "--default memory_bytes=33554432",
        )?;
        let ceilings = part(
            "ceilings",
            &self.ceilings,
            "--ceiling memory_bytes=134217728",
        )?;
        Ok(json!({"defaults": defaults, "ceilings": ceilings}))
    }
}
