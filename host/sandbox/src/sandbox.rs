//! The sandbox itself: engines, linkers, compiled components.

use std::{fmt, future::Future, path::PathBuf, sync::Arc};

use bytes::Bytes;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result,
    component::{CompiledCode, Inspection, Inspector},
};
use tokio::sync::Semaphore;
use wasmtime::component::Component;

use crate::{
    aot::{AotFiles, Compiled},
    cache::Cache,
    capability::{Shared, keyvalue::KeyValue},
    component::{Linkers, LoadedComponent},
    engine::{Engines, Kind},
    inspection,
    outline::{ACTIVITIES, Outline, WORKFLOW_GUEST},
};

/// Components that are compiled at the same time. Each compilation uses every core by itself.
const COMPILATIONS_MAX: usize = 2;

/// What a [`Sandbox`] is made with.
pub struct SandboxConfig {
    /// Where compiled code is kept. Made with mode 0700; nobody else may ever write there.
    pub aot_dir: PathBuf,
    /// What stands behind `wasi:keyvalue`; `None`: every use of it is refused.
    pub keyvalue: Option<Arc<dyn KeyValue>>,
    /// Workflow instances that there can be at once. Each reserves address space, and memory only as it is used.
    pub workflow_instances: u32,
    /// Attempts that there can be at once.
    pub activity_instances: u32,
}

/// Compiles components and makes their instances.
pub struct Sandbox {
    parts: Arc<Parts>,
    cache: Cache,
}

/// What blocking threads need of the sandbox.
struct Parts {
    linkers: Linkers,
    shared: Arc<Shared>,
    aot: AotFiles,
    compilations: Arc<Semaphore>,
    engines: Engines,
}

impl Sandbox {
    /// Sets up the engines and the folder for compiled code.
    ///
    /// # Errors
    /// `host-config-invalid` when the folder cannot be used, `internal` when the machine cannot run WebAssembly.
    pub fn new(config: SandboxConfig) -> Result<Arc<Self>> {
        let engines = Engines::new(config.workflow_instances, config.activity_instances)?;
        let aot = AotFiles::open(&config.aot_dir, engines.compatibility())?;
        Ok(Arc::new(Self {
            parts: Arc::new(Parts {
                linkers: Linkers::new(&engines)?,
                shared: Arc::new(Shared::new(config.keyvalue)?),
                aot,
                compilations: Arc::new(Semaphore::new(COMPILATIONS_MAX)),
                engines,
            }),
            cache: Cache::default(),
        }))
    }

    /// The component of `digest`: from memory, or from compiled code on disk, or compiled from what `fetch` brings.
    /// `fetch` is polled only when neither is there.
    ///
    /// # Errors
    /// Those of `fetch`; `component-missing` when it brings other bytes than the digest's; `component-…` when the
    /// bytes are no component that can run here.
    pub async fn load(
        &self,
        digest: Digest,
        fetch: impl Future<Output = Result<Bytes>> + Send,
    ) -> Result<Arc<LoadedComponent>> {
        let load = || async {
            if let Some(loaded) = self.load_compiled(digest).await? {
                return Ok(loaded);
            }
            let bytes = fetch.await?;
            if Digest::of(&bytes) != digest {
                return Err(Error::new(
                    Code::ComponentMissing,
                    format!(
                        "the stored component of {digest} is damaged: its bytes have another digest"
                    ),
                ));
            }
            self.compile(digest, bytes).await
        };
        self.cache.get_or_load(digest, load).await
    }

    async fn load_compiled(&self, digest: Digest) -> Result<Option<Arc<LoadedComponent>>> {
        let parts = self.parts.clone();
        blocking(move || {
            let Some(compiled) = parts.aot.load(&digest, &parts.engines) else {
                return Ok(None);
            };
            parts.link(digest, compiled).map(Some)
        })
        .await
    }

    async fn compile(&self, digest: Digest, bytes: Bytes) -> Result<Arc<LoadedComponent>> {
        let permit = self.parts.compilations.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(Code::HostStopping, "the host is stopping"))?;
        let parts = self.parts.clone();
        blocking(move || {
            // Held by the work itself: a caller that goes away does not end a compilation.
            let _permit = permit;
            let outline = Outline::read(&bytes)?;
            let mut codes = Vec::new();
            let mut compiled = Compiled::new();
            for (kind, export) in [
                (Kind::Workflow, WORKFLOW_GUEST),
                (Kind::Activity, ACTIVITIES),
            ] {
                if outline.has_export(export) {
                    let component = parts.compile(kind, &bytes)?;
                    codes.push((kind, component.serialize().map_err(compile_failed)?));
                    compiled.push((kind, component));
                }
            }
            let loaded = parts.link(digest, compiled)?;
            parts.aot.store(&digest, &codes);
            Ok(loaded)
        })
        .await
    }
}

impl Parts {
    fn compile(&self, kind: Kind, bytes: &[u8]) -> Result<Component> {
        Component::from_binary(self.engines.of(kind), bytes).map_err(compile_failed)
    }

    fn link(&self, digest: Digest, compiled: Compiled) -> Result<Arc<LoadedComponent>> {
        let loaded = LoadedComponent::link(digest, compiled, &self.shared, &self.linkers)?;
        Ok(Arc::new(loaded))
    }
}

#[async_trait::async_trait]
impl Inspector for Sandbox {
    async fn inspect(
        &self,
        plugin: &PluginName,
        component: Bytes,
        watch: &(dyn Fn(&'static str) + Send + Sync),
    ) -> Result<Inspection> {
        inspection::inspect(self, plugin, component, watch).await
    }
}

impl CompiledCode for Sandbox {
    fn held(&self) -> Vec<Digest> {
        let mut held = self.cache.held();
        held.extend(self.parts.aot.held());
        held.sort_unstable();
        held.dedup();
        held
    }

    fn forget(&self, digest: &Digest) {
        self.cache.forget(digest);
        self.parts.aot.remove(digest);
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

fn compile_failed(error: wasmtime::Error) -> Error {
    Error::new(
        Code::ComponentCompileFailed,
        format!("the component does not compile: {error:#}"),
    )
}

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => {
            Err(Error::new(Code::HostStopping, "the host is stopping"))
        }
        Err(error) => Err(Error::new(
            Code::Internal,
            "the host failed while it worked on a component",
        )
        .caused_by(error)),
    }
}
