//! Components by digest.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, local::LocalFileSystem,
    path::Path as ObjectPath,
};
use tenterhook_domain::{Code, Digest, Error, Result, component::COMPONENT_BYTES_MAX};

use crate::Written;

/// Largest blob that is stored or read, in bytes.
pub const BLOB_BYTES_MAX: usize = COMPONENT_BYTES_MAX;

/// Immutable bytes, each under its own digest.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Stores `bytes` unless they are there. They are visible as a whole or not at all, and on disk on return.
    ///
    /// # Errors
    /// `internal` when `bytes` are not what `digest` names, `component-too-large`, `store-failed`.
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<Written>;
    /// The bytes, checked against their digest.
    ///
    /// # Errors
    /// `component-missing` when they are not there, `store-failed` when they changed on disk or cannot be read.
    async fn get(&self, digest: &Digest) -> Result<Bytes>;
    /// True if they are there; nothing is checked.
    ///
    /// # Errors
    /// `store-failed`.
    async fn contains(&self, digest: &Digest) -> Result<bool>;
    /// Removes the bytes. What is not there is removed already.
    ///
    /// # Errors
    /// `store-failed`.
    async fn delete(&self, digest: &Digest) -> Result<()>;
    /// All blobs, each with the time it was stored, in milliseconds since the Unix epoch; in no order.
    ///
    /// # Errors
    /// `store-failed`.
    async fn list(&self) -> Result<Vec<(Digest, u64)>>;
}

/// Blobs in an object store: a folder today, a bucket when one is configured.
pub struct ObjectBlobs {
    objects: Arc<dyn ObjectStore>,
}

impl ObjectBlobs {
    /// Blobs in `objects`.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// Blobs in `folder`, which must be there.
    ///
    /// # Errors
    /// `store-failed` when it cannot be used.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| {
                Error::new(
                    Code::StoreFailed,
                    format!("the folder {} cannot hold components", folder.display()),
                )
                .caused_by(error)
            })?
            .with_fsync(true);
        Ok(Self::new(Arc::new(files)))
    }

    async fn write(&self, digest: &Digest, bytes: Bytes, mode: PutMode) -> Result<Written> {
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let payload = PutPayload::from_bytes(bytes);
        match self
            .objects
            .put_opts(&place(digest), payload, options)
            .await
        {
            Ok(_) => Ok(Written::Created),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Written::Unchanged),
            Err(error) => Err(failed("written", digest, error)),
        }
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<Written> {
        if bytes.len() > BLOB_BYTES_MAX {
            return Err(Error::new(
                Code::ComponentTooLarge,
                format!(
                    "the component has {} bytes: {BLOB_BYTES_MAX} at most",
                    bytes.len()
                ),
            ));
        }
        let actual = digest_of(bytes.clone()).await?;
        if actual != *digest {
            return Err(Error::new(
                Code::Internal,
                format!("component {actual} was to be stored as {digest}"),
            ));
        }
        let written = self.write(digest, bytes.clone(), PutMode::Create).await?;
        if written == Written::Unchanged && self.get(digest).await.is_err() {
            // What stands there is damaged, and these bytes are known to be good: a push repairs it.
            tracing::warn!(%digest, "a damaged component was replaced");
            return self.write(digest, bytes, PutMode::Overwrite).await;
        }
        Ok(written)
    }

    async fn get(&self, digest: &Digest) -> Result<Bytes> {
        let found = match self.objects.get(&place(digest)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::new(
                    Code::ComponentMissing,
                    format!("the component {digest} is missing from the store: push it again"),
                ));
            }
            Err(error) => return Err(failed("read", digest, error)),
        };
        let damaged = || {
            Error::new(
                Code::StoreFailed,
                format!("the component {digest} changed in the store: push it again"),
            )
        };
        if found.meta.size > BLOB_BYTES_MAX as u64 {
            return Err(damaged());
        }
        let bytes = found
            .bytes()
            .await
            .map_err(|error| failed("read", digest, error))?;
        if digest_of(bytes.clone()).await? != *digest {
            return Err(damaged());
        }
        Ok(bytes)
    }

    async fn contains(&self, digest: &Digest) -> Result<bool> {
        match self.objects.head(&place(digest)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed("read", digest, error)),
        }
    }

    async fn delete(&self, digest: &Digest) -> Result<()> {
        match self.objects.delete(&place(digest)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("removed", digest, error)),
        }
    }

    async fn list(&self) -> Result<Vec<(Digest, u64)>> {
        let unlisted = |error: object_store::Error| {
            Error::new(Code::StoreFailed, "the components could not be listed").caused_by(error)
        };
        let root = ObjectPath::from(FOLDER);
        let folders = self.objects.list_with_delimiter(Some(&root)).await;
        let mut blobs = Vec::new();
        for folder in folders.map_err(unlisted)?.common_prefixes {
            let listed = self.objects.list_with_delimiter(Some(&folder)).await;
            for object in listed.map_err(unlisted)?.objects {
                let name = object.location.filename().unwrap_or_default();
                // Whatever else lies there is nobody's blob.
                if let Ok(digest) = format!("{FOLDER}:{name}").parse() {
                    let stored = object.last_modified.timestamp_millis();
                    blobs.push((digest, u64::try_from(stored).unwrap_or(0)));
                }
            }
        }
        Ok(blobs)
    }
}

/// The folder of all blobs, after the hash that names them.
const FOLDER: &str = "sha256";

/// The first byte parts the blobs into folders, so that none grows too large to list.
fn place(digest: &Digest) -> ObjectPath {
    let hex = digest.hex();
    ObjectPath::from_iter([FOLDER, &hex[..2], &hex])
}

/// Hashing a large component takes long enough to hold up a runtime's thread.
async fn digest_of(bytes: Bytes) -> Result<Digest> {
    tokio::task::spawn_blocking(move || Digest::of(&bytes))
        .await
        .map_err(|error| Error::new(Code::Internal, "the digest was not computed").caused_by(error))
}

fn failed(done: &str, digest: &Digest, error: object_store::Error) -> Error {
    Error::new(
        Code::StoreFailed,
        format!("the component {digest} could not be {done}"),
    )
    .caused_by(error)
}
