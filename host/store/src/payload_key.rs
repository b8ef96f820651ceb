//! The data keys that tenants' payloads are encrypted under. The store never has one in the clear.

use async_trait::async_trait;
use tenterhook_domain::{
    Result, TenantId,
    audit::Author,
    payload_key::{Encryption, SealedPayloadKey},
};

/// How a tenant's payloads are encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantEncryption {
    /// Whether they are.
    pub encryption: Encryption,
    /// Its keys, the newest first.
    pub keys: Vec<SealedPayloadKey>,
}

/// The data keys of tenants. Each change is written down in the audit log, and told as one of all plugins of the tenant.
///
/// # Errors
/// Every operation: `store-failed`. Of one tenant: `tenant-not-found` when it is not there.
#[async_trait]
pub trait PayloadKeys: Send + Sync + 'static {
    /// How the tenant's payloads are encrypted now.
    async fn encryption(&self, tenant: &TenantId) -> Result<TenantEncryption>;
    /// Has new payloads encrypted: under the newest key of the tenant, or under `first` where it has none.
    async fn encrypt(
        &self,
        tenant: &TenantId,
        first: &SealedPayloadKey,
        author: &Author,
        now_millis: u64,
    ) -> Result<TenantEncryption>;
    /// Has new payloads written as they are; the keys stay.
    async fn leave_plain(
        &self,
        tenant: &TenantId,
        author: &Author,
        now_millis: u64,
    ) -> Result<TenantEncryption>;
    /// Has new payloads encrypted under `newest`. `encryption-conflict` while they are not encrypted, or when the
    /// tenant has [`tenterhook_domain::payload_key::PAYLOAD_KEYS_MAX`] keys.
    async fn rotate(
        &self,
        tenant: &TenantId,
        newest: &SealedPayloadKey,
        author: &Author,
        now_millis: u64,
    ) -> Result<TenantEncryption>;
    /// Deletes all keys of the tenant, for good. Answers how many there were.
    async fn shred(&self, tenant: &TenantId, author: &Author, now_millis: u64) -> Result<u64>;
    /// Keys of all tenants that are under the operator's key `key`, `limit` at most.
    async fn payload_keys_under(
        &self,
        key: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, SealedPayloadKey)>>;
    /// How many are not under it.
    async fn payload_keys_not_under(&self, key: &str) -> Result<u64>;
    /// Puts `to` in place of `from` and notes it in the audit log; false when it is `from` no more.
    async fn reseal_payload_key(
        &self,
        tenant: &TenantId,
        from: &SealedPayloadKey,
        to: &SealedPayloadKey,
        author: &Author,
        now_millis: u64,
    ) -> Result<bool>;
}
