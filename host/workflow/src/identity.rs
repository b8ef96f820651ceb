//! Who a run is: what every command of it is checked against and completed with.

use tenterhook_domain::{Digest, PluginName, Scope};

/// One run of one execution, as the host knows it.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    /// Whose execution it is.
    pub scope: Scope,
    /// The plugin that owns its workflow type.
    pub plugin: PluginName,
    /// The release that runs it.
    pub digest: Digest,
    /// The lane's Temporal namespace.
    pub namespace: String,
    /// The lane's task queue.
    pub task_queue: String,
    /// The execution as Temporal knows it: `acme/production/order-1`.
    pub temporal_id: String,
    /// Temporal's id of the run.
    pub run_id: String,
    /// Whether the release marker belongs into its history.
    pub pin: Pin,
}

/// Whether a run's first commands start with the release marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Fresh, or its history has the marker: the marker leads the first commands.
    Marked,
    /// Its history began without one: the marker is never emitted, or replay would diverge.
    Unmarked,
}
