//! `plugin config`: what a plugin reads to know its surroundings.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value};

use crate::{
    client::{Call, Client},
    failure::{Failure, Result},
    input,
    output::Console,
};

/// `plugin config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the configuration
    Get {
        /// The plugin
        plugin: String,
    },
    /// Replace the whole configuration
    Put(PutArguments),
}

/// `plugin config put PLUGIN …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("values").required(true).multiple(false))]
pub(crate) struct PutArguments {
    /// The plugin
    plugin: String,
    /// Keys and values
    #[arg(value_name = "KEY=VALUE", group = "values")]
    pairs: Vec<String>,
    /// All of it as a flat JSON object of strings; - is standard input
    #[arg(long, value_name = "FILE", group = "values")]
    file: Option<String>,
    /// No keys at all
    #[arg(long, group = "values")]
    none: bool,
}

impl ConfigCommand {
    /// Does it, for the scope at `scope`.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let call = match self {
            Self::Get { plugin } => Call::get([scope, &["plugins", plugin, "config"]].concat()),
            Self::Put(arguments) => {
                let path = [scope, &["plugins", &arguments.plugin, "config"]].concat();
                Call::put(path).json(Value::Object(arguments.config()?))
            }
        };
        console.pairs(&client.call(call).await?, ["KEY", "VALUE"])
    }
}

impl PutArguments {
    fn config(&self) -> Result<Map<String, Value>> {
        if let Some(file) = &self.file {
            return input::object(file);
        }
        let mut config = Map::new();
        for text in &self.pairs {
            let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                return Err(Failure::usage(format!(
                    "{text:?} is no configuration: write KEY=VALUE"
                )));
            };
            if config.insert(key.to_owned(), value.into()).is_some() {
                return Err(Failure::usage(format!(
                    "configuration key {key:?} is given twice"
                )));
            }
        }
        Ok(config)
    }
}
