//! The plugins' key-value state: what the sandbox asks for, kept by the store.

use std::sync::Arc;

use async_trait::async_trait;
use tenterhook_domain::{Code, Error, PluginName, Result, Scope};
use tenterhook_sandbox::{KeyPage, KeyRoom, KeySwap, KeyValue};
use tenterhook_store::{Bucket, Cursor, KeyValueState, StateRoom};

/// The store behind `wasi:keyvalue`.
pub(super) struct StoredKeyValue {
    state: Arc<dyn KeyValueState>,
}

impl StoredKeyValue {
    pub(super) fn new(state: Arc<dyn KeyValueState>) -> Self {
        Self { state }
    }
}

fn bucket<'a>(scope: &'a Scope, plugin: &'a PluginName, name: &'a str) -> Bucket<'a> {
    Bucket {
        scope,
        plugin,
        name,
    }
}

fn room(room: KeyRoom) -> StateRoom {
    StateRoom {
        keys: room.keys,
        bytes: room.bytes,
    }
}

#[async_trait]
impl KeyValue for StoredKeyValue {
    async fn get(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>> {
        let value = self.state.get(bucket(scope, plugin, name), key).await?;
        Ok(value.map(Into::into))
    }

    async fn set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        key: &str,
        value: Vec<u8>,
        within: KeyRoom,
    ) -> Result<()> {
        self.state
            .set(bucket(scope, plugin, name), key, value.into(), room(within))
            .await
    }

    async fn delete(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        key: &str,
    ) -> Result<()> {
        self.state
            .delete(bucket(scope, plugin, name), key)
            .await
            .map(|_| ())
    }

    async fn exists(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        key: &str,
    ) -> Result<bool> {
        self.state.exists(bucket(scope, plugin, name), key).await
    }

    /// The interface's cursor is a number and the store's a key, so the number counts the keys passed.
    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<KeyPage> {
        let (mut passed, mut after): (u64, Option<String>) = (0, None);
        while passed < cursor {
            let step = usize::try_from(cursor - passed).unwrap_or(usize::MAX);
            let page = Cursor {
                after: after.as_deref(),
                limit: step,
            };
            let page = self.state.list(bucket(scope, plugin, name), page).await?;
            passed += page.items.len() as u64;
            match page.next {
                Some(next) => after = Some(next),
                None if passed < cursor || page.items.is_empty() => return Ok(KeyPage::default()),
                None => after = page.items.last().cloned(),
            }
        }
        let page = Cursor {
            after: after.as_deref(),
            limit,
        };
        let page = self.state.list(bucket(scope, plugin, name), page).await?;
        let next = page.next.map(|_| cursor + page.items.len() as u64);
        Ok(KeyPage {
            keys: page.items,
            cursor: next,
        })
    }

    async fn increment(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        key: &str,
        delta: u64,
        within: KeyRoom,
    ) -> Result<u64> {
        let delta = i64::try_from(delta).map_err(|_| {
            Error::new(
                Code::RequestInvalid,
                format!("{delta} is too large to add to a counter"),
            )
        })?;
        let sum = self
            .state
            .increment(bucket(scope, plugin, name), key, delta, room(within))
            .await?;
        u64::try_from(sum).map_err(|_| {
            Error::new(
                Code::RequestInvalid,
                format!("the counter {key:?} is below zero"),
            )
        })
    }

    async fn compare_and_set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        name: &str,
        key: &str,
        swap: KeySwap,
        within: KeyRoom,
    ) -> Result<bool> {
        let KeySwap { expected, new } = swap;
        let (bucket, new) = (bucket(scope, plugin, name), new.map(Into::into));
        self.state
            .compare_and_set(bucket, key, expected.as_deref(), new, room(within))
            .await
    }
}
