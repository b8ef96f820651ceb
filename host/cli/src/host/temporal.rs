//! Which Temporal this host works with: one that is given, or one of its own.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use tenterhook_embedded::{Config, EmbeddedTemporal, Places, Status, TemporalProgram, Ui};
use tenterhook_store::Store;
use tenterhook_worker::{Target, Temporal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;
use crate::host_options::DevOptions;

/// A database that takes longer counts as away: who asks for readiness does not wait for long either.
const DATABASE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// The namespace of a host's own server.
const NAMESPACE: &str = "default";

/// The server of this machine, with a task that says in the log how it fares.
pub(super) struct Embedded {
    server: EmbeddedTemporal,
    watch: tokio::task::JoinHandle<()>,
}

impl Embedded {
    pub(super) fn ui_url(&self) -> Option<String> {
        self.server.ui_url()
    }

    pub(super) async fn stop(self) {
        self.watch.abort();
        self.server.stop().await;
    }
}

/// The server that `TEMPORAL_ADDRESS` names, or an embedded one.
pub(super) async fn of_dev(
    options: &DevOptions,
    data: &DataDir,
    identity: &str,
) -> anyhow::Result<(Target, Option<Embedded>)> {
    if options.temporal_address.is_some() {
        return Ok((Target::from_environment(identity)?, None));
    }
    let embedded = start(options, data.path()).await?;
    let target = Target::local(&embedded.server.address().to_string(), NAMESPACE, identity)?;
    Ok((target, Some(embedded)))
}

async fn start(options: &DevOptions, data: &Path) -> anyhow::Result<Embedded> {
    let program = TemporalProgram::find(&Places::from_environment()).await?;
    tracing::info!(program = %program.path().display(), "starting the embedded Temporal server");
    let mut config = Config::new(program, data);
    config.frontend_port = options.temporal_port.unwrap_or(0);
    config.ui = Ui::On(options.ui_port.unwrap_or(0));
    let server = EmbeddedTemporal::start(config)
        .await
        .context("the embedded Temporal server does not start")?;
    let mut status = server.status();
    let watch = tokio::spawn(async move {
        while status.changed().await.is_ok() {
            match &*status.borrow_and_update() {
                Status::Running { pid, restarts } => {
                    tracing::info!(pid, restarts, "the embedded Temporal server answers again");
                }
                Status::Restarting { restarts, cause } => {
                    tracing::warn!(
                        restarts,
                        cause,
                        "the embedded Temporal server died: starting it again"
                    );
                }
                Status::Stopped => return,
            }
        }
    });
    Ok(Embedded { server, watch })
}

/// Ready means: the store and Temporal answer, and the host is not about to stop.
pub(super) struct Readiness {
    temporal: Temporal,
    store: Store,
    leaving: CancellationToken,
}

impl Readiness {
    pub(super) fn new(temporal: Temporal, store: Store, leaving: CancellationToken) -> Self {
        Self {
            temporal,
            store,
            leaving,
        }
    }
}

#[async_trait::async_trait]
impl tenterhook_server::Readiness for Readiness {
    async fn check(&self) -> tenterhook_domain::Result<()> {
        use tenterhook_domain::{Code, Error};
        if self.leaving.is_cancelled() {
            return Err(Error::new(Code::HostStopping, "the host is stopping"));
        }
        timeout(DATABASE_ANSWERS_WITHIN, self.store.database.ping())
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    Code::StoreUnavailable,
                    "the database does not answer",
                ))
            })?;
        if self.temporal.is_ready().await {
            return Ok(());
        }
        Err(Error::new(
            Code::TemporalUnavailable,
            "Temporal does not answer",
        ))
    }
}
