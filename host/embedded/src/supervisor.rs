//! The server's life: started, watched, started again, stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use crate::arguments::{Config, LISTEN};
use crate::child::Child;
use crate::log::RunLog;
use crate::ports::Ports;
use crate::ready;

/// How long a start may take until the server answers. The first makes the database's tables.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Starts tried when free ports are taken by others before the server binds them.
const PORT_CHOICES_MAX: u32 = 5;
/// What the server's log says then.
const PORT_TAKEN: &str = "address already in use";
/// Pause before the first restart; each further one doubles it.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// The longest pause before a restart. Restarts never end: the host has no work without a server.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A server that ran this long was well: the pause starts over.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// What the server is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It answers.
    Running {
        /// Its process.
        pid: u32,
        /// How often it was started again.
        restarts: u64,
    },
    /// It died, and is being started again.
    Restarting {
        /// How often it was started again before.
        restarts: u64,
        /// How it died, or why it did not start.
        cause: String,
    },
    /// It was stopped.
    Stopped,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A folder or file of its own cannot be made.
    #[error("cannot use {path:?} for the Temporal server")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No free port could be found.
    #[error("cannot find a free port for the Temporal server")]
    Ports(#[source] io::Error),
    /// The program cannot be run.
    #[error("cannot run {program:?}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("the Temporal server ended at once ({how}); its log {log:?} says: {tail}")]
    Exited {
        /// Its exit status.
        how: String,
        /// The whole log.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// It did not answer in time.
    #[error("the Temporal server did not answer within {within:?}; its log {log:?} says: {tail}")]
    NotReady {
        /// How long it had.
        within: Duration,
        /// The whole log.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
}

/// A running server and the task that keeps it running. Dropping it kills the server;
/// [`EmbeddedTemporal::stop`] lets it end by itself.
#[derive(Debug)]
pub struct EmbeddedTemporal {
    ports: Ports,
    status: watch::Receiver<Status>,
    stop: oneshot::Sender<()>,
    supervision: JoinHandle<()>,
}

impl EmbeddedTemporal {
    /// Starts the server and returns when it answers.
    ///
    /// # Errors
    /// When the program cannot be run, ends at once, or does not answer within a minute.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        if let Some(folder) = config.database.parent() {
            let failed = |source| StartError::File {
                path: folder.to_owned(),
                source,
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let (server, child) = first_start(config).await?;
        let (status_sender, status) = watch::channel(Status::Running {
            pid: child.id(),
            restarts: 0,
        });
        let (stop, stopped) = oneshot::channel();
        let ports = server.ports;
        let supervision = tokio::spawn(server.supervise(child, status_sender, stopped));
        Ok(Self {
            ports,
            status,
            stop,
            supervision,
        })
    }

    /// The address of the gRPC frontend, the same through every restart.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (LISTEN, self.ports.frontend).into()
    }

    /// The frontend's address as a URL, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The address of the web UI, `http://127.0.0.1:PORT`, if it is on.
    #[must_use]
    pub fn ui_url(&self) -> Option<String> {
        self.ports.ui.map(|port| format!("http://{LISTEN}:{port}"))
    }

    /// What the server is doing, now and as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Ends the server: by SIGTERM, and by SIGKILL when that took too long.
    pub async fn stop(self) {
        // Both fail only when the supervision is over, and then the server is too.
        self.stop.send(()).ok();
        self.supervision.await.ok();
    }
}

/// What every start of one server has in common.
#[derive(Debug)]
struct Server {
    config: Config,
    ports: Ports,
    target: Url,
}

/// Starts on the configured ports, choosing other free ones while those chosen are snatched away.
async fn first_start(config: Config) -> Result<(Server, Child), StartError> {
    let mut choices = 1;
    let mut server = Server::new(config)?;
    loop {
        match server.start().await {
            Ok(child) => return Ok((server, child)),
            Err(StartError::Exited { tail, .. })
                if tail.contains(PORT_TAKEN)
                    && choices < PORT_CHOICES_MAX
                    && server.may_choose() =>
            {
                choices += 1;
                server = Server::new(server.config)?;
            }
            Err(error) => return Err(error),
        }
    }
}

impl Server {
    fn new(config: Config) -> Result<Self, StartError> {
        let ports = Ports::choose(&config).map_err(StartError::Ports)?;
        let target = format!("http://{LISTEN}:{}", ports.frontend);
        let target =
            Url::parse(&target).map_err(|error| StartError::Ports(io::Error::other(error)))?;
        Ok(Self {
            config,
            ports,
            target,
        })
    }

    /// Whether other ports can be chosen in place of these.
    fn may_choose(&self) -> bool {
        self.config.frontend_port == 0 || self.config.ui == crate::Ui::On(0)
    }

    /// One start: the process is there and answers.
    async fn start(&self) -> Result<Child, StartError> {
        let log = &self.config.log;
        let failed = |source| StartError::File {
            path: log.clone(),
            source,
        };
        let (run, file) = RunLog::open(log).map_err(failed)?;
        let program = self.config.program.path();
        let mut command = Command::new(program);
        command.args(self.config.arguments(self.ports));
        // The host's environment has secrets and other programs' settings in it, and the server needs none of them.
        command.env_clear().env("HOME", log.parent().unwrap_or(log));
        let child = Child::spawn(command, file)
            .await
            .map_err(|source| StartError::Spawn {
                program: program.to_owned(),
                source,
            })?;
        let answered = tokio::select! {
            // First, for another server on the same port would answer as well.
            biased;
            how = child.exited() => {
                return Err(StartError::Exited { how, log: log.clone(), tail: run.tail() });
            }
            answered = tokio::time::timeout(READY_WITHIN, ready::wait(&self.target)) => answered,
        };
        if answered.is_err() {
            child.kill().await;
            let tail = run.tail();
            return Err(StartError::NotReady {
                within: READY_WITHIN,
                log: log.clone(),
                tail,
            });
        }
        Ok(child)
    }

    /// Keeps the server running until told to stop.
    async fn supervise(
        self,
        mut child: Child,
        status: watch::Sender<Status>,
        mut stop: oneshot::Receiver<()>,
    ) {
        let mut restarts = 0;
        let mut backoff = BACKOFF_FIRST;
        loop {
            let since = Instant::now();
            let how = tokio::select! {
                how = child.exited() => how,
                asked = &mut stop => return end(&child, asked, &status).await,
            };
            if since.elapsed() >= WELL_AFTER {
                backoff = BACKOFF_FIRST;
            }
            tracing::error!(
                how,
                "the embedded Temporal server died and is started again"
            );
            let mut cause = how;
            child = loop {
                status.send_replace(Status::Restarting { restarts, cause });
                let started = tokio::select! {
                    started = self.start_after(backoff) => started,
                    _ = &mut stop => {
                        status.send_replace(Status::Stopped);
                        return;
                    }
                };
                backoff = (backoff * 2).min(BACKOFF_MAX);
                match started {
                    Ok(child) => break child,
                    Err(error) => {
                        tracing::error!(%error, "the embedded Temporal server does not start");
                        cause = error.to_string();
                    }
                }
            };
            restarts += 1;
            tracing::info!(
                pid = child.id(),
                restarts,
                "the embedded Temporal server runs again"
            );
            status.send_replace(Status::Running {
                pid: child.id(),
                restarts,
            });
        }
    }

    async fn start_after(&self, pause: Duration) -> Result<Child, StartError> {
        tokio::time::sleep(pause).await;
        self.start().await
    }
}

/// Ends the child: gently when asked to, at once when whoever could ask is gone.
async fn end(
    child: &Child,
    asked: Result<(), oneshot::error::RecvError>,
    status: &watch::Sender<Status>,
) {
    match asked {
        Ok(()) => child.terminate().await,
        Err(_) => child.kill().await,
    }
    status.send_replace(Status::Stopped);
}
