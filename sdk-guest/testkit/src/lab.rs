//! What all tests of one process share: the sandbox that production uses, and threads for what runs for real.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use tenterhook_sandbox::{Sandbox, SandboxConfig};
use tokio::runtime::{Builder, Runtime};

use crate::{outside::Outsides, target};

/// Workflow instances that tests of one process can have at once: some threads of tests, each with a tree of
/// executions.
const WORKFLOW_INSTANCES: u32 = 2_000;
/// Attempts that are run for real at once.
const ACTIVITY_INSTANCES: u32 = 100;
/// Outbound connections of all tests of a program at once.
const CONNECTIONS: usize = 256;
const THREADS: usize = 2;

pub(crate) struct Lab {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) outsides: Arc<Outsides>,
    runtime: Runtime,
}

/// The laboratory of this process.
pub(crate) fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        Lab::open().unwrap_or_else(|error| panic!("the test kit cannot begin: {error}"))
    })
}

impl Lab {
    fn open() -> Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("testkit")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let outsides = Arc::new(Outsides::default());
        let aot_dir = aot_dir();
        fs::create_dir_all(&aot_dir).map_err(|error| format!("{}: {error}", aot_dir.display()))?;
        let config = SandboxConfig {
            aot_dir: aot_dir.join("compiled"),
            keyvalue: Some(outsides.clone()),
            secrets: Some(outsides.clone()),
            resolver: None,
            tally: Arc::new(()),
            workflow_instances: WORKFLOW_INSTANCES,
            activity_instances: ACTIVITY_INSTANCES,
            compiler: None,
            share: None,
            outbound_connections: CONNECTIONS,
            // Tests are bounded by their plugins' limits alone.
            memory_bytes: u64::MAX,
        };
        // Made on the runtime, for it starts its clocks there.
        let sandbox = {
            let _on_it = runtime.enter();
            Sandbox::new(config).map_err(|error| error.to_string())?
        };
        Ok(Self {
            sandbox,
            outsides,
            runtime,
        })
    }

    /// Waits for `work`, which runs on a thread of the kit's: so a test may be asynchronous itself.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            // The receiver waits below.
            let _ = sender.send(work.await);
        });
        match receiver.recv() {
            Ok(answer) => answer,
            Err(_) => panic!("the test kit's own work failed: its panic is above"),
        }
    }
}

/// Beside what cargo builds, so that the next run of the tests does not compile again.
fn aot_dir() -> PathBuf {
    target::folder().join("tenterhook-testkit")
}
