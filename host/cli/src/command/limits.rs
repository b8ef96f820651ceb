//! `limits`: the host's table of limits.

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

/// Shows every limit.
///
/// # Errors
/// What the host refuses.
pub(crate) async fn show(client: &Client, console: &Console) -> Result<()> {
    let limits = client.call(Call::get(["limits"])).await?;
    console.list(&limits, COLUMNS)
}
