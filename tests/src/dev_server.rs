//! A Temporal server of a test's own, which ends with it.

use std::path::Path;

use tenterhook_embedded::{Config, EmbeddedTemporal, Places, TemporalProgram};

/// Starts one that keeps its database in `folder`, with the search attributes of hosts.
///
/// # Errors
/// When there is no `temporal` program, or it does not start.
pub async fn start(folder: &Path) -> anyhow::Result<EmbeddedTemporal> {
    let program = TemporalProgram::find(&Places::from_environment()).await?;
    Ok(EmbeddedTemporal::start(Config::new(program, folder)).await?)
}
