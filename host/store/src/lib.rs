//! What the host remembers: tenants, environments, plugins, releases, grants, configuration, tokens, signing
//! keys, the plugins' key-value state, and components by digest.
//!
//! There is one trait a noun, and [`Store`] holds one implementation of each. Behind them stand SQLite for
//! rows and a folder for blobs; another database or an object store takes their place without a change to
//! the callers.
//!
//! Two rules hold for every write. A blob is stored before the row that names it, so that no row points at
//! nothing; and what was answered is on disk.

mod blob;
mod change;
mod context_key;
mod line;
mod page;
mod plugin;
mod release;
mod sqlite;
mod state;
mod task_failure;
mod tenant;
mod token;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use tenterhook_domain::{
    Digest, Error, PluginName, Result, Scope, audit::Author, error::Code, release::Release,
};

pub use blob::{BLOB_BYTES_MAX, Blobs, ObjectBlobs};
pub use change::{CHANGES_QUEUED_MAX, Change, ChangeListener, Changes};
pub use context_key::{CONTEXT_KEYS_MAX, ContextKeyRing};
pub use line::{AuditFilter, AuditLog, Lines};
pub use page::{Cursor, PAGE_ITEMS_MAX};
pub use plugin::{
    CONFIG_BYTES_MAX, CONFIG_KEY_CHARS_MAX, CONFIG_KEYS_MAX, CONFIG_VALUE_BYTES_MAX, Config,
    Plugin, PluginSnapshot, Plugins, check_config,
};
pub use release::{Checked, Findings, NewRelease, ReleaseKey, Releases};
pub use state::{Bucket, KeyValueState};
pub use task_failure::{FailedRuns, TaskFailures};
pub use tenant::{Environments, Tenants};
pub use token::Tokens;

/// The database's file inside the data folder.
pub const DATABASE_FILE: &str = "tenterhook.db";
/// The components' folder inside the data folder.
pub const BLOBS_FOLDER: &str = "blobs";

/// What a write that may be repeated did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The thing is new.
    Created,
    /// It was there already; nothing changed.
    Unchanged,
}

/// The database as a whole.
#[async_trait::async_trait]
pub trait Database: Send + Sync + 'static {
    /// Asks it for an answer.
    ///
    /// # Errors
    /// `store-failed` when there is none.
    async fn ping(&self) -> Result<()>;
    /// Finishes what is under way and lets go of it. Every later call fails.
    async fn close(&self);
}

/// Everything that is remembered, one door a noun. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// Tenants.
    pub tenants: Arc<dyn Tenants>,
    /// Their environments.
    pub environments: Arc<dyn Environments>,
    /// Plugins of a scope, their grants and configuration.
    pub plugins: Arc<dyn Plugins>,
    /// Releases of a plugin.
    pub releases: Arc<dyn Releases>,
    /// Which release new executions start on, by plugin.
    pub lines: Arc<dyn Lines>,
    /// Who did what.
    pub audit: Arc<dyn AuditLog>,
    /// API tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Keys that sign contexts.
    pub context_keys: Arc<dyn ContextKeyRing>,
    /// Components by digest.
    pub blobs: Arc<dyn Blobs>,
    /// Runs whose task failed, for the guard of a ramp.
    pub task_failures: Arc<dyn TaskFailures>,
    /// The plugins' own state.
    pub state: Arc<dyn KeyValueState>,
    /// Tells who listens of plugins that changed.
    pub changes: Changes,
    /// The database behind all of it.
    pub database: Arc<dyn Database>,
}

impl Store {
    /// Opens the store in `folder`, making what is not there. Only the folder's owner can read it, for it holds
    /// signing keys.
    ///
    /// # Errors
    /// `store-failed` when the folder cannot be used or holds a newer version's data.
    pub async fn open(folder: &Path) -> Result<Self> {
        let changes = Changes::default();
        make_private_folder(folder)?;
        let blobs = folder.join(BLOBS_FOLDER);
        make_private_folder(&blobs)?;
        let sqlite =
            Arc::new(sqlite::Sqlite::open(&folder.join(DATABASE_FILE), changes.clone()).await?);
        Ok(Self {
            tenants: sqlite.clone(),
            environments: sqlite.clone(),
            plugins: sqlite.clone(),
            releases: sqlite.clone(),
            lines: sqlite.clone(),
            audit: sqlite.clone(),
            tokens: sqlite.clone(),
            context_keys: sqlite.clone(),
            blobs: Arc::new(ObjectBlobs::in_folder(&blobs)?),
            task_failures: sqlite.clone(),
            state: sqlite.clone(),
            changes,
            database: sqlite,
        })
    }

    /// Stores a component and then its release, which waits for its checks from then on.
    ///
    /// Repeating it with the same bytes changes nothing and answers the release that is there.
    ///
    /// # Errors
    /// `tenant-not-found` or `environment-not-found`; `internal` when `component` is not what
    /// `release.digest` names; `store-failed`.
    pub async fn publish(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        release: &NewRelease,
        component: Bytes,
        author: &Author,
    ) -> Result<(Written, Release)> {
        // Looked at first, so that nobody leaves blobs behind by pushing to a scope that is not there.
        self.environments.require(scope).await?;
        self.blobs.put(&release.digest, component.clone()).await?;
        let inserted = self.releases.insert(scope, plugin, release, author).await?;
        // A sweep may have found the blob without a row a moment ago. From here on it finds the row, and what it
        // took away before is put back.
        if !self.blobs.contains(&release.digest).await? {
            self.blobs.put(&release.digest, component).await?;
        }
        Ok(inserted)
    }

    /// The component of a release of this scope. A digest that only another scope has is not found.
    ///
    /// # Errors
    /// `release-not-found`, `component-missing` or `store-failed`.
    pub async fn component(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: &Digest,
    ) -> Result<Bytes> {
        self.releases.get(scope, plugin, digest).await?;
        self.blobs.get(digest).await
    }
}

fn make_private_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        Error::new(
            Code::StoreFailed,
            format!("the folder {} cannot be made", folder.display()),
        )
        .caused_by(error)
    })
}
