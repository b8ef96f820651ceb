//! Plugins of a scope: what they may do, how they are configured, which release is current.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    audit::Author,
    execution::Page,
    grant::Grants,
    limit::{LimitOverrides, LimitPolicy, Limits, effective},
    policy::ReleasePolicy,
    rollout::Line,
};

use crate::Cursor;

/// Most keys of one plugin's configuration.
pub const CONFIG_KEYS_MAX: usize = 256;
/// Longest key, in characters.
pub const CONFIG_KEY_CHARS_MAX: usize = 128;
/// Longest value, in bytes.
pub const CONFIG_VALUE_BYTES_MAX: usize = 64 * 1024;
/// All keys and values of one plugin together, in bytes: the snapshot of a plugin is read as a whole.
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;

/// A plugin's configuration.
pub type Config = BTreeMap<String, String>;

/// A plugin as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plugin {
    /// Its name.
    pub name: PluginName,
    /// The release that new executions start on; none before the first release.
    pub current: Option<Digest>,
}

/// All that is needed to run a plugin, as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginSnapshot {
    /// Which release new executions start on.
    pub line: Line,
    /// How its releases are handled.
    pub policy: ReleasePolicy,
    /// True from the first policy on that lets running executions move: some of them may have.
    pub moves: bool,
    /// What it may do.
    pub grants: Grants,
    /// What is set for the limits of all plugins of its tenant.
    pub tenant_limits: LimitPolicy,
    /// Its configuration.
    pub config: Config,
    /// The tenant's shares beside others.
    pub weight: u16,
    /// Grows with every change of the plugin.
    pub revision: u64,
}

impl PluginSnapshot {
    /// The limits in force on a host with the ceilings `host`.
    pub fn limits(&self, host: &LimitOverrides) -> Limits {
        effective(&self.grants.limits, &self.tenant_limits, host).0
    }

    /// The grants with the limits that the tenant's policy leaves of them: what releases are checked under, on
    /// whichever host.
    pub fn bounded_grants(&self) -> Grants {
        let nothing = LimitOverrides::default();
        let (_, table) = effective(&self.grants.limits, &self.tenant_limits, &nothing);
        let settable = table.iter().filter(|row| row.limit.is_settable());
        let limits = settable.map(|row| (row.limit.name.to_owned(), row.value));
        Grants {
            limits: LimitOverrides(limits.collect()),
            ..self.grants.clone()
        }
    }
}

/// One of the settings of a plugin.
#[derive(Debug, Clone, Copy)]
pub enum Setting<'a> {
    /// What it may do.
    Grants(&'a Grants),
    /// How it is configured.
    Config(&'a Config),
    /// How its releases are handled.
    Policy(&'a ReleasePolicy),
}

impl Setting<'_> {
    /// Holds it against its own rules.
    ///
    /// # Errors
    /// `grant-invalid`, `config-invalid` or `policy-invalid`.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Grants(grants) => grants.check(),
            Self::Config(config) => check_config(config),
            Self::Policy(policy) => policy.check(),
        }
    }
}

/// The refusal of a change to a plugin that is not at the revision that the caller expects.
pub(crate) fn outdated(scope: &Scope, plugin: &PluginName, at: u64, expected: u64) -> Error {
    Error::new(
        Code::PreconditionFailed,
        format!(
            "plugin {plugin} of {scope} is at revision {at}, not {expected}: read it again, and decide anew"
        ),
    )
}

/// The plugins of a scope. A plugin comes into being with its first release, or with grants or configuration
/// given ahead of it.
///
/// # Errors
/// Every operation: `store-failed`; `tenant-not-found` or `environment-not-found` when the scope is not
/// there; reads of one plugin `plugin-not-found`.
#[async_trait]
pub trait Plugins: Send + Sync + 'static {
    /// One plugin.
    async fn get(&self, scope: &Scope, plugin: &PluginName) -> Result<Plugin>;
    /// The scope's plugins by name.
    async fn list(&self, scope: &Scope, cursor: Cursor<'_>) -> Result<Page<Plugin>>;
    /// All that is needed to run it, in one read.
    async fn snapshot(&self, scope: &Scope, plugin: &PluginName) -> Result<PluginSnapshot>;
    /// Sets what it may do. `grant-invalid` when the grants break a rule.
    async fn put_grants(&self, scope: &Scope, plugin: &PluginName, grants: &Grants) -> Result<()>;
    /// Sets how its releases are handled. `policy-invalid` when it breaks a bound.
    async fn put_policy(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        policy: &ReleasePolicy,
        author: &Author,
        now_millis: u64,
    ) -> Result<()>;
    /// Sets its configuration as a whole. `config-invalid` when it breaks a bound.
    async fn put_config(&self, scope: &Scope, plugin: &PluginName, config: &Config) -> Result<()>;
    /// Sets one of these, where `expected` is given only if the plugin is at that revision: else
    /// `precondition-failed`. A store that can do both in one step does better than this, which leaves a moment between
    /// the look and the change.
    async fn put(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        setting: Setting<'_>,
        expected: Option<u64>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        if let Some(expected) = expected {
            let at = self.snapshot(scope, plugin).await?.revision;
            if at != expected {
                return Err(outdated(scope, plugin, at, expected));
            }
        }
        match setting {
            Setting::Grants(grants) => self.put_grants(scope, plugin, grants).await,
            Setting::Config(config) => self.put_config(scope, plugin, config).await,
            Setting::Policy(policy) => {
                self.put_policy(scope, plugin, policy, author, now_millis)
                    .await
            }
        }
    }
}

/// Checks a configuration against its bounds.
///
/// # Errors
/// `config-invalid`, naming the key.
pub fn check_config(config: &Config) -> Result<()> {
    let refused = |detail: String| Err(Error::new(Code::ConfigInvalid, detail));
    if config.len() > CONFIG_KEYS_MAX {
        return refused(format!(
            "the configuration has {} keys: {CONFIG_KEYS_MAX} at most",
            config.len()
        ));
    }
    for (key, value) in config {
        let chars = key.chars().count();
        if chars == 0 || chars > CONFIG_KEY_CHARS_MAX || key.chars().any(char::is_control) {
            let start: String = key.chars().take(64).collect();
            return refused(format!(
                "{start:?} is not a configuration key: use 1 to {CONFIG_KEY_CHARS_MAX} characters without control characters"
            ));
        }
        if value.len() > CONFIG_VALUE_BYTES_MAX {
            return refused(format!(
                "the value of configuration key {key:?} has {} bytes: {CONFIG_VALUE_BYTES_MAX} at most",
                value.len()
            ));
        }
    }
    let bytes: usize = config
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > CONFIG_BYTES_MAX {
        return refused(format!(
            "the configuration has {bytes} bytes: {CONFIG_BYTES_MAX} at most"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_keeps_its_bounds() {
        let with = |key: &str, value: &str| Config::from([(key.to_owned(), value.to_owned())]);
        assert!(check_config(&Config::new()).is_ok());
        assert!(check_config(&with("url", "http://127.0.0.1:1")).is_ok());
        assert!(check_config(&with(&"ä".repeat(CONFIG_KEY_CHARS_MAX), "")).is_ok());
        let many: Config = (0..=CONFIG_KEYS_MAX)
            .map(|n| (n.to_string(), String::new()))
            .collect();
        let large: Config = (0..17)
            .map(|n| (n.to_string(), "x".repeat(CONFIG_VALUE_BYTES_MAX)))
            .collect();
        let refused = [
            with("", ""),
            with(&"k".repeat(CONFIG_KEY_CHARS_MAX + 1), ""),
            with("a\nb", ""),
            with("k", &"x".repeat(CONFIG_VALUE_BYTES_MAX + 1)),
            many,
            large,
        ];
        for config in refused {
            assert_eq!(
                check_config(&config).map_err(|error| error.code()),
                Err(Code::ConfigInvalid)
            );
        }
    }
}
