//! `tenant encryption`: how a tenant's payloads are encrypted on their way to Temporal.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    client::{Call, Client},
    column::Field,
    failure::Result,
    output::Console,
    reason::ReasonArgument,
};

const FIELDS: &[Field] = &[
    Field::new("Payloads", "/payloads"),
    Field::new("Keys", "/keys"),
];
const SHREDDED: &[Field] = &[Field::new("Keys deleted", "/deleted")];

/// `tenant encryption …`.
#[derive(Debug, Subcommand)]
pub(crate) enum EncryptionCommand {
    /// Show whether the tenant's payloads are encrypted, and under which keys
    Get {
        /// The tenant
        tenant: String,
    },
    /// Have new payloads encrypted
    On(ChangeArguments),
    /// Have new payloads written as they are; those that are encrypted still open
    Off(ChangeArguments),
    /// Have new payloads encrypted under a new key; those under older ones still open
    Rotate(ChangeArguments),
    /// Delete all keys of the tenant: nothing that was encrypted can ever be read again
    Shred {
        #[command(flatten)]
        change: ChangeArguments,
        /// Says that you know that there is no way back
        #[arg(long, required = true)]
        forever: bool,
    },
}

/// What every change is told.
#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    /// The tenant
    tenant: String,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl EncryptionCommand {
    /// Does it.
    pub(super) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        let set = |change: &ChangeArguments, payloads: &str| {
            Call::put(["tenants", &change.tenant, "encryption"])
                .json(json!({ "payloads": payloads }))
                .reason(&change.reason)
        };
        let call = match self {
            Self::Get { tenant } => Call::get(["tenants", tenant, "encryption"]),
            Self::On(change) => set(change, "on"),
            Self::Off(change) => set(change, "off"),
            Self::Rotate(change) => {
                Call::post(["tenants", &change.tenant, "keys"]).reason(&change.reason)
            }
            Self::Shred { change, .. } => {
                let call = Call::delete(["tenants", &change.tenant, "keys"]);
                let deleted = client.call(call.reason(&change.reason)).await?;
                return console.record(&deleted, SHREDDED);
            }
        };
        let mut found = client.call(call).await?;
        if console.is_table() {
            names(&mut found);
        }
        console.record(&found, FIELDS)
    }
}

/// For people the keys' ids alone, the newest first.
fn names(found: &mut Value) {
    let keys = found["keys"].as_array().into_iter().flatten();
    let ids: Vec<&str> = keys.filter_map(|key| key["id"].as_str()).collect();
    found["keys"] = ids.join(", ").into();
}
