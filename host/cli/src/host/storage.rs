//! Where a host keeps what it knows: in its data folder, or in a database and a place for components that hosts share.

use std::path::Path;

use anyhow::bail;
use tenterhook_store::{BLOBS_FOLDER, DATABASE_FILE, Store, StoreConfig};

use crate::host_options::ServeOptions;

pub(super) enum Storage {
    /// SQLite and a folder, both in the data folder.
    DataFolder,
    /// What the operator names.
    Named {
        database: Option<String>,
        blobs: Option<String>,
        aws: Vec<(String, String)>,
    },
}

impl Storage {
    /// What the operator asks for.
    pub(super) fn of(options: &ServeOptions) -> anyhow::Result<Self> {
        let (database, blobs) = (options.database.clone(), options.blobs.clone());
        if database.is_some() && blobs.is_none() {
            // In the data folder they would be out of the other hosts' sight, and executions of theirs would wait.
            bail!(
                "--database is given without --blobs: hosts that share a database share their components too; \
                 give --blobs s3://BUCKET/PREFIX, or --blobs file:///FOLDER"
            );
        }
        if database.is_none() && blobs.is_none() {
            return Ok(Self::DataFolder);
        }
        let aws = options.aws.clone();
        Ok(Self::Named {
            database,
            blobs,
            aws,
        })
    }

    /// True if other hosts are on the same database and components.
    pub(super) fn is_shared(&self) -> bool {
        matches!(
            self,
            Self::Named {
                database: Some(_),
                ..
            }
        )
    }

    pub(super) async fn open(self, data: &Path) -> anyhow::Result<Store> {
        let Self::Named {
            database,
            blobs,
            aws,
        } = self
        else {
            return Ok(Store::open(data).await?);
        };
        let config = StoreConfig {
            database: database
                .unwrap_or_else(|| format!("sqlite:{}", data.join(DATABASE_FILE).display())),
            blobs: blobs.unwrap_or_else(|| format!("file://{}", data.join(BLOBS_FOLDER).display())),
            aws,
        };
        Ok(Store::connect(&config).await?)
    }
}
