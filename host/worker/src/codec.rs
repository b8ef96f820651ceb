//! Encryption of what Temporal stores of a tenant: payloads are sealed on the way out and opened on the way in.
//!
//! One visitor, Core's own over every message, finds the payloads (`crossing`); the words of failures are made payloads
//! first (`words`). Where something crosses between Temporal and the host, it takes the tenant's [`PayloadRing`] from
//! here. Search attributes are left alone, for the server compares them, and so is the context header, which says whose
//! keys are needed.

mod crossing;
mod words;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use temporalio_protos::temporal::api::common::v1::Payload;
use tenterhook_domain::{
    Result, TenantId,
    payload_key::{PayloadCodec, PayloadRing, RemotePayload},
    secret_key::SecretKeyring,
};
use tenterhook_store::{Change, ChangeListener, Store, TenantEncryption};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    crossing::{open, open_activation, open_what_opens, seal, seal_completion, seal_result},
    words::{Words, restore_all, words},
};

/// Tenants whose keys are remembered; one over it forgets all, which costs one read each.
const RINGS_MAX: usize = 10_000;

struct Remembered {
    /// False beside what may have changed since it was read: it serves only while the store does not answer.
    rings: HashMap<TenantId, (Arc<PayloadRing>, bool)>,
    changes: ChangeListener,
}

/// The keys of all tenants, as the host needs them.
pub struct Codec {
    store: Store,
    keyring: Arc<dyn SecretKeyring>,
    remembered: Mutex<Remembered>,
}

impl Codec {
    /// The keys in `store`, which are under those of `keyring`.
    pub fn new(store: Store, keyring: Arc<dyn SecretKeyring>) -> Self {
        let remembered = Mutex::new(Remembered {
            rings: HashMap::new(),
            changes: store.changes.subscribe(),
        });
        Self {
            store,
            keyring,
            remembered,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of `tenant`, as of the last answered change.
    ///
    /// # Errors
    /// `secret-key-missing` when they are under a key that this host does not have; `store-failed`.
    pub(crate) async fn ring(&self, tenant: &TenantId) -> Result<Arc<PayloadRing>> {
        if let Some(ring) = self.recall(tenant) {
            return Ok(ring);
        }
        let ring = match self.read(tenant).await {
            Err(error) if error.code().is_of_store() => {
                // Cut off from the store the host goes on with what it knows.
                return self.last_known(tenant).ok_or(error);
            }
            read => Arc::new(read?),
        };
        let mut remembered = self.lock();
        // A change that came in while the store was read could make this one stale: read it again next time.
        if !forget_changed(&mut remembered) {
            if remembered.rings.len() >= RINGS_MAX {
                remembered.rings.clear();
            }
            let rings = &mut remembered.rings;
            rings.insert(tenant.clone(), (ring.clone(), true));
        }
        Ok(ring)
    }

    /// The same without asking the store: none where something changed.
    pub(crate) fn recall(&self, tenant: &TenantId) -> Option<Arc<PayloadRing>> {
        let mut remembered = self.lock();
        forget_changed(&mut remembered);
        let (ring, fresh) = remembered.rings.get(tenant)?;
        fresh.then(|| ring.clone())
    }

    fn last_known(&self, tenant: &TenantId) -> Option<Arc<PayloadRing>> {
        let remembered = self.lock();
        remembered.rings.get(tenant).map(|(ring, _)| ring.clone())
    }

    /// Reads anew what others change of tenants that have keys, until `stop`: so a key that was deleted leaves this host
    /// also where nobody asks for it again.
    pub async fn follow_changes(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.store.changes.subscribe();
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                () = stop.cancelled() => return,
            };
            // Without a store there is nothing to hear any more.
            let Some(change) = change else { return };
            for tenant in self.tenants_with_keys(&change) {
                if self.ring(&tenant).await.is_ok_and(|ring| !ring.has_keys()) {
                    tracing::info!(%tenant, "the payload keys of a tenant were deleted, and are forgotten here");
                }
            }
        }
    }

    /// Tenants that `change` may be of, and whose keys are remembered.
    fn tenants_with_keys(&self, change: &Change) -> Vec<TenantId> {
        let remembered = self.lock();
        let with_keys = remembered.rings.values().map(|(ring, _)| ring);
        let with_keys = with_keys.filter(|ring| ring.has_keys());
        let tenants = with_keys.map(|ring| ring.tenant());
        let changed = tenants.filter(|tenant| match change {
            Change::Plugin(scope, _) => scope.tenant == **tenant,
            Change::Missed => true,
        });
        changed.cloned().collect()
    }

    async fn read(&self, tenant: &TenantId) -> Result<PayloadRing> {
        let TenantEncryption { encryption, keys } =
            self.store.payload_keys.encryption(tenant).await?;
        let opened = keys.iter().map(|key| {
            let keys = self.keyring.holding(&key.under)?;
            keys.open_payload_key(tenant, key)
        });
        let opened = opened.collect::<Result<Vec<_>>>()?;
        Ok(PayloadRing::new(tenant.clone(), encryption, opened))
    }
}

/// Marks what is remembered of tenants that changed. True if there was a change.
fn forget_changed(remembered: &mut Remembered) -> bool {
    let mut changed = false;
    while let Some(change) = remembered.changes.try_next() {
        changed = true;
        match change {
            Change::Plugin(scope, _) => {
                if let Some((_, fresh)) = remembered.rings.get_mut(&scope.tenant) {
                    *fresh = false;
                }
            }
            Change::Missed => {
                for (_, fresh) in remembered.rings.values_mut() {
                    *fresh = false;
                }
            }
        }
    }
    changed
}

#[async_trait]
impl PayloadCodec for Codec {
    async fn encode(
        &self,
        tenant: &TenantId,
        payloads: Vec<RemotePayload>,
    ) -> Result<Vec<RemotePayload>> {
        let ring = self.read(tenant).await?;
        each(payloads, |payload| seal(&ring, payload))
    }

    async fn decode(
        &self,
        tenant: &TenantId,
        payloads: Vec<RemotePayload>,
    ) -> Result<Vec<RemotePayload>> {
        let ring = self.read(tenant).await?;
        each(payloads, |payload| open(&ring, payload))
    }
}

fn each(
    payloads: Vec<RemotePayload>,
    act: impl Fn(&mut Payload) -> Result<()>,
) -> Result<Vec<RemotePayload>> {
    let one = |remote: RemotePayload| {
        let mut payload = Payload {
            metadata: remote.metadata.into_iter().collect(),
            data: remote.data,
            ..Default::default()
        };
        act(&mut payload)?;
        Ok(RemotePayload {
            metadata: payload.metadata.into_iter().collect(),
            data: payload.data,
        })
    };
    payloads.into_iter().map(one).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
