//! What the host remembers: tenants, environments, plugins, releases, grants, configuration, tokens, signing
//! keys, the plugins' secrets and key-value state, and components by digest.
//!
//! There is one trait a noun, and [`Store`] holds one implementation of each. Behind them stand SQLite and a folder for
//! one host, or PostgreSQL and an S3 bucket for many: [`StoreConfig`] says which, and no caller notices.
//!
//! Two rules hold for every write. A blob is stored before the row that names it, so that no row points at
//! nothing; and what was answered is on disk.

mod allowance;
mod blob;
mod change;
mod config;
mod context_key;
mod lane;
mod line;
mod page;
mod payload_key;
mod plugin;
mod postgres;
mod release;
mod secret;
mod sql;
mod sqlite;
mod state;
mod task_failure;
mod tenant;
mod token;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope, audit::Author, component::CompiledShelf,
    release::Release,
};

pub use allowance::{Allowances, Kept, Taken};
pub use blob::{BLOB_BYTES_MAX, Blob, Blobs, ObjectBlobs};
pub use change::{CHANGES_QUEUED_MAX, Change, ChangeListener, Changes};
pub use config::StoreConfig;
pub use context_key::ContextKeyRing;
pub use lane::Lanes;
pub use line::{AuditFilter, AuditLog, Lines};
pub use page::{Cursor, PAGE_ITEMS_MAX};
pub use payload_key::{PayloadKeys, TenantEncryption};
pub use plugin::{
    CONFIG_BYTES_MAX, CONFIG_KEY_CHARS_MAX, CONFIG_KEYS_MAX, CONFIG_VALUE_BYTES_MAX, Config,
    Plugin, PluginSnapshot, Plugins, Setting, check_config,
};
pub use release::{Checked, Findings, NewRelease, ReleaseKey, Releases};
pub use secret::{SecretEntry, Secrets};
pub use state::{Bucket, KeyValueState, STATE_KEY_BYTES_MAX, StateRoom};
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
    /// What admins allow them.
    pub allowances: Arc<dyn Allowances>,
    /// Their environments.
    pub environments: Arc<dyn Environments>,
    /// Plugins of a scope, their grants and configuration.
    pub plugins: Arc<dyn Plugins>,
    /// Releases of a plugin.
    pub releases: Arc<dyn Releases>,
    /// Which release new executions start on, by plugin.
    pub lines: Arc<dyn Lines>,
    /// Lanes of scopes' own.
    pub lanes: Arc<dyn Lanes>,
    /// Who did what.
    pub audit: Arc<dyn AuditLog>,
    /// API tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Keys that sign contexts.
    pub context_keys: Arc<dyn ContextKeyRing>,
    /// Components by digest.
    pub blobs: Arc<dyn Blobs>,
    /// Compiled code that hosts leave for one another; sealed by those who put it there.
    pub compiled: Arc<dyn CompiledShelf>,
    /// Runs whose task failed, for the guard of a ramp.
    pub task_failures: Arc<dyn TaskFailures>,
    /// The keys of tenants' payloads, encrypted.
    pub payload_keys: Arc<dyn PayloadKeys>,
    /// The plugins' secrets, encrypted.
    pub secrets: Arc<dyn Secrets>,
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
        make_private_folder(folder)?;
        let blobs = folder.join(BLOBS_FOLDER);
        make_private_folder(&blobs)?;
        let blobs = ObjectBlobs::in_folder(&blobs)?;
        let changes = Changes::default();
        let database = sqlite::Db::open(&folder.join(DATABASE_FILE), changes.clone()).await?;
        Ok(Self::of(database, blobs, changes))
    }

    /// Opens the store that `config` names, and brings the database's tables up to date. Hosts that share a database
    /// may do so at once.
    ///
    /// # Errors
    /// `host-config-invalid` for an address that cannot be read; `store-failed` when the database cannot be reached,
    /// has a newer version's tables, or when the folder of the components cannot be used. Whether a bucket is there is
    /// found out with the first component.
    pub async fn connect(config: &StoreConfig) -> Result<Self> {
        let blobs = ObjectBlobs::at(&config.blobs, &config.aws)?;
        let changes = Changes::default();
        if let Some(file) = config.sqlite_file() {
            if let Some(folder) = file.parent() {
                make_private_folder(folder)?;
            }
            let database = sqlite::Db::open(file, changes.clone()).await?;
            return Ok(Self::of(database, blobs, changes));
        }
        let database = postgres::Db::connect(&config.database, changes.clone()).await?;
        Ok(Self::of(database, blobs, changes))
    }

    fn of<D>(database: D, blobs: ObjectBlobs, changes: Changes) -> Self
    where
        D: Tenants
            + Allowances
            + Environments
            + Plugins
            + Releases
            + Lanes
            + Lines
            + AuditLog
            + Tokens
            + ContextKeyRing
            + TaskFailures
            + PayloadKeys
            + Secrets
            + KeyValueState
            + Database,
    {
        let database = Arc::new(database);
        let blobs = Arc::new(blobs);
        Self {
            tenants: database.clone(),
            allowances: database.clone(),
            environments: database.clone(),
            plugins: database.clone(),
            releases: database.clone(),
            lines: database.clone(),
            lanes: database.clone(),
            audit: database.clone(),
            tokens: database.clone(),
            context_keys: database.clone(),
            compiled: blobs.clone(),
            blobs,
            task_failures: database.clone(),
            payload_keys: database.clone(),
            secrets: database.clone(),
            state: database.clone(),
            changes,
            database,
        }
    }

    /// Stores a component and then its release, which waits for its checks from then on.
    ///
    /// Repeating it with the same bytes changes nothing and answers the release that is there.
    ///
    /// # Errors
    /// `tenant-not-found` or `environment-not-found`; `quota-exceeded`; `internal` when `component` is not what
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
        // The same for those who push over a quota; `insert` looks again, when nobody else can take the room.
        if !self
            .releases
            .is_kept(scope, plugin, &release.digest)
            .await?
        {
            let tenant = &scope.tenant;
            self.allowances.admit_release(tenant, release.bytes).await?;
        }
        self.blobs.put(&release.digest, component.clone()).await?;
        let answer = self.releases.insert(scope, plugin, release, author).await?;
        // Between the two, a sweep may have found bytes that nobody needed: see `discard`.
        if !self.blobs.contains(&release.digest).await? {
            self.blobs.put(&release.digest, component).await?;
        }
        Ok(answer)
    }

    /// Removes the bytes of `digest`, and what hosts made of them, if no release of any scope needs them; false when one does. A push of the same
    /// bytes at the same time wins: either it is seen here and the bytes are put back, or it sees that they are gone and
    /// puts them.
    ///
    /// # Errors
    /// `store-failed`.
    pub async fn discard(&self, digest: &Digest) -> Result<bool> {
        if self.releases.needs(digest).await? {
            return Ok(false);
        }
        let kept = match self.blobs.get(digest).await {
            Ok(bytes) => Some(bytes),
            Err(error) if error.code() == Code::ComponentMissing => {
                // Compiled from bytes that were never kept, or after another host had let go of them.
                self.compiled.delete(digest).await?;
                return Ok(true);
            }
            // Damaged bytes are worth nothing to anybody.
            Err(_) => None,
        };
        self.compiled.delete(digest).await?;
        self.blobs.delete(digest).await?;
        if !self.releases.needs(digest).await? {
            return Ok(true);
        }
        if let Some(bytes) = kept {
            self.blobs.put(digest, bytes).await?;
        }
        Ok(false)
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

pub(crate) fn make_private_folder(folder: &Path) -> Result<()> {
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
