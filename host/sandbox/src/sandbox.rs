//! The sandbox itself: engines, linkers, compiled components.

use std::{fmt, future::Future, path::PathBuf, sync::Arc, thread, time::Instant};

use bytes::Bytes;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result,
    circuit::Circuits,
    component::{CompiledCode, Inspection, InspectionContext, Inspector, Metadata},
    tally::Tally,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
};

use crate::{
    aot::{AotFiles, Compiled},
    cache::Cache,
    capability::{
        Means, Shared,
        http::{Resolver, Secrets},
        keyvalue::KeyValue,
    },
    compiler::{Codes, Compiler, CompilerCommand},
    component::{Linkers, LoadedComponent},
    engine::{self, Engines},
    inspection,
    memory::MemoryBudget,
    outline::Outline,
    processor,
    share::Share,
};

/// Components that are compiled at the same time. Each compilation uses every core by itself.
const COMPILATIONS_MAX: usize = 2;

/// What a [`Sandbox`] is made with.
pub struct SandboxConfig {
    /// Where compiled code is kept. Made with mode 0700; nobody else may ever write there.
    pub aot_dir: PathBuf,
    /// What stands behind `wasi:keyvalue`; `None`: every use of it is refused.
    pub keyvalue: Option<Arc<dyn KeyValue>>,
    /// Where the values of secrets are; `None`: every request with one is refused.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Where outbound requests find their hosts; `None`: as the machine does.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Outbound connections that there can be at once, those that lie idle included; shared between tenants.
    pub outbound_connections: usize,
    /// Linear memory that all instances may hold together, in bytes.
    pub memory_bytes: u64,
    /// Where refusals are counted.
    pub tally: Arc<dyn Tally>,
    /// Workflow instances that there can be at once. Each reserves address space, and memory only as it is used.
    pub workflow_instances: u32,
    /// Attempts that there can be at once.
    pub activity_instances: u32,
    /// The program that compiles in a child process; `None`: this process compiles, and what a component makes of
    /// the compiler is done to the host.
    pub compiler: Option<CompilerCommand>,
    /// Where hosts of one system leave compiled code for one another; `None`: each compiles for itself.
    pub share: Option<Share>,
}

/// Compiles components and makes their instances.
pub struct Sandbox {
    parts: Arc<Parts>,
    cache: Cache,
    share: Option<Share>,
}

/// What blocking threads need of the sandbox.
struct Parts {
    linkers: Linkers,
    shared: Arc<Shared>,
    aot: AotFiles,
    compiler: Compiler,
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
        let shared = Shared::new(Means {
            keyvalue: config.keyvalue,
            secrets: config.secrets,
            resolver: config.resolver,
            connections: config.outbound_connections,
            memory_bytes: config.memory_bytes,
            tally: config.tally,
        })?;
        Ok(Arc::new(Self {
            parts: Arc::new(Parts {
                linkers: Linkers::new(&engines)?,
                shared: Arc::new(shared),
                aot,
                compiler: config.compiler.map_or(Compiler::InProcess, Compiler::Child),
                compilations: Arc::new(Semaphore::new(COMPILATIONS_MAX)),
                engines,
            }),
            cache: Cache::default(),
            share: config.share,
        }))
    }

    /// The circuits of all tenants' outbound requests on this host.
    pub fn circuits(&self) -> Arc<dyn Circuits> {
        self.parts.shared.breakers.clone()
    }

    /// Where refusals are counted.
    pub fn tally(&self) -> &Arc<dyn Tally> {
        &self.parts.shared.tally
    }

    /// What all instances hold together, and may hold.
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.parts.shared.memory
    }

    /// The component of `digest`: from memory, or from compiled code on disk, or from what another host compiled, or
    /// compiled from what `fetch` brings. `fetch` is polled only when none of them is there.
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
            if let Some(loaded) = self.compiled_before(digest).await? {
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

    /// The name and the metadata that `component` gives of itself, without the trials of an inspection. One that gives no
    /// name is taken for the plugin `unnamed`.
    ///
    /// # Errors
    /// `component-…` when it cannot run here, or says what is not so.
    pub async fn describe(
        &self,
        unnamed: &PluginName,
        component: Bytes,
    ) -> Result<(PluginName, Metadata)> {
        inspection::describe(self, unnamed, component).await
    }

    /// The component of `digest` if it was compiled before, here or by another host: then its bytes were found valid.
    pub(crate) async fn find(&self, digest: Digest) -> Option<Arc<LoadedComponent>> {
        let load = || async { self.compiled_before(digest).await.ok().flatten().ok_or(()) };
        self.cache.get_or_load(digest, load).await.ok()
    }

    async fn compiled_before(&self, digest: Digest) -> Result<Option<Arc<LoadedComponent>>> {
        match self.load_compiled(digest).await? {
            Some(loaded) => Ok(Some(loaded)),
            None => Ok(self.load_shared(digest).await),
        }
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

    /// From what another host compiled.
    async fn load_shared(&self, digest: Digest) -> Option<Arc<LoadedComponent>> {
        let share = self.share.as_ref()?;
        let codes = share.take(&digest, &self.parts.engines.name()).await?;
        let parts = self.parts.clone();
        let loaded = blocking(move || parts.keep(digest, &codes)).await;
        // Made by engines of the same name, it loads; if it does not, the component is there to be compiled.
        loaded
            .inspect_err(
                |error| tracing::warn!(%digest, "shared compiled code is of no use: {error}"),
            )
            .ok()
    }

    async fn compile(&self, digest: Digest, bytes: Bytes) -> Result<Arc<LoadedComponent>> {
        let permit = self.parts.compilations.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::new(Code::HostStopping, "the host is stopping"))?;
        let parts = self.parts.clone();
        let begun = Instant::now();
        let (loaded, codes) = blocking(move || {
            // Held by the work itself: a caller that goes away does not end a compilation.
            let _permit = permit;
            let kinds = Outline::read(&bytes)?.kinds();
            let codes = parts.compiler.compile(&parts.engines, &kinds, &bytes)?;
            drop(bytes);
            Ok((parts.keep(digest, &codes)?, codes))
        })
        .await?;
        let millis = begun.elapsed().as_millis();
        tracing::info!(%digest, millis, "a component was compiled");
        if let Some(share) = &self.share {
            let engines = self.parts.engines.name();
            share.give(&digest, &engines, &codes).await;
        }
        Ok(loaded)
    }
}

impl Parts {
    /// Puts compiled code on disk and loads it from there.
    fn keep(&self, digest: Digest, codes: &Codes) -> Result<Arc<LoadedComponent>> {
        self.aot.store(&digest, codes).map_err(|error| {
            let detail = format!("the compiled code of {digest} cannot be kept on disk");
            Error::new(Code::StoreFailed, detail).caused_by(error)
        })?;
        let compiled = self.aot.load_stored(&digest, &self.engines);
        let compiled = compiled.map_err(|error| match engine::excess(&error.to_string()) {
            Some(excess) => Error::new(Code::ComponentTooLarge, excess),
            None => {
                let detail =
                    format!("the compiled code of {digest} that was just written cannot be loaded");
                Error::new(Code::Internal, detail).caused_by(error)
            }
        })?;
        self.link(digest, compiled)
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
        context: InspectionContext<'_>,
        component: Bytes,
        watch: &(dyn Fn(&'static str) + Send + Sync),
    ) -> Result<Inspection> {
        inspection::inspect(self, context, component, watch).await
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

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => {
            Err(Error::new(Code::HostStopping, "the host is stopping"))
        }
        Err(error) => Err(failed_at_work().caused_by(error)),
    }
}

/// Runs `work`, which no execution waits for, on a thread of its own that gives way to those of tenants: what is uploaded
/// may be anything, and is tried for seconds. It finds the Tokio runtime that this is called in.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        let _within = runtime.enter();
        // A thread that keeps its priority shares the processor evenly, which is worse and not wrong.
        if let Err(error) = processor::give_way() {
            tracing::debug!(%error, "the priority of a thread cannot be lowered");
        }
        // Nobody waits any more where the check was given up.
        let _ = answer.send(work());
    };
    let thread = thread::Builder::new().name("checks".to_owned());
    thread.spawn(run).map_err(|error| {
        let detail = "the system gives no thread to check a component on";
        Error::new(Code::Internal, detail).caused_by(error)
    })?;
    // It ended without an answer: it panicked.
    answered.await.unwrap_or_else(|_| Err(failed_at_work()))
}

fn failed_at_work() -> Error {
    let detail = "the host failed while it worked on a component";
    Error::new(Code::Internal, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    fn priority() -> Result<i32> {
        getpriority_process(None).map_err(|_| failed_at_work())
    }

    #[tokio::test]
    async fn work_aside_gives_way_and_nobody_else_does() {
        let before = priority().unwrap();
        assert!(aside(priority).await.unwrap() > before);
        assert_eq!(priority().unwrap(), before);
        assert_eq!(blocking(priority).await.unwrap(), before);
    }

    #[tokio::test]
    async fn work_aside_that_panics_is_answered_for() {
        let fails = || -> Result<()> { panic!("a trial") };
        let error = aside(fails).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal);
    }
}
