//! `context-key`: the keys that the hosts sign contexts with.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    client::{Call, Client},
    column::Column,
    duration,
    failure::{Failure, Result},
    output::Console,
    reason::ReasonArgument,
};

const COLUMNS: &[Column] = &[
    Column::new("KEY", "/id"),
    Column::new("STATE", "/state"),
    Column::time("MADE", "/made_at"),
    Column::time("SIGNS FROM", "/signs_from"),
    Column::time("RETIRED", "/retired_at"),
];

/// `context-key …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextKeyCommand {
    /// List the keys, the newest first
    List,
    /// Make a new key; those before it verify what began before it signs
    Rotate(RotateArguments),
}

/// `context-key rotate …`.
#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    /// When the new key signs, whole seconds; every host has to hear of it before: 0s is for a host that is alone
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "60s")]
    signs_after: Duration,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl RotateArguments {
    fn call(&self) -> Result<Call> {
        if self.signs_after.subsec_nanos() > 0 {
            return Err(Failure::usage("--signs-after is of whole seconds"));
        }
        let body = json!({ "signs_after_seconds": self.signs_after.as_secs() });
        let call = Call::post(["context-keys", "rotate"]).json(body);
        Ok(call.reason(&self.reason))
    }
}

impl ContextKeyCommand {
    /// Does it.
    pub(crate) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        let call = match self {
            Self::List => Call::get(["context-keys"]),
            Self::Rotate(arguments) => arguments.call()?,
        };
        console.list(&client.call(call).await?, COLUMNS)
    }
}
