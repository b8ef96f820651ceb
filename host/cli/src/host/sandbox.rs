//! The sandbox of this host, and who compiles for it.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tenterhook_sandbox::{CompileLimits, CompilerCommand, Sandbox, SandboxConfig};
use tenterhook_store::Store;

use super::{capacity, data_dir::DataDir, key_value::StoredKeyValue};
use crate::arguments::COMPILE_COMPONENT;

/// The sandbox of a host that keeps its compiled code in `data`.
pub(super) fn open(data: &DataDir, store: &Store) -> anyhow::Result<Arc<Sandbox>> {
    Ok(Sandbox::new(SandboxConfig {
        aot_dir: data.path().join("compiled"),
        keyvalue: Some(Arc::new(StoredKeyValue::new(store.state.clone()))),
        workflow_instances: capacity::workflow_instances(),
        activity_instances: capacity::activity_instances(),
        compiler: Some(compiler()?),
    })?)
}

/// This very program, also after another one was put in its place on disk.
fn compiler() -> anyhow::Result<CompilerCommand> {
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() {
        running
    } else {
        std::env::current_exe().context("this program cannot be found on disk")?
    };
    Ok(CompilerCommand {
        program,
        arguments: vec![COMPILE_COMPONENT.into()],
        limits: CompileLimits::default(),
    })
}
