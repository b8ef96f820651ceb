//! `plugin`: made, checked, pushed, granted, configured.

pub(crate) mod author;
mod build;
mod cargo;
mod changes;
mod check;
mod component;
mod config;
mod dev;
mod grants;
mod new;
mod policy;
mod push;
mod replay;
mod runs;
mod secret;
mod signature;
mod test;

use clap::Subcommand;
use tenterhook_domain::Digest;

use self::{
    author::AuthorCommand, check::CheckArguments, config::ConfigCommand, grants::GrantsCommand,
    policy::PolicyCommand, push::PushArguments, replay::ReplayArguments, secret::SecretCommand,
};
use super::{
    limits,
    page::{self, PageArguments},
    release::promote,
};
use crate::{
    client::{Call, Client},
    column::{Column, Field},
    failure::{Failure, Result},
    output::Console,
    reason::ReasonArgument,
};

const COLUMNS: &[Column] = &[
    Column::new("PLUGIN", "/name"),
    Column::new("CURRENT", "/current"),
];
const FIELDS: &[Field] = &[
    Field::new("Plugin", "/name"),
    Field::new("Current", "/current"),
];

/// `plugin …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    #[command(flatten)]
    Author(AuthorCommand),
    /// Make a component a release of a plugin, from a file or a registry; the first becomes current
    Push(PushArguments),
    /// Look at a component as a push would, here and on hosts, and keep nothing
    Check(CheckArguments),
    /// Replay exported histories on a component; asks no host
    Replay(ReplayArguments),
    /// List the plugins
    List {
        #[command(flatten)]
        page: PageArguments,
    },
    /// Show a plugin and its current release
    Show {
        /// The plugin
        plugin: String,
    },
    /// Let new executions start on a release; those under way stay on theirs
    Current {
        /// The plugin
        plugin: String,
        /// sha256:… as `release list` shows it
        digest: String,
        #[command(flatten)]
        reason: ReasonArgument,
    },
    /// Show the limits in force for the plugin, and where each value comes from
    Limits {
        /// The plugin
        plugin: String,
    },
    /// What the plugin may do
    #[command(subcommand)]
    Grants(GrantsCommand),
    /// The plugin's configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What the plugin's requests carry and the plugin never sees
    #[command(subcommand)]
    Secret(SecretCommand),
    /// How the plugin's releases are handled
    #[command(subcommand)]
    Policy(PolicyCommand),
}

impl PluginCommand {
    /// Does it, for the scope at `scope`.
    pub(crate) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::Push(arguments) => arguments.run(client, scope, console).await,
            Self::Author(_) | Self::Check(_) | Self::Replay(_) => {
                Err(Failure::internal("this command asks no host of its own"))
            }
            Self::List { page } => {
                let plugins = client
                    .call(page.of(Call::get([scope, &["plugins"]].concat())))
                    .await?;
                console.list(&plugins, COLUMNS)?;
                page::tell_next(&plugins, "--cursor", console);
                Ok(())
            }
            Self::Show { plugin } => show(client, scope, plugin, console).await,
            Self::Current {
                plugin,
                digest,
                reason,
            } => {
                let digest: Digest = digest.parse()?;
                let release = promote(client, scope, plugin, &digest, reason).await?;
                console.record(&release, super::release::FIELDS)
            }
            Self::Limits { plugin } => limits::show_in_force(client, scope, plugin, console).await,
            Self::Grants(command) => command.run(client, scope, console).await,
            Self::Config(command) => command.run(client, scope, console).await,
            Self::Secret(command) => command.run(client, scope, console).await,
            Self::Policy(command) => command.run(client, scope, console).await,
        }
    }
}

/// The plugin, with what its current release says of itself.
async fn show(client: &Client, scope: &[&str], plugin: &str, console: &Console) -> Result<()> {
    let mut shown = client
        .call(Call::get([scope, &["plugins", plugin]].concat()))
        .await?;
    let digest = shown
        .get("current")
        .and_then(|current| current.as_str())
        .map(str::to_owned);
    if let Some(digest) = digest {
        let path = [scope, &["plugins", plugin, "releases", &digest]].concat();
        let release = client.call(Call::get(path)).await?;
        if let Some(object) = shown.as_object_mut() {
            object.insert("release".to_owned(), release);
        }
    }
    console.record(&shown, &[FIELDS, RELEASE_FIELDS].concat())
}

const RELEASE_FIELDS: &[Field] = &[
    Field::new("Version", "/release/version"),
    Field::new("Bytes", "/release/bytes"),
    Field::time("Uploaded", "/release/uploaded_at"),
    Field::new("About", "/release/metadata/description"),
    Field::names("Workflows", "/release/metadata/workflows"),
    Field::names("Activities", "/release/metadata/activities"),
    Field::new("Wants", "/release/metadata/wants"),
];
