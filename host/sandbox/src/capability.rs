//! What activities reach the world by. Each capability is one file of the same shape: a [`Capability`] that is linked
//! once and has state for one attempt, made from what the plugin wants and the operator grants. All are
//! listed in [`Capabilities`].

pub(crate) mod config;
pub(crate) mod http;
pub(crate) mod keyvalue;
pub(crate) mod logging;
mod rate;

use std::sync::Arc;

use tenterhook_domain::{Result, tally::Tally};
use wasmtime::component::Linker;

use crate::activity::{ActivityAccess, ActivityState};
use crate::guest_log::GuestLog;
use crate::memory::MemoryBudget;

use self::{
    config::Config,
    http::{Breakers, Http, Outbound, Resolver, Secrets},
    keyvalue::{KeyValue, KeyValues},
    logging::Logging,
    rate::Rates,
};

/// A log that several capabilities write to.
pub(crate) type SharedLog = Arc<std::sync::Mutex<GuestLog>>;

/// One capability.
pub(crate) trait Capability: Sized {
    /// Defines its host functions. Once for all components.
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()>;

    /// Its state for one attempt. What is not both wanted and granted is refused when it is used, with a sentence
    /// that says so: a plugin may be able to do without.
    fn instance_state(access: &ActivityAccess, shared: &Arc<Shared>, log: &SharedLog) -> Self;
}

/// What the sandbox's configuration has for capabilities.
pub(crate) struct Means {
    pub(crate) keyvalue: Option<Arc<dyn KeyValue>>,
    pub(crate) secrets: Option<Arc<dyn Secrets>>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) connections: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) tally: Arc<dyn Tally>,
}

/// What all attempts of all tenants share. Nothing in here is one tenant's without being kept under its scope.
pub(crate) struct Shared {
    keyvalue: Option<Arc<dyn KeyValue>>,
    secrets: Option<Arc<dyn Secrets>>,
    outbound: Outbound,
    outbound_rates: Rates,
    keyvalue_rates: Rates,
    /// Where requests are not sent for a while.
    pub(crate) breakers: Arc<Breakers>,
    /// Where refusals are counted.
    pub(crate) tally: Arc<dyn Tally>,
    /// What all instances hold, workflows' too.
    pub(crate) memory: Arc<MemoryBudget>,
}

impl Shared {
    pub(crate) fn new(means: Means) -> Result<Self> {
        Ok(Self {
            keyvalue: means.keyvalue,
            secrets: means.secrets,
            outbound: Outbound::new(means.resolver, means.connections)?,
            outbound_rates: Rates::default(),
            keyvalue_rates: Rates::default(),
            breakers: Arc::default(),
            tally: means.tally,
            memory: MemoryBudget::new(means.memory_bytes),
        })
    }
}

/// Every capability there is.
pub(crate) struct Capabilities {
    pub(crate) http: Http,
    pub(crate) keyvalue: KeyValues,
    pub(crate) config: Config,
    pub(crate) logging: Logging,
}

impl Capabilities {
    pub(crate) fn new(access: &ActivityAccess, shared: &Arc<Shared>, log: &SharedLog) -> Self {
        Self {
            http: Http::instance_state(access, shared, log),
            keyvalue: KeyValues::instance_state(access, shared, log),
            config: Config::instance_state(access, shared, log),
            logging: Logging::instance_state(access, shared, log),
        }
    }
}

/// Links every capability.
pub(crate) fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    Http::link(linker)?;
    KeyValues::link(linker)?;
    Config::link(linker)?;
    Logging::link(linker)
}
