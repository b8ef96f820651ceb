//! Where a host keeps what it knows: in its data folder, or in a database and a place for components that hosts share.

use std::path::Path;

use anyhow::bail;
use tenterhook_store::Store;

use crate::host_options::ServeOptions;

pub(super) enum Storage {
    /// SQLite and a folder, both in the data folder.
    DataFolder,
    /// What the operator names.
    #[allow(dead_code)]
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

    pub(super) async fn open(self, data: &Path) -> anyhow::Result<Store> {
        let Self::Named { .. } = self else {
            return Ok(Store::open(data).await?);
        };
        bail!("this build knows no other place than the data folder")
    }
}
