//! How a tenant's payloads are encrypted: on, off, another key, and no key any more.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    Code, Result, audit::Author, payload_key::Encryption, secret_key::SecretKeys,
};
use tenterhook_store::TenantEncryption;
use utoipa::ToSchema;

use crate::{
    Api,
    guard::Caller,
    problem::Answer,
    request::{AtTenant, Json},
};

/// How the payloads of a tenant are encrypted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EncryptionStatus {
    /// Whether new payloads are.
    payloads: Encryption,
    /// The tenant's keys, the newest first: it encrypts, all decrypt.
    keys: Vec<PayloadKeyEntry>,
}

/// A data key of a tenant, without the key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PayloadKeyEntry {
    /// What it is called in the payloads.
    id: String,
    /// Id of the host's key that it is encrypted under.
    key: String,
    /// When it was made, milliseconds since the Unix epoch.
    made_at: u64,
}

/// Whether new payloads are to be encrypted.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionWanted {
    /// Under the tenant's newest key, or not at all.
    payloads: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = EncryptionSwitch)]
enum Wanted {
    Off,
    On,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shredded {
    /// How many keys there were.
    deleted: u64,
}

fn status(found: TenantEncryption) -> JsonBody<EncryptionStatus> {
    let entry = |key: tenterhook_domain::payload_key::SealedPayloadKey| PayloadKeyEntry {
        id: key.id,
        key: key.under,
        made_at: key.made_at,
    };
    JsonBody(EncryptionStatus {
        payloads: found.encryption,
        keys: found.keys.into_iter().map(entry).collect(),
    })
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    at: AtTenant,
) -> Answer<JsonBody<EncryptionStatus>> {
    let keys = &api.state.store.payload_keys;
    Ok(status(keys.encryption(&at.tenant).await?))
}

/// Other hosts hear of it within a second; until then they write as before.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<EncryptionWanted>,
) -> Answer<JsonBody<EncryptionStatus>> {
    let (keys, tenant) = (&api.state.store.payload_keys, &at.tenant);
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let set = match wanted.payloads {
        Wanted::Off => keys.leave_plain(tenant, &author, now).await?,
        Wanted::On => {
            let first = api.state.secret_keys.now()?.new_payload_key(tenant, now)?;
            keys.encrypt(tenant, &first, &author, now).await?
        }
    };
    tracing::info!(%tenant, payloads = set.encryption.as_str(), by = caller.token, "the encryption of payloads was set");
    Ok(status(set))
}

pub(crate) async fn rotate(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
) -> Answer<JsonBody<EncryptionStatus>> {
    let (keys, tenant) = (&api.state.store.payload_keys, &at.tenant);
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let newest = api.state.secret_keys.now()?.new_payload_key(tenant, now)?;
    let rotated = keys.rotate(tenant, &newest, &author, now).await?;
    tracing::info!(%tenant, key = newest.id, by = caller.token, "payloads are encrypted under another key");
    Ok(status(rotated))
}

pub(crate) async fn shred(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
) -> Answer<JsonBody<Shredded>> {
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let keys = &api.state.store.payload_keys;
    let deleted = keys.shred(&at.tenant, &author, now).await?;
    tracing::warn!(
        tenant = %at.tenant, deleted, by = caller.token, "the payload keys of a tenant were deleted: it is shredded"
    );
    Ok(JsonBody(Shredded { deleted }))
}

/// Seals data keys anew that are under the key `old`, `most` of them; says how many. One that cannot be read is left.
pub(super) async fn reseal_from(
    api: &Api,
    keys: &SecretKeys,
    old: &str,
    most: usize,
    author: &Author,
) -> Result<usize> {
    let stored = &api.state.store.payload_keys;
    let mut resealed = 0;
    for (tenant, key) in stored.payload_keys_under(old, most).await? {
        let anew = match keys.reseal_payload_key(&tenant, &key) {
            Err(error) if error.code() == Code::PayloadUnreadable => {
                tracing::warn!(code = %error.code(), "{}", error.detail());
                continue;
            }
            anew => anew?,
        };
        let now = api.state.clock.now_millis();
        let done = stored.reseal_payload_key(&tenant, &key, &anew, author, now);
        resealed += usize::from(done.await?);
    }
    Ok(resealed)
}
