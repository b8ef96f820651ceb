//! Who a run is: what every command of it is checked against and completed with.

use tenterhook_domain::{Digest, PluginName, Result, Scope, TypeName, lane::Naming};

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
    /// How its lane calls executions and types.
    pub naming: Naming,
}

impl RunIdentity {
    /// Temporal's id of the execution that the guest calls `id`.
    ///
    /// # Errors
    /// `workflow-id-invalid`.
    pub(crate) fn temporal_id_of(&self, id: &str) -> Result<String> {
        self.naming.ids.temporal_id(&self.scope, id)
    }

    /// What the guest calls the execution `temporal_id`, if it is of its scope.
    pub fn caller_id_of(&self, temporal_id: &str) -> Option<String> {
        self.naming.ids.caller_id(&self.scope, temporal_id)
    }

    /// The type `name` as it stands in the run's history.
    pub(crate) fn spell(&self, name: &TypeName) -> String {
        self.naming.spell(&self.plugin, name)
    }

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
