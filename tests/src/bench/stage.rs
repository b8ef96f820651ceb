//! What everything with a server runs on: one fresh Temporal server, the host, the native worker.

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::json;
use tempfile::TempDir;
use temporalio_client::Connection;
use tenterhook_domain::{
    Scope,
    clock::{Clock as _, SystemClock},
    context::ContextKeys,
};
use tenterhook_embedded::{Config, EmbeddedTemporal, Places, Status, TemporalProgram, Ui};
use tenterhook_store::Store;

use super::{
    machine::Cores,
    native::{self, NAMESPACE},
    process::WorkerProcess,
    starter::Starter,
};
use crate::host::{self, Api, World};

/// The plugin of the host's side.
pub const PLUGIN: &str = "bench";
const HOST_QUEUE: &str = "bench-host";
const NATIVE_QUEUE: &str = "bench-native";
/// How long the host may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at a host that starts.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One of the two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Tenants' WebAssembly in this host.
    Host,
    /// The same code in a worker of Temporal's SDK.
    Native,
}

impl Side {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Native => "native",
        }
    }
}

/// The running parts. Dropping it ends them.
pub struct Stage {
    host: Mutex<WorkerProcess>,
    native: Mutex<WorkerProcess>,
    host_starter: Starter,
    native_starter: Starter,
    world: World,
    /// The component the host runs.
    pub component: Vec<u8>,
    server: EmbeddedTemporal,
    cores: Cores,
    _folder: TempDir,
}

impl Stage {
    /// Starts a server with a fresh database, then both workers on it, and pushes the plugin to the host.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn set_up() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tenterhook-bench-")
            .tempdir()?;
        let program = TemporalProgram::find(&Places::from_environment()).await?;
        let mut config = Config::new(program, folder.path());
        config.ui = Ui::Off;
        let server = EmbeddedTemporal::start(config).await?;
        let address = server.address().to_string();
        let connection = native::connect(&address, "bench").await?;

        let native = start_native(folder.path(), &address)?;
        let native_starter = starter(&connection, "native", NATIVE_QUEUE, None)?;

        let data = folder.path().join("host");
        let log = folder.path().join("host.log");
        let component = host::guest("bench-measured")?;
        let mut pushed_to = start_host(&data, &log, &address)?;
        let world = World::make(&ready(&mut pushed_to, &data).await?, "host").await?;
        world.push(PLUGIN, component.clone()).await?;
        // Compiling leaves free memory behind that sleeping workflows would fill unseen: a host that has
        // compiled nothing is measured.
        drop(pushed_to);
        let mut host = start_host(&data, &log, &address)?;
        let world = World::make(&ready(&mut host, &data).await?, "host").await?;
        // The host keeps its store open; SQLite's write-ahead log lets others read beside it.
        let store = Store::open(&data).await?;
        let now = SystemClock.now_millis();
        let keys = store.context_keys.load_or_create(now).await?.at(now);
        store.database.close().await;
        let host_starter = starter(&connection, "host", HOST_QUEUE, Some(Arc::new(keys)))?;
        Ok(Self {
            host: Mutex::new(host),
            native: Mutex::new(native),
            host_starter,
            native_starter,
            world,
            component,
            server,
            cores: Cores::Shared,
            _folder: folder,
        })
    }

    /// Both sides, the native one first.
    pub fn sides(&self) -> Vec<Side> {
        vec![Side::Native, Side::Host]
    }

    /// Puts everybody on the cores that `cores` gives them.
    ///
    /// # Errors
    /// When a process ended, or cannot be placed.
    pub fn place(&mut self, cores: Cores) -> anyhow::Result<()> {
        let starter = std::process::id();
        let others = [self.pid(Side::Host)?, self.pid(Side::Native)?, starter];
        cores.place(self.server_pid()?, &others)?;
        self.cores = cores;
        Ok(())
    }

    /// Where everybody is.
    pub fn cores(&self) -> Cores {
        self.cores
    }

    /// Who starts workflows on `side`.
    pub fn starter(&self, side: Side) -> &Starter {
        match side {
            Side::Host => &self.host_starter,
            Side::Native => &self.native_starter,
        }
    }

    /// The same by a connection of its own.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self, side: Side) -> anyhow::Result<Starter> {
        let address = self.server.address().to_string();
        let connection = native::connect(&address, "bench").await?;
        Ok(self.starter(side).by(connection))
    }

    /// The process of `side`.
    ///
    /// # Errors
    /// Its log, when it ended.
    pub fn pid(&self, side: Side) -> anyhow::Result<u32> {
        let process = match side {
            Side::Host => &self.host,
            Side::Native => &self.native,
        };
        let mut process = process
            .lock()
            .map_err(|_| anyhow::anyhow!("the bench panicked"))?;
        process.check_running()?;
        Ok(process.pid())
    }

    /// The server's process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn server_pid(&self) -> anyhow::Result<u32> {
        match &*self.server.status().borrow() {
            Status::Running { pid, restarts: 0 } => Ok(*pid),
            other => bail!("the Temporal server died during the bench: {other:?}"),
        }
    }

    /// `count` one-activity workflows one after another through the host's HTTP API, as a service would do it.
    ///
    /// # Errors
    /// When one fails.
    pub async fn over_http(&self, count: usize) -> anyhow::Result<Vec<Duration>> {
        let path = self.world.path("workflows?wait=30s");
        let workflow_type = format!("{PLUGIN}.OneActivity");
        let mut latencies = Vec::with_capacity(count);
        for number in 0..count {
            let body =
                json!({ "type": workflow_type, "id": format!("http-{number}"), "input": number });
            let began = Instant::now();
            let outcome = self.world.api.post(&path, &body).await?.ok()?;
            latencies.push(began.elapsed());
            anyhow::ensure!(
                outcome["status"] == "completed",
                "http-{number} did not complete: {outcome}"
            );
        }
        Ok(latencies)
    }

    /// Ends the workers, then the server.
    pub async fn tear_down(self) {
        drop((self.host, self.native));
        self.server.stop().await;
    }
}

fn starter(
    connection: &Connection,
    tenant: &str,
    queue: &str,
    keys: Option<Arc<ContextKeys>>,
) -> anyhow::Result<Starter> {
    let scope = Scope::new(tenant.parse()?, "production".parse()?);
    Ok(Starter::new(
        connection.clone(),
        queue,
        scope,
        PLUGIN.parse()?,
        keys,
    ))
}

fn start_native(folder: &Path, address: &str) -> anyhow::Result<WorkerProcess> {
    let mut command = Command::new(host::target_dir().join("debug").join("native_worker"));
    command.args(["--address", address, "--task-queue", NATIVE_QUEUE]);
    WorkerProcess::start(command, &folder.join("native.log"))
}

fn start_host(data: &Path, log: &Path, address: &str) -> anyhow::Result<WorkerProcess> {
    let mut command = Command::new(host::target_dir().join("debug").join("tenterhook"));
    command
        .arg("serve")
        .arg("--data-dir")
        .arg(data)
        .args(["--listen", "127.0.0.1:0"]);
    command.args(["--namespace", NAMESPACE, "--task-queue", HOST_QUEUE]);
    command
        .env("TEMPORAL_ADDRESS", address)
        .env("TEMPORAL_NAMESPACE", NAMESPACE);
    WorkerProcess::start(command, log)
}

async fn ready(host: &mut WorkerProcess, data: &Path) -> anyhow::Result<Api> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        host.check_running()?;
        if let Ok(address) = std::fs::read_to_string(data.join("api-address")) {
            let token = std::fs::read_to_string(data.join("admin-token"))
                .context("the host made no token")?;
            let api = Api::new(address.trim(), token.trim());
            if api
                .get("/readyz")
                .await
                .is_ok_and(|answer| answer.status.is_success())
            {
                return Ok(api);
            }
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "the host is not ready within {READY_WITHIN:?}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
