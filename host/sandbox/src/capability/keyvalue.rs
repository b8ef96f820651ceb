//! `wasi:keyvalue`: state of the plugin's own, in buckets, under its scope and name.

use std::sync::Arc;

use tenterhook_domain::{Error as DomainError, PluginName, Result as DomainResult, Scope};
use wasmtime::component::{HasSelf, Linker, Resource};

use super::{Capability, Shared, SharedLog};
use crate::{
    activity::{ActivityAccess, ActivityState},
    generated::activity::wasi::keyvalue::{
        atomics, batch,
        store::{self, Error, KeyResponse},
    },
    owner::Owner,
};

/// Longest name of a bucket, in bytes.
const BUCKET_BYTES_MAX: usize = 63;
/// Most keys in one batch.
const BATCH_KEYS_MAX: usize = 100;
/// Most bytes that one batch brings: they are held by the host until the guest has them.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most keys in one page of a listing.
const PAGE_KEYS_MAX: usize = 1000;

/// One page of a bucket's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in the order of their bytes.
    pub keys: Vec<String>,
    /// Where the next page starts; `None` after the last one.
    pub cursor: Option<u64>,
}

/// What stands behind `wasi:keyvalue`. Every call names the scope, plugin and bucket that its keys belong to; keys of
/// different owners never meet. Sizes are checked before.
#[async_trait::async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The value of `key`.
    ///
    /// # Errors
    /// `store-failed`.
    async fn get(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
    ) -> DomainResult<Option<Vec<u8>>>;
    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// `store-failed`.
    async fn set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
        value: Vec<u8>,
    ) -> DomainResult<()>;
    /// Removes `key`; it is no error if it is not there.
    ///
    /// # Errors
    /// `store-failed`.
    async fn delete(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
    ) -> DomainResult<()>;
    /// True if `key` has a value.
    ///
    /// # Errors
    /// `store-failed`.
    async fn exists(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
    ) -> DomainResult<bool>;
    /// At most `limit` keys, from `cursor` (0: the first) on.
    ///
    /// # Errors
    /// `store-failed`.
    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        cursor: u64,
        limit: usize,
    ) -> DomainResult<KeyPage>;
    /// Adds `delta` to the number at `key` (0 if there is none), in one step, and answers the sum. The number is
    /// kept as its decimal digits.
    ///
    /// # Errors
    /// `store-failed`; `request-invalid` when the value at `key` is no number or the sum is too large.
    async fn increment(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
        delta: u64,
    ) -> DomainResult<u64>;
}

/// An opened bucket. Public for the generated bindings; nothing names it outside.
#[allow(unreachable_pub, reason = "generated code re-exports it")]
pub struct Bucket {
    name: String,
}

/// The key-value state of one attempt.
pub(crate) struct KeyValues {
    owner: Arc<Owner>,
    granted: bool,
    key_bytes_max: u64,
    value_bytes_max: u64,
    shared: Arc<Shared>,
}

impl KeyValues {
    fn store(&self) -> Result<&dyn KeyValue, Error> {
        match &self.shared.keyvalue {
            Some(store) if self.granted => Ok(&**store),
            Some(_) => Err(Error::AccessDenied),
            None => Err(Error::Other("this host has no key-value store".to_owned())),
        }
    }

    fn check_key(&self, key: &str) -> Result<(), Error> {
        let (bytes, limit) = (key.len() as u64, self.key_bytes_max);
        if bytes == 0 || bytes > limit {
            return Err(Error::Other(format!(
                "the key has {bytes} bytes: 1 to {limit} are allowed (limit keyvalue_key_bytes)"
            )));
        }
        Ok(())
    }

    fn check_value(&self, value: &[u8]) -> Result<(), Error> {
        let (bytes, limit) = (value.len() as u64, self.value_bytes_max);
        if bytes > limit {
            return Err(Error::Other(format!(
                "the value has {bytes} bytes, {limit} are allowed (limit keyvalue_value_bytes)"
            )));
        }
        Ok(())
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store.get(scope, plugin, bucket, key).await.map_err(failed)
    }

    async fn set(&self, bucket: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        self.check_key(key)?;
        self.check_value(&value)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .set(scope, plugin, bucket, key, value)
            .await
            .map_err(failed)
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .delete(scope, plugin, bucket, key)
            .await
            .map_err(failed)
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .exists(scope, plugin, bucket, key)
            .await
            .map_err(failed)
    }

    async fn list(&self, bucket: &str, cursor: Option<u64>) -> Result<KeyResponse, Error> {
        let Owner { scope, plugin, .. } = &*self.owner;
        let page = self
            .store()?
            .list(scope, plugin, bucket, cursor.unwrap_or(0), PAGE_KEYS_MAX)
            .await
            .map_err(failed)?;
        Ok(KeyResponse {
            keys: page.keys,
            cursor: page.cursor,
        })
    }

    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .increment(scope, plugin, bucket, key, delta)
            .await
            .map_err(failed)
    }
}

impl Capability for KeyValues {
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
        store::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)?;
        atomics::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)?;
        batch::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)
    }

    fn instance_state(access: &ActivityAccess, shared: &Arc<Shared>, _: &SharedLog) -> Self {
        Self {
            owner: access.owner.clone(),
            granted: access.grants.keyvalue && access.wants.keyvalue,
            key_bytes_max: access.limits.keyvalue_key_bytes,
            value_bytes_max: access.limits.keyvalue_value_bytes,
            shared: shared.clone(),
        }
    }
}

impl ActivityState {
    fn bucket(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<(&KeyValues, &str)> {
        let bucket = self.table.get(bucket)?;
        Ok((&self.capabilities.keyvalue, &bucket.name))
    }
}

impl store::Host for ActivityState {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        if let Err(error) = self.capabilities.keyvalue.store() {
            return Ok(Err(error));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if name.len() > BUCKET_BYTES_MAX || !name.bytes().all(plain) {
            return Ok(Err(Error::NoSuchStore));
        }
        Ok(Ok(self.table.push(Bucket { name })?))
    }
}

impl store::HostBucket for ActivityState {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        Ok(state.get(bucket, &key).await)
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        Ok(state.set(bucket, &key, value).await)
    }

    async fn delete(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        Ok(state.delete(bucket, &key).await)
    }

    async fn exists(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        Ok(state.exists(bucket, &key).await)
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<KeyResponse, Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        Ok(state.list(bucket, cursor).await)
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for ActivityState {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        Ok(state.increment(bucket, &key, delta).await)
    }
}

impl batch::Host for ActivityState {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>, Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        if let Err(error) = check_batch(keys.len()) {
            return Ok(Err(error));
        }
        let mut found = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        for key in keys {
            match state.get(bucket, &key).await {
                Ok(value) => {
                    bytes += value.as_ref().map_or(0, Vec::len);
                    if bytes > BATCH_BYTES_MAX {
                        return Ok(Err(Error::Other(format!(
                            "the values of one batch have more than {BATCH_BYTES_MAX} bytes: ask for fewer keys"
                        ))));
                    }
                    found.push(value.map(|value| (key, value)));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(found))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        values: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        if let Err(error) = check_batch(values.len()) {
            return Ok(Err(error));
        }
        for (key, value) in values {
            if let Err(error) = state.set(bucket, &key, value).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        if let Err(error) = check_batch(keys.len()) {
            return Ok(Err(error));
        }
        for key in keys {
            if let Err(error) = state.delete(bucket, &key).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

fn check_batch(keys: usize) -> Result<(), Error> {
    if keys > BATCH_KEYS_MAX {
        return Err(Error::Other(format!(
            "{keys} keys in one batch: {BATCH_KEYS_MAX} are allowed"
        )));
    }
    Ok(())
}

/// The guest is told the sentence, never what caused it.
#[allow(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn failed(error: DomainError) -> Error {
    tracing::warn!(code = %error.code(), %error, "key-value state");
    Error::Other(error.detail().to_owned())
}
