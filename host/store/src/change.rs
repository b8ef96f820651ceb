//! Tells listeners which plugins changed, so that they drop what they remember of them.

use tenterhook_domain::{PluginName, Scope};
use tokio::sync::{broadcast, watch};

/// Changes that wait for a slow listener; with more it is told [`Change::Missed`].
pub const CHANGES_QUEUED_MAX: usize = 1_024;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A plugin's current release, grants or configuration.
    Plugin(Scope, PluginName),
    /// Some changes passed by unheard: anything may have changed.
    Missed,
}

/// Where changes are told. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    lanes: watch::Sender<()>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(CHANGES_QUEUED_MAX),
            lanes: watch::Sender::new(()),
        }
    }
}

impl Changes {
    /// Hears every change from now on. Subscribe before the first read, and nothing is missed between.
    pub fn subscribe(&self) -> ChangeListener {
        ChangeListener {
            receiver: self.sender.subscribe(),
        }
    }

    /// Tells of a change that is already stored.
    pub fn announce(&self, scope: &Scope, plugin: &PluginName) {
        // An error only says that nobody listens.
        let _ = self
            .sender
            .send(Change::Plugin(scope.clone(), plugin.clone()));
    }

    /// Tells that scopes' lanes changed.
    pub fn announce_lanes(&self) {
        self.lanes.send_replace(());
    }

    /// Is marked whenever scopes' lanes change through this store.
    pub fn lanes(&self) -> watch::Receiver<()> {
        self.lanes.subscribe()
    }

    /// Tells that anything may have changed.
    pub fn announce_missed(&self) {
        let _ = self.sender.send(Change::Missed);
    }
}

/// Hears of changes.
#[derive(Debug)]
pub struct ChangeListener {
    receiver: broadcast::Receiver<Change>,
}

impl ChangeListener {
    /// The next change; `None` when the store is gone. Safe to drop half-way, as in `select!`.
    pub async fn next(&mut self) -> Option<Change> {
        match self.receiver.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// A change that was told already, without waiting: after a write was answered, its change is here.
    pub fn try_next(&mut self) -> Option<Change> {
        match self.receiver.try_recv() {
            Ok(change) => Some(change),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(Change::Missed),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                None
            }
        }
    }
}
