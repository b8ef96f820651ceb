//! What a kit was told before anything runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tenterhook_domain::{PluginName, Scope, TypeName, grant::Grants, limit::Limits};

use crate::{fault::Fault, mock::Mocks, plugin::Plugin, sweep::Seen};

/// When tests begin, since the Unix epoch: noon of 1 January 2026, UTC.
pub(crate) const BEGINS: Duration = Duration::from_secs(1_767_268_800);

/// All that executions of one kit share.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) plugin: Plugin,
    pub(crate) others: BTreeMap<PluginName, Plugin>,
    pub(crate) mocks: Mocks,
    pub(crate) child_mocks: Mocks,
    /// Types that run in the sandbox.
    pub(crate) real: BTreeSet<String>,
    pub(crate) all_real: bool,
    pub(crate) grants: Grants,
    pub(crate) config: BTreeMap<PluginName, Arc<BTreeMap<String, String>>>,
    /// Whom guests see.
    pub(crate) scope: Scope,
    /// Whom the sandbox sees: each kit's own.
    pub(crate) outside: Scope,
    pub(crate) limits: Arc<Limits>,
    pub(crate) begins: Duration,
    pub(crate) faults: Vec<Fault>,
    pub(crate) repeats: bool,
    pub(crate) execution_timeout: Option<Duration>,
    /// Where a sweep sees what was done.
    pub(crate) seen: Option<Seen>,
}

impl Setup {
    /// The plugin of this name, if the kit has it.
    pub(crate) fn plugin(&self, name: &PluginName) -> Option<&Plugin> {
        if self.plugin.plugin_name() == name {
            return Some(&self.plugin);
        }
        self.others.get(name)
    }

    /// The type that a test means by `name`: of the plugin under test, unless it says another.
    pub(crate) fn type_name(&self, name: &str) -> TypeName {
        TypeName::of_guest(self.plugin.plugin_name(), name)
            .unwrap_or_else(|error| panic!("{name:?} is no type: {error}"))
    }

    /// `name` as a test of this plugin says it.
    pub(crate) fn short<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.plugin.name())
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(name)
    }
}
