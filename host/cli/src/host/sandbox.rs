//! The sandbox of this host.

use std::sync::Arc;

use tenterhook_domain::{context::ContextKeys, tally::Tally};
use tenterhook_sandbox::{Sandbox, SandboxConfig, Share};
use tenterhook_store::Store;

use super::{
    capacity,
    data_dir::DataDir,
    key_value::StoredKeyValue,
    secret::{Keyring, StoredSecrets},
};
use crate::{compiler, host_options::CapacityOptions};

/// The sandbox of a host that keeps its compiled code in `data`, as large as `capacity` says.
pub(super) fn open(
    data: &DataDir,
    store: &Store,
    secret_keys: &Arc<Keyring>,
    share: Option<Share>,
    capacity: &CapacityOptions,
    tally: Arc<dyn Tally>,
) -> anyhow::Result<Arc<Sandbox>> {
    Ok(Sandbox::new(SandboxConfig {
        aot_dir: data.path().join("compiled"),
        keyvalue: Some(Arc::new(StoredKeyValue::new(store.state.clone()))),
        secrets: Some(Arc::new(StoredSecrets {
            secrets: store.secrets.clone(),
            keys: secret_keys.clone(),
        })),
        resolver: None,
        outbound_connections: capacity.outbound_connections(),
        memory_bytes: capacity.memory_bytes(),
        tally,
        workflow_instances: capacity::workflow_instances(),
        activity_instances: capacity::activity_instances(),
        compiler: Some(compiler::command()?),
        share,
    })?)
}

/// Compiled code for the other hosts and from them, sealed with what only hosts on the same database know.
pub(super) fn share(store: &Store, keys: &Arc<ContextKeys>) -> Share {
    Share {
        shelf: store.compiled.clone(),
        keys: keys.clone(),
    }
}
