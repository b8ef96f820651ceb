//! Loaded components by digest: each is loaded once, however many ask at the same time.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tenterhook_domain::Digest;
use tokio::sync::OnceCell;

use crate::component::LoadedComponent;

/// Most components kept in memory. What instances still run stays as long as they do.
const COMPONENTS_MAX: usize = 512;

type Slot = Arc<OnceCell<Arc<LoadedComponent>>>;

#[derive(Default)]
struct Entries {
    by_digest: HashMap<Digest, (Slot, u64)>,
    uses: u64,
}

/// The cache.
#[derive(Default)]
pub(crate) struct Cache {
    entries: Mutex<Entries>,
}

impl Cache {
    /// The component of `digest`, from `load` if nobody loaded it yet. Of several callers at once one loads and the
    /// others wait; if it fails or goes away, the next one tries.
    pub(crate) async fn get_or_load<F, E>(
        &self,
        digest: Digest,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<LoadedComponent>, E>
    where
        F: Future<Output = Result<Arc<LoadedComponent>, E>>,
    {
        let slot = self.slot(digest);
        slot.get_or_try_init(load).await.cloned()
    }

    /// What is kept.
    pub(crate) fn held(&self) -> Vec<Digest> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_digest.keys().copied().collect()
    }

    /// Lets go of a component.
    pub(crate) fn forget(&self, digest: &Digest) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_digest.remove(digest);
    }

    fn slot(&self, digest: Digest) -> Slot {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        if let Some((slot, used)) = entries.by_digest.get_mut(&digest) {
            *used = now;
            return slot.clone();
        }
        if entries.by_digest.len() >= COMPONENTS_MAX {
            let oldest = entries
                .by_digest
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(digest, _)| *digest);
            if let Some(oldest) = oldest {
                entries.by_digest.remove(&oldest);
            }
        }
        let slot = Slot::default();
        entries.by_digest.insert(digest, (slot.clone(), now));
        slot
    }
}
