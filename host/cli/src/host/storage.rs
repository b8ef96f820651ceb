//! Where a host keeps what it knows: in its data folder, or in a database and a place for components that hosts share.

use anyhow::bail;
use tenterhook_store::Store;

use super::data_dir::DataDir;
use crate::host_options::ServeOptions;

pub(super) struct Storage {
    database: Option<String>,
    blobs: Option<String>,
}

impl Storage {
    /// SQLite and a folder, both in the data folder.
    pub(super) fn in_data_folder() -> Self {
        Self {
            database: None,
            blobs: None,
        }
    }

    /// What the operator asks for.
    pub(super) fn of(options: &ServeOptions) -> anyhow::Result<Self> {
        if options.database.is_some() && options.blobs.is_none() {
            bail!(
                "--database is given without --blobs: hosts that share a database share their components too; \
                 give --blobs s3://BUCKET/PREFIX, or --blobs file:///FOLDER"
            );
        }
        Ok(Self {
            database: options.database.clone(),
            blobs: options.blobs.clone(),
        })
    }

    pub(super) async fn open(&self, data: &DataDir) -> anyhow::Result<Store> {
        Ok(Store::open(data.path()).await?)
    }
}
