//! `plugin secret`: what a plugin's requests carry and the plugin never sees.

use std::{io, path::Path};

use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::json;
use tenterhook_domain::secret::{SECRET_BYTES_MAX, SecretValue};

use crate::{
    client::{Call, Client},
    column::Column,
    failure::{Failure, Result},
    input,
    output::Console,
    reason::ReasonArgument,
};

/// Room for the line break that files end with.
const FILE_BYTES_MAX: usize = SECRET_BYTES_MAX + 2;

const COLUMNS: &[Column] = &[
    Column::new("SECRET", "/name"),
    Column::time("SET", "/set_at"),
    Column::new("KEY", "/key"),
];

/// `plugin secret …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Set a secret; its value comes from a file or standard input, never from an argument
    Set(SetArguments),
    /// List the secrets by name; nobody is told a value
    List {
        /// The plugin
        plugin: String,
    },
    /// Forget a secret
    Delete {
        /// The plugin
        plugin: String,
        /// The secret
        name: String,
        #[command(flatten)]
        reason: ReasonArgument,
    },
}

/// `plugin secret set PLUGIN NAME …`.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// The plugin
    plugin: String,
    /// The secret, as placeholders and grants call it
    name: String,
    /// The file with the value, without the line break at its end; - is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: String,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl SecretCommand {
    /// Does it, for the scope at `scope`.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::Set(arguments) => {
                let SetArguments { plugin, name, .. } = arguments;
                let value = value(&arguments.file)?;
                let call = Call::put([scope, &["plugins", plugin, "secrets", name]].concat())
                    .reason(&arguments.reason)
                    .json(json!({ "value": value.reveal() }));
                client.call(call).await?;
                console.note(&format!("secret {name} of plugin {plugin} is set"));
                Ok(())
            }
            Self::List { plugin } => {
                let call = Call::get([scope, &["plugins", plugin, "secrets"]].concat());
                console.list(&client.call(call).await?, COLUMNS)
            }
            Self::Delete {
                plugin,
                name,
                reason,
            } => {
                let call = Call::delete([scope, &["plugins", plugin, "secrets", name]].concat());
                client.call(call.reason(reason)).await?;
                console.note(&format!("plugin {plugin} has no secret {name} any more"));
                Ok(())
            }
        }
    }
}

/// What the file holds, without one line break at its end.
fn value(file: &str) -> Result<SecretValue> {
    let bytes: Bytes = match file {
        "-" => input::read(io::stdin().lock(), "standard input", FILE_BYTES_MAX)?,
        file => input::file_bytes(Path::new(file), FILE_BYTES_MAX)?,
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::usage("the value of the secret is no text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(SecretValue::new(text.to_owned())?)
}
