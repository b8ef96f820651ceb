//! `wasi:config`: the plugin's configuration as it was when the attempt began, and of it the keys it asked for.

use std::{collections::BTreeMap, sync::Arc};

use tenterhook_domain::component::WantedGrants;
use wasmtime::component::{HasSelf, Linker};

use super::{Capability, Shared, SharedLog};
use crate::{
    activity::{ActivityAccess, ActivityState},
    generated::activity::wasi::config::store,
    owner::Owner,
};

/// The configuration of one attempt.
pub(crate) struct Config {
    owner: Arc<Owner>,
    wants: Arc<WantedGrants>,
    granted: bool,
    values: Arc<BTreeMap<String, String>>,
}

impl Config {
    fn check_granted(&self) -> Result<(), store::Error> {
        if self.granted {
            return Ok(());
        }
        Err(store::Error::Upstream(format!(
            "plugin {} of {} may not read its configuration: an operator grants it with config = true",
            self.owner.plugin, self.owner.scope
        )))
    }

    fn get(&self, key: &str) -> Result<Option<String>, store::Error> {
        self.check_granted()?;
        if !self.wants(key) {
            return Err(store::Error::Upstream(format!(
                "the plugin's metadata does not ask for the configuration key {key:?}: add it to wants.config"
            )));
        }
        Ok(self.values.get(key).cloned())
    }

    fn all(&self) -> Result<Vec<(String, String)>, store::Error> {
        self.check_granted()?;
        Ok(self
            .values
            .iter()
            .filter(|(key, _)| self.wants(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn wants(&self, key: &str) -> bool {
        self.wants.config.iter().any(|wanted| wanted == key)
    }
}

impl Capability for Config {
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
        store::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)
    }

    fn instance_state(access: &ActivityAccess, _: &Arc<Shared>, _: &SharedLog) -> Self {
        Self {
            owner: access.owner.clone(),
            wants: access.wants.clone(),
            granted: access.grants.config,
            values: access.config.clone(),
        }
    }
}

impl store::Host for ActivityState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        Ok(self.capabilities.config.get(&key))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        Ok(self.capabilities.config.all())
    }
}
