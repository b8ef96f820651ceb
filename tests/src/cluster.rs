//! What hosts share when they are many: one Temporal, one PostgreSQL database, one folder of components.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tenterhook_embedded::EmbeddedTemporal;

use crate::{host::Host, postgres::Postgres};

const DATABASE: &str = "TENTERHOOK_DATABASE";

/// The surroundings of many hosts. Dropping it ends the Temporal server; the database ends with the process.
pub struct Cluster {
    temporal: EmbeddedTemporal,
    folder: TempDir,
    name: String,
    database: String,
}

impl Cluster {
    /// Starts a Temporal server and makes an empty database and an empty folder.
    ///
    /// # Errors
    /// When the Temporal server does not start.
    ///
    /// # Panics
    /// When PostgreSQL does not start.
    pub async fn start() -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir()?;
        let temporal = crate::dev_server::start(&folder.path().join("temporal")).await?;
        let name = format!("cluster-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let database = {
            let name = name.clone();
            // Starting PostgreSQL takes seconds of a thread.
            tokio::task::spawn_blocking(move || Postgres::shared().database(&name)).await?
        };
        Ok(Self {
            temporal,
            folder,
            name,
            database,
        })
    }

    /// The Temporal server, `HOST:PORT`.
    pub fn temporal(&self) -> String {
        self.temporal.address().to_string()
    }

    /// The folder of the components.
    pub fn blobs_folder(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    /// The same as hosts are told it.
    pub fn blobs(&self) -> String {
        format!("file://{}", self.blobs_folder().display())
    }

    /// Where PostgreSQL listens.
    pub fn database_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], Postgres::shared().port()))
    }

    /// The database's URL with another address in it: that of a proxy.
    pub fn database_at(&self, address: SocketAddr) -> String {
        let own = self.database_address().to_string();
        self.database.replace(&own, &address.to_string())
    }

    /// The folder of the host `name`.
    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a host: `role` is `all`, `server` or `worker`.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn host(&self, name: &str, role: &str) -> anyhow::Result<Host> {
        self.host_with(name, role, &[]).await
    }

    /// The same, on the way to the database that `database` names.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn host_on(&self, name: &str, role: &str, database: &str) -> anyhow::Result<Host> {
        self.host_with(name, role, &[(DATABASE, database)]).await
    }

    /// The same, with further variables of its environment; the last one of a name counts.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn host_with(
        &self,
        name: &str,
        role: &str,
        variables: &[(&'static str, &str)],
    ) -> anyhow::Result<Host> {
        let mut all = vec![
            ("TENTERHOOK_ROLE", role.to_owned()),
            ("TENTERHOOK_BLOBS", self.blobs()),
            (DATABASE, self.database.clone()),
        ];
        all.extend(
            variables
                .iter()
                .map(|&(name, value)| (name, value.to_owned())),
        );
        Host::serve_with(&self.data_dir(name), &self.temporal(), all).await
    }

    /// Runs a statement in the database and answers its rows, a line each, columns parted by `|`.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn sql(&self, statement: &str) -> String {
        Postgres::shared().sql(&self.name, statement)
    }
}
