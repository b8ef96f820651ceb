//! `release`: the components that were pushed for a plugin.

use clap::Subcommand;

use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::{Column, Field},
    failure::Result,
    output::Console,
};

const COLUMNS: &[Column] = &[
    Column::new("DIGEST", "/digest"),
    Column::new("VERSION", "/version"),
    Column::new("STATE", "/state"),
    Column::new("BYTES", "/bytes"),
    Column::time("UPLOADED", "/uploaded_at"),
];
/// What is shown of one release.
pub(super) const FIELDS: &[Field] = &[
    Field::new("Digest", "/digest"),
    Field::new("Version", "/version"),
    Field::new("State", "/state"),
    Field::new("Bytes", "/bytes"),
    Field::time("Uploaded", "/uploaded_at"),
    Field::names("Workflows", "/metadata/workflows"),
    Field::names("Activities", "/metadata/activities"),
    Field::names("Checked", "/checks"),
];

/// `release …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List a plugin's releases, newest first
    List {
        /// The plugin
        plugin: String,
        #[command(flatten)]
        page: PageArguments,
    },
    /// Show a release
    Show {
        /// The plugin
        plugin: String,
        /// sha256:… as `release list` shows it
        digest: String,
    },
}

impl ReleaseCommand {
    /// Does it, for the scope at `scope`.
    pub(crate) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::List { plugin, page } => {
                let releases = client
                    .call(page.of(Call::get(
                        [scope, &["plugins", plugin, "releases"]].concat(),
                    )))
                    .await?;
                console.list(&releases, COLUMNS)?;
                page::tell_next(&releases, "--cursor", console);
                Ok(())
            }
            Self::Show { plugin, digest } => {
                let path = [scope, &["plugins", plugin, "releases", digest]].concat();
                let release = client.call(Call::get(path)).await?;
                console.record(&release, FIELDS)
            }
        }
    }
}
