//! Temporal's side of the host: the only crate that knows Temporal's Core.
//!
//! A [`Lane`] polls one task queue and runs what it is given; a [`Gateway`] starts and talks to executions.
//! A [`Gate`] replays recorded histories on a release before it takes traffic, a [`VisibilityCensus`] counts
//! executions by release. All work through one [`Temporal`] connection.

mod activity;
mod census;
mod codec;
mod connection;
mod executor;
mod fair;
mod gateway;
mod lane;
mod moves;
mod payload;
mod replay;
mod resolver;
mod runs;

use std::sync::Arc;

use tenterhook_domain::{Result, context::ContextKeys};
use tenterhook_sandbox::Sandbox;
use tenterhook_store::Store;

pub use census::VisibilityCensus;
pub use codec::Codec;
pub use connection::{SEARCH_ATTRIBUTES, Target, Temporal};
pub use gateway::Gateway;
pub use lane::{Lane, LaneConfig};
pub use replay::{
    Candidate, EXPORT_BYTES_MAX, Gate, REPLAYS_AT_ONCE, Recorded, Replayer, export_history,
};

/// Starts to work a lane. Must be called within a Tokio runtime.
///
/// # Errors
/// `host-config-invalid` for settings Core refuses, `temporal-unavailable` when the namespace cannot be used.
pub async fn start_lane(
    temporal: &Temporal,
    config: &LaneConfig,
    store: Store,
    sandbox: Arc<Sandbox>,
    keys: Arc<ContextKeys>,
    codec: Arc<Codec>,
) -> Result<Lane> {
    let ceilings = config.ceilings.clone();
    let resolver = resolver::Resolver::new(store, sandbox, keys, ceilings, codec);
    let resolver = Arc::new(resolver);
    Lane::start(temporal, config, resolver).await
}
