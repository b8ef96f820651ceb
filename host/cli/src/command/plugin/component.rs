//! The component that a command is given, and what this program itself can say of it: no host is asked.

use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use tempfile::TempDir;
use tenterhook_domain::{
    Code, Digest, PluginName,
    component::{COMPONENT_BYTES_MAX, Inspection, InspectionContext, Inspector as _},
    grant::Grants,
};
use tenterhook_sandbox::{LoadedComponent, Sandbox, SandboxConfig};
use tenterhook_worker::REPLAYS_AT_ONCE;

use crate::{
    compiler,
    failure::{Failure, Result},
    input,
};

/// Instances besides those of replays: one describes the component.
const INSTANCES: usize = 4;

/// The plugin that `name` says, else the one that the file is named after.
pub(super) fn plugin(file: &Path, name: Option<&str>) -> Result<PluginName> {
    if let Some(name) = name {
        return Ok(name.parse()?);
    }
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('_', "-");
    stem.parse().map_err(|_| {
        Failure::usage(format!("{} does not name a plugin", file.display()))
            .with_hint("give --name PLUGIN")
    })
}

/// The bytes of `file`; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<Bytes> {
    // One byte more than allowed, so that what is too large is known as such and not sent at all.
    let most = COMPONENT_BYTES_MAX + 1;
    let too_large = || {
        let detail = format!(
            "{} is larger than a component may be: {COMPONENT_BYTES_MAX} bytes",
            file.display()
        );
        Failure::new(Code::ComponentTooLarge.as_str(), detail)
            .with_hint("build it with --release, opt-level \"s\", lto and strip")
    };
    let size = std::fs::metadata(file)
        .map(|metadata| metadata.len())
        .unwrap_or_default();
    if usize::try_from(size).is_ok_and(|size| size > COMPONENT_BYTES_MAX) {
        return Err(too_large());
    }
    let component = if file == Path::new("-") {
        input::read(io::stdin().lock(), "standard input", most)?
    } else {
        input::file_bytes(file, most)?
    };
    if component.len() > COMPONENT_BYTES_MAX {
        Err(too_large())
    } else {
        Ok(component)
    }
}

/// A sandbox of this process, with a folder for compiled code that goes with it.
pub(super) struct Workbench {
    sandbox: Arc<Sandbox>,
    _folder: TempDir,
}

impl Workbench {
    /// Sets it up.
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| {
            Failure::internal("no folder for compiled code can be made").caused_by(&error)
        })?;
        let compiler = compiler::command()
            .map_err(|error| Failure::internal("nothing can be compiled").caused_by(&*error))?;
        let instances = u32::try_from(REPLAYS_AT_ONCE + INSTANCES).unwrap_or(u32::MAX);
        let sandbox = Sandbox::new(SandboxConfig {
            aot_dir: folder.path().join("compiled"),
            keyvalue: None,
            secrets: None,
            resolver: None,
            outbound_connections: 1,
            memory_bytes: u64::MAX,
            tally: Arc::new(()),
            workflow_instances: instances,
            activity_instances: instances,
            compiler: Some(compiler),
            share: None,
        })?;
        Ok(Self {
            sandbox,
            _folder: folder,
        })
    }

    /// Looks at `component` as a host would at a push of `plugin`, with the grants and limits of a new plugin.
    pub(super) async fn inspect(
        &self,
        plugin: &PluginName,
        component: Bytes,
    ) -> Result<Inspection> {
        let grants = Grants::default();
        let context = InspectionContext {
            plugin,
            grants: &grants,
            current: None,
        };
        Ok(self.sandbox.inspect(context, component, &|_| {}).await?)
    }

    /// `component`, compiled.
    pub(super) async fn load(&self, component: Bytes) -> Result<Arc<LoadedComponent>> {
        let digest = Digest::of(&component);
        let loaded = self.sandbox.load(digest, async { Ok(component) }).await;
        Ok(loaded?)
    }
}
