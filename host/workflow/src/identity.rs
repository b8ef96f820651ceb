//! Who a run is: what every command of it is checked against and completed with.

use tenterhook_domain::{Digest, PluginName, Scope};

use crate::pin::ReleasePin;

/// One run of one execution, as the host knows it.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    /// Whose execution it is.
    pub scope: Scope,
    /// The plugin that owns its workflow type.
    pub plugin: PluginName,
    /// The release that runs it.
    pub digest: Digest,
    /// How many times it has moved to get there.
    pub moves: u8,
    /// The lane's Temporal namespace.
    pub namespace: String,
    /// The lane's task queue.
    pub task_queue: String,
    /// The execution as Temporal knows it: `acme/production/order-1`.
    pub temporal_id: String,
    /// Temporal's id of the run.
    pub run_id: String,
    /// Whether its history says so.
    pub pin: Pin,
    /// The tenant's shares beside others, as they are now.
    pub weight: u16,
}

impl RunIdentity {
    /// What its history says of its release, or is to say.
    pub fn release(&self) -> ReleasePin {
        ReleasePin {
            moves: self.moves,
            digest: self.digest,
        }
    }
}

/// Whether a run's history has the pin of the release that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It is fresh, or moves: the pin leads the first commands that are no replay.
    Unwritten,
    /// It has what it is ever to have, or began without this host: a pin is repeated where the history has it, and
    /// none is added, or replay would diverge.
    Written,
}
