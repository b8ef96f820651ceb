//! What all instances of the host may hold together, so that the machine never runs out of memory.
//!
//! Each instance counts its linear memory here as it grows. What would go over the budget is refused, which fails that one
//! task or attempt. Before that is needed memory is short: whoever polls for new work stops, and whoever keeps runs
//! between their tasks lets go of some, until there is room again.

use std::sync::Arc;

use tenterhook_domain::memory::{InstanceMemory, MemoryReading};
use tokio::sync::watch;

/// Memory is short above this many eighths of the budget. The rest is for what was polled for before.
const SHORT_EIGHTHS: u64 = 7;
/// What an attempt counts for before it has taken more, in bytes: somewhat more than a small one takes.
const ATTEMPT_BYTES: u64 = 4 * 1024 * 1024;
/// However small the budget is, so many attempts fit.
const ATTEMPTS_MIN: u64 = 16;
/// It stays so until no more than this many eighths are held; runs are let go of down to there.
const ROOMY_EIGHTHS: u64 = 6;

/// The linear memory of all instances.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes: u64,
    /// Told of whenever memory becomes short or is no more, and of all that is taken meanwhile.
    held: watch::Sender<Held>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Held {
    bytes: u64,
    most: u64,
    is_short: bool,
}

impl MemoryBudget {
    /// So many bytes, of which nothing is held.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            held: watch::Sender::default(),
        })
    }

    fn eighths(&self, number: u64) -> u64 {
        self.bytes / 8 * number
    }

    /// Takes so many bytes more; false, and takes none, where that would go over the budget.
    fn take(&self, more: u64) -> bool {
        let mut taken = false;
        self.held.send_if_modified(|held| {
            let wanted = held.bytes.saturating_add(more);
            taken = wanted <= self.bytes;
            if taken {
                held.bytes = wanted;
                held.most = held.most.max(wanted);
            }
            // What is refused is short of memory too, where somebody is there to give some back.
            let is_short = wanted > self.eighths(SHORT_EIGHTHS);
            held.is_short |= is_short && held.bytes > self.eighths(ROOMY_EIGHTHS);
            held.is_short
        });
        taken
    }

    /// Waits until memory is not short, and holds what an attempt counts for at least: of those that begin together, no
    /// more do than there is room for, though none has taken anything yet.
    pub(crate) async fn admit(self: &Arc<Self>) -> MemoryHold {
        let bytes = ATTEMPT_BYTES.min(self.bytes / ATTEMPTS_MIN);
        loop {
            self.roomy().await;
            if let Some(hold) = self.hold(bytes) {
                return hold;
            }
        }
    }

    /// Holds so many bytes until what is answered is dropped; nothing where that would go over the budget.
    pub fn hold(self: &Arc<Self>, bytes: u64) -> Option<MemoryHold> {
        self.take(bytes).then(|| MemoryHold {
            budget: self.clone(),
            bytes,
        })
    }

    /// Holds nothing yet.
    pub(crate) fn nothing(self: &Arc<Self>) -> MemoryHold {
        MemoryHold {
            budget: self.clone(),
            bytes: 0,
        }
    }

    fn give_back(&self, bytes: u64) {
        self.held.send_if_modified(|held| {
            held.bytes = held.bytes.saturating_sub(bytes);
            let was_short = held.is_short;
            held.is_short &= held.bytes > self.eighths(ROOMY_EIGHTHS);
            was_short != held.is_short
        });
    }

    /// True while no new work should be taken on.
    pub fn is_short(&self) -> bool {
        self.held.borrow().is_short
    }

    /// Bytes that are held above what leaves room enough.
    pub fn excess(&self) -> u64 {
        let held = self.held.borrow().bytes;
        held.saturating_sub(self.eighths(ROOMY_EIGHTHS))
    }

    /// Resolves at once, or when memory is short no more.
    pub async fn roomy(&self) {
        // The sender is ours, so it is there.
        let _ = self.held.subscribe().wait_for(|held| !held.is_short).await;
    }

    /// To hear when memory becomes short, when it is no more, and of what is taken while it is.
    pub fn watch(&self) -> MemoryWatch {
        MemoryWatch(self.held.subscribe())
    }
}

impl InstanceMemory for MemoryBudget {
    fn reading(&self) -> MemoryReading {
        let held = *self.held.borrow();
        MemoryReading {
            bytes: held.bytes,
            most_bytes: held.most,
            budget_bytes: self.bytes,
            is_short: held.is_short,
        }
    }
}

/// Memory that is held. Dropping it gives it back.
#[derive(Debug)]
pub struct MemoryHold {
    budget: Arc<MemoryBudget>,
    bytes: u64,
}

impl MemoryHold {
    /// Makes sure that no less than `bytes` are held; false where that would go over the budget.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let held = more == 0 || self.budget.take(more);
        if held {
            self.bytes += more;
        }
        held
    }
}

impl Drop for MemoryHold {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// Hears of memory.
#[derive(Debug)]
pub struct MemoryWatch(watch::Receiver<Held>);

impl MemoryWatch {
    /// Resolves with whether memory is short when there is something to hear; nothing once there never will be.
    pub async fn next(&mut self) -> Option<bool> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().is_short)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_short_before_it_is_used_up_and_until_there_is_room() {
        let memory = MemoryBudget::new(800);
        let mut watch = memory.watch();
        assert!(memory.take(700));
        assert!(!memory.is_short());
        assert!(watch.next().now_or_never().is_none(), "nothing to hear");
        assert!(memory.take(1));
        assert!(memory.is_short());
        assert_eq!(watch.next().now_or_never(), Some(Some(true)));
        assert!(memory.roomy().now_or_never().is_none());
        assert_eq!(memory.excess(), 101);
        memory.give_back(100);
        assert!(memory.is_short(), "not yet");
        memory.give_back(1);
        assert_eq!(watch.next().now_or_never(), Some(Some(false)));
        assert!(memory.roomy().now_or_never().is_some());
    }

    #[test]
    fn what_goes_over_the_budget_is_not_taken() {
        let memory = MemoryBudget::new(800);
        assert!(!memory.take(801));
        assert!(!memory.is_short(), "nobody could give any back");
        assert!(memory.take(650));
        assert!(!memory.take(151));
        assert!(memory.is_short());
        let reading = memory.reading();
        assert_eq!((reading.bytes, reading.most_bytes), (650, 650));
    }

    proptest! {
        /// However it is taken and given back, no more is held than may be, and it never stays short of nothing.
        #[test]
        fn no_more_is_held_than_may_be(steps in prop::collection::vec((any::<bool>(), 1_u64..400), 1..200)) {
            let memory = MemoryBudget::new(1_000);
            let mut held = Vec::new();
            for (takes, bytes) in steps {
                if takes && memory.take(bytes) {
                    held.push(bytes);
                } else if let Some(bytes) = held.pop() {
                    memory.give_back(bytes);
                }
                let reading = memory.reading();
                prop_assert_eq!(reading.bytes, held.iter().sum::<u64>());
                prop_assert!(reading.most_bytes <= 1_000);
                prop_assert!(!reading.is_short || reading.bytes > 750);
            }
        }
    }
}
