//! `limits` and `quotas`: the host's two tables, and the limits in force for a plugin.

use crate::{
    client::{Call, Client},
    column::Column,
    failure::Result,
    output::Console,
};

const COLUMNS: &[Column] = &[
    Column::new("LIMIT", "/name"),
    Column::new("UNIT", "/unit"),
    Column::new("DEFAULT", "/default"),
    Column::new("LOWEST", "/lowest"),
    Column::new("HIGHEST", "/highest"),
    Column::new("ABOUT", "/about"),
];
const QUOTA_COLUMNS: &[Column] = &[
    Column::new("QUOTA", "/name"),
    Column::new("UNIT", "/unit"),
    Column::new("DEFAULT", "/default"),
    Column::new("LOWEST", "/lowest"),
    Column::new("HIGHEST", "/highest"),
    Column::new("ABOUT", "/about"),
];
const IN_FORCE_COLUMNS: &[Column] = &[
    Column::new("LIMIT", "/name"),
    Column::new("UNIT", "/unit"),
    Column::new("VALUE", "/value"),
    Column::new("FROM", "/source"),
    Column::new("ABOUT", "/about"),
];

/// Shows every limit.
///
/// # Errors
/// What the host refuses.
pub(crate) async fn show(client: &Client, console: &Console) -> Result<()> {
    let limits = client.call(Call::get(["limits"])).await?;
    console.list(&limits, COLUMNS)
}

/// Shows every quota.
///
/// # Errors
/// What the host refuses.
pub(crate) async fn show_quotas(client: &Client, console: &Console) -> Result<()> {
    let quotas = client.call(Call::get(["quotas"])).await?;
    console.list(&quotas, QUOTA_COLUMNS)
}

/// Shows the limits in force for a plugin.
///
/// # Errors
/// What the host refuses.
pub(super) async fn show_in_force(
    client: &Client,
    scope: &[&str],
    plugin: &str,
    console: &Console,
) -> Result<()> {
    let path = [scope, &["plugins", plugin, "limits"]].concat();
    let limits = client.call(Call::get(path)).await?;
    console.list(&limits, IN_FORCE_COLUMNS)
}
