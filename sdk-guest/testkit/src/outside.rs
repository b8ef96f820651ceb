//! What activities that run for real find outside: state in memory, and secrets that a test gave.
//!
//! One sandbox serves all tests of a process, so each kit has a place of its own here, by a scope that no guest sees.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope, secret::SecretValue, secret_key::SecretPlace,
};
use tenterhook_sandbox::{KeyPage, KeyRoom, KeySwap, KeyValue, Secrets};

type Key = (String, String, String, String);

/// All kits' state and secrets.
#[derive(Default)]
pub(crate) struct Outsides {
    values: Mutex<BTreeMap<Key, Vec<u8>>>,
    secrets: Mutex<BTreeMap<(String, String, String), String>>,
}

impl Outsides {
    fn values(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<u8>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<(String, String, String), String>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a plugin of `scope` a secret.
    pub(crate) fn give(&self, scope: &Scope, plugin: &PluginName, name: &str, value: &str) {
        let key = (scope.to_string(), plugin.to_string(), name.to_owned());
        self.secrets().insert(key, value.to_owned());
    }

    /// Forgets all of `scope`.
    pub(crate) fn forget(&self, scope: &Scope) {
        let scope = scope.to_string();
        self.values().retain(|(of, ..), _| *of != scope);
        self.secrets().retain(|(of, ..), _| *of != scope);
    }
}

fn key(scope: &Scope, plugin: &PluginName, bucket: &str, key: &str) -> Key {
    (
        scope.to_string(),
        plugin.to_string(),
        bucket.to_owned(),
        key.to_owned(),
    )
}

#[async_trait::async_trait]
impl KeyValue for Outsides {
    async fn get(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        Ok(self
            .values()
            .get(&key(scope, plugin, bucket, name))
            .cloned())
    }

    async fn set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        name: &str,
        value: Vec<u8>,
        _room: KeyRoom,
    ) -> Result<()> {
        self.values()
            .insert(key(scope, plugin, bucket, name), value);
        Ok(())
    }

    async fn compare_and_set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        name: &str,
        swap: KeySwap,
        _room: KeyRoom,
    ) -> Result<bool> {
        let mut values = self.values();
        let key = key(scope, plugin, bucket, name);
        if values.get(&key) != swap.expected.as_ref() {
            return Ok(false);
        }
        match swap.new {
            Some(new) => drop(values.insert(key, new)),
            None => drop(values.remove(&key)),
        }
        Ok(true)
    }

    async fn delete(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        name: &str,
    ) -> Result<()> {
        self.values().remove(&key(scope, plugin, bucket, name));
        Ok(())
    }

    async fn exists(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        name: &str,
    ) -> Result<bool> {
        Ok(self
            .values()
            .contains_key(&key(scope, plugin, bucket, name)))
    }

    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<KeyPage> {
        let first = usize::try_from(cursor).unwrap_or(usize::MAX);
        let (scope, plugin) = (scope.to_string(), plugin.to_string());
        let values = self.values();
        let all: Vec<&String> = values
            .keys()
            .filter(|(of, owner, within, _)| *of == scope && *owner == plugin && within == bucket)
            .map(|(.., name)| name)
            .collect();
        let page = all.iter().skip(first).take(limit);
        let keys: Vec<String> = page.map(|name| (*name).clone()).collect();
        let next = first.saturating_add(keys.len());
        Ok(KeyPage {
            cursor: (next < all.len()).then_some(next as u64),
            keys,
        })
    }

    async fn increment(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        name: &str,
        delta: u64,
        _room: KeyRoom,
    ) -> Result<u64> {
        let mut values = self.values();
        let value = values.entry(key(scope, plugin, bucket, name)).or_default();
        let invalid = || {
            Error::new(
                Code::RequestInvalid,
                format!("the value at {name:?} is no number, or the sum is too large"),
            )
        };
        let before = match std::str::from_utf8(value) {
            Ok("") => 0,
            Ok(digits) => digits.parse::<u64>().map_err(|_| invalid())?,
            Err(_) => return Err(invalid()),
        };
        let sum = before.checked_add(delta).ok_or_else(invalid)?;
        *value = sum.to_string().into_bytes();
        Ok(sum)
    }
}

#[async_trait::async_trait]
impl Secrets for Outsides {
    async fn reveal(&self, place: &SecretPlace) -> Result<Option<SecretValue>> {
        let key = (
            place.scope.to_string(),
            place.plugin.to_string(),
            place.name.to_string(),
        );
        let value = self.secrets().get(&key).cloned();
        value.map(SecretValue::new).transpose()
    }
}
