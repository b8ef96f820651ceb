//! Encryption of what Temporal stores of a tenant: payloads are sealed on the way out and opened on the way in.
//!
//! One visitor, Core's own over every message, finds the payloads (`crossing`); the words of failures are made payloads
//! first (`words`). Where something crosses between Temporal and the host, it takes the tenant's [`PayloadRing`] from
//! here. Search attributes are left alone, for the server compares them, and so is the context header, which says whose
//! keys are needed.

mod crossing;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use temporalio_protos::temporal::api::common::v1::Payload;
use tenterhook_domain::{
    Result, TenantId,
    payload_key::{PayloadCodec, PayloadRing, RemotePayload},
    secret_key::SecretKeyring,
};
use tenterhook_store::{Change, Store, TenantEncryption};
use tokio_util::sync::CancellationToken;

use crate::known::Known;

pub(crate) use self::{
    crossing::{open, open_activation, open_what_opens, seal, seal_completion, seal_result},
    words::{Words, restore_all, words},
};

/// The keys of all tenants, as the host needs them.
pub struct Codec {
    store: Store,
    keyring: Arc<dyn SecretKeyring>,
    rings: Known<TenantId, Arc<PayloadRing>>,
}

impl Codec {
    /// The keys in `store`, which are under those of `keyring`.
    pub fn new(store: Store, keyring: Arc<dyn SecretKeyring>) -> Self {
        let rings = Known::new(store.changes.subscribe(), |scope, _| scope.tenant);
        Self {
            store,
            keyring,
            rings,
        }
    }

    /// The keys of `tenant`, as of the last answered change.
    ///
    /// # Errors
    /// `secret-key-missing` when they are under a key that this host does not have; `store-failed`.
    pub(crate) async fn ring(&self, tenant: &TenantId) -> Result<Arc<PayloadRing>> {
        if let Some(ring) = self.recall(tenant) {
            return Ok(ring);
        }
        let asked = self.rings.asks();
        let ring = match self.read(tenant).await {
            Err(error) if error.code().is_of_store() => {
                // Cut off from the store the host goes on with what it knows.
                return self.rings.last(tenant).ok_or(error);
            }
            read => Arc::new(read?),
        };
        self.rings.learn(asked, tenant.clone(), ring.clone());
        Ok(ring)
    }

    /// The same without asking the store: none where something changed.
    pub(crate) fn recall(&self, tenant: &TenantId) -> Option<Arc<PayloadRing>> {
        self.rings.recall(tenant)
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
        let rings = self.rings.all().into_iter();
        let with_keys = rings.filter(|ring| ring.has_keys());
        let tenants = with_keys.map(|ring| ring.tenant().clone());
        let changed = tenants.filter(|tenant| match change {
            Change::Plugin(scope, _) => scope.tenant == *tenant,
            Change::Missed => true,
        });
        changed.collect()
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
