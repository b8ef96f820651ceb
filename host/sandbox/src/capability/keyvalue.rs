//! `wasi:keyvalue`: state of the plugin's own, in buckets, under its scope and name; and `tenterhook:plugin/state`, which
//! adds to it what the draft has not.

mod backing;
mod swap;

use std::sync::Arc;

use tenterhook_domain::{Code, Error as DomainError, limit::Limits, tally::limit_in};
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

pub use self::backing::{KeyPage, KeyRoom, KeySwap, KeyValue};

/// Longest name of a bucket, in bytes.
const BUCKET_BYTES_MAX: usize = 63;
/// Most keys in one batch.
const BATCH_KEYS_MAX: usize = 100;
/// Most bytes that one batch brings: they are held by the host until the guest has them.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most keys in one page of a listing.
const PAGE_KEYS_MAX: usize = 1000;

/// An opened bucket. Public for the generated bindings; nothing names it outside.
#[allow(unreachable_pub, reason = "generated code re-exports it")]
pub struct Bucket {
    name: String,
}

/// The key-value state of one attempt.
pub(crate) struct KeyValues {
    owner: Arc<Owner>,
    granted: bool,
    limits: Arc<Limits>,
    shared: Arc<Shared>,
}

impl KeyValues {
    /// The store, for one operation.
    fn store(&self) -> Result<&dyn KeyValue, Error> {
        let limit = self.limits.keyvalue_per_second;
        match &self.shared.keyvalue {
            Some(_) if self.granted && !self.shared.keyvalue_rates.take(&self.owner, limit) => {
                Err(self.refused(&DomainError::new(Code::KeyvalueLimitExceeded, format!(
                    "the plugin asks for its state more often than it may on one host, its limit keyvalue_per_second \
                     is {limit}: ask less often, or have an operator raise keyvalue_per_second in the plugin's grants"
                ))))
            }
            Some(store) if self.granted => Ok(&**store),
            Some(_) => Err(Error::AccessDenied),
            None => Err(Error::Other("this host has no key-value store".to_owned())),
        }
    }

    fn check_key(&self, key: &str) -> Result<(), Error> {
        if key.is_empty() {
            return Err(Error::Other("a key has 1 byte at least".to_owned()));
        }
        let limit = self.limits.keyvalue_key_bytes;
        self.within("the key", key.len() as u64, "keyvalue_key_bytes", limit)
    }

    fn check_value(&self, value: &[u8]) -> Result<(), Error> {
        let limit = self.limits.keyvalue_value_bytes;
        self.within(
            "the value",
            value.len() as u64,
            "keyvalue_value_bytes",
            limit,
        )
    }

    /// Holds the size of `what` against a limit.
    fn within(&self, what: &str, bytes: u64, name: &str, limit: u64) -> Result<(), Error> {
        if bytes <= limit {
            return Ok(());
        }
        let detail = format!(
            "{what} has {bytes} bytes, its limit {name} is {limit}: make it smaller, or have an operator raise {name} in \
             the plugin's grants"
        );
        Err(self.refused(&DomainError::new(Code::KeyvalueLimitExceeded, detail)))
    }

    /// The guest is told the sentence, never what caused it; and the code of what it can do something about, which is
    /// counted.
    fn refused(&self, error: &DomainError) -> Error {
        let Owner { scope, plugin, .. } = &*self.owner;
        tracing::debug!(code = %error.code(), cause = error.source_text(), %scope, %plugin, "key-value state: {error}");
        let tally = &self.shared.tally;
        match error.code() {
            Code::KeyvalueLimitExceeded => {
                if let Some(limit) = limit_in(error.detail()) {
                    tally.limit_hit(&scope.tenant, plugin, limit);
                }
            }
            Code::QuotaExceeded => {
                if let Some((tenant, quota)) = error.quota() {
                    tally.quota_refused(tenant, quota);
                }
            }
            _ => return Error::Other(error.detail().to_owned()),
        }
        Error::Other(format!("{}: {}", error.code(), error.detail()))
    }

    fn room(&self) -> KeyRoom {
        KeyRoom {
            keys: self.limits.keyvalue_keys,
            bytes: self.limits.keyvalue_bytes,
        }
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .get(scope, plugin, bucket, key)
            .await
            .map_err(|error| self.refused(&error))
    }

    async fn set(&self, bucket: &str, key: &str, value: Vec<u8>) -> Result<(), Error> {
        self.check_key(key)?;
        self.check_value(&value)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .set(scope, plugin, bucket, key, value, self.room())
            .await
            .map_err(|error| self.refused(&error))
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .delete(scope, plugin, bucket, key)
            .await
            .map_err(|error| self.refused(&error))
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Error> {
        self.check_key(key)?;
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .exists(scope, plugin, bucket, key)
            .await
            .map_err(|error| self.refused(&error))
    }

    async fn list(&self, bucket: &str, cursor: Option<u64>) -> Result<KeyResponse, Error> {
        let Owner { scope, plugin, .. } = &*self.owner;
        let page = self
            .store()?
            .list(scope, plugin, bucket, cursor.unwrap_or(0), PAGE_KEYS_MAX)
            .await
            .map_err(|error| self.refused(&error))?;
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
            .increment(scope, plugin, bucket, key, delta, self.room())
            .await
            .map_err(|error| self.refused(&error))
    }
}

impl Capability for KeyValues {
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
        store::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)?;
        atomics::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)?;
        batch::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)?;
        swap::link(linker)
    }

    fn instance_state(access: &ActivityAccess, shared: &Arc<Shared>, _: &SharedLog) -> Self {
        Self {
            owner: access.owner.clone(),
            granted: access.grants.keyvalue && access.wants.keyvalue,
            limits: access.limits.clone(),
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
