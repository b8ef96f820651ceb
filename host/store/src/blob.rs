//! Components by digest.

mod bucket;
mod shelf;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, local::LocalFileSystem,
    path::Path as ObjectPath,
};
use tenterhook_domain::{
    Code, Digest, Error, Result, component::COMPONENT_BYTES_MAX, execution::Page,
};

use crate::{Cursor, Written};

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
    /// Removes them; no error when they are not there. Ask [`crate::Store::discard`], which looks whether a release
    /// needs them.
    ///
    /// # Errors
    /// `store-failed`.
    async fn delete(&self, digest: &Digest) -> Result<()>;
    /// All blobs by digest, for sweeps of those without a release. What is put meanwhile may be missing.
    ///
    /// # Errors
    /// `request-invalid` for a cursor that is none, `store-failed`.
    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<Blob>>;
}

/// A blob as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its name.
    pub digest: Digest,
    /// Its size, in bytes.
    pub bytes: u64,
    /// When it was stored, milliseconds since the Unix epoch, by the clock of whatever holds it.
    pub stored_at: u64,
}

/// Blobs in an object store: a folder, or a bucket.
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

    /// Blobs at `url`: `file:///FOLDER`, which is made if it is not there, or `s3://BUCKET/PREFIX` with what `aws` says
    /// (see [`crate::StoreConfig`]). Nothing is asked of a bucket yet.
    ///
    /// # Errors
    /// `host-config-invalid` for a URL or a setting that cannot be read, `store-failed` for a folder that cannot be used.
    pub fn at(url: &str, aws: &[(String, String)]) -> Result<Self> {
        let refused = || {
            Error::new(
                Code::HostConfigInvalid,
                format!(
                    "components cannot be kept at {url:?}: use s3://BUCKET/PREFIX or file:///FOLDER"
                ),
            )
        };
        let parsed = url::Url::parse(url).map_err(|error| refused().caused_by(error))?;
        match parsed.scheme() {
            "file" => {
                let folder = parsed.to_file_path().map_err(|()| refused())?;
                crate::make_private_folder(&folder)?;
                Self::in_folder(&folder)
            }
            "s3" => bucket::open(&parsed, aws).map(Self::new),
            _ => Err(refused()),
        }
    }

    /// The blobs whose digests begin with the byte `first`, by digest.
    async fn list_beginning(&self, first: u8) -> Result<Vec<Blob>> {
        let prefix = ObjectPath::from_iter(["sha256", hex::encode([first]).as_str()]);
        let found: Vec<_> = self
            .objects
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|error| {
                Error::new(Code::StoreFailed, "the components could not be listed").caused_by(error)
            })?;
        let mut blobs: Vec<Blob> = found.iter().filter_map(read).collect();
        blobs.sort_by_key(|blob| blob.digest.hex());
        Ok(blobs)
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

    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<Blob>> {
        let after: Option<Digest> = cursor.after.map(str::parse).transpose().map_err(|_| {
            Error::new(
                Code::RequestInvalid,
                "that is not the cursor of a list of components",
            )
        })?;
        // A folder's entries come in no order, so they are put in order a first byte at a time: a 256th of all.
        let first = after.map_or(0, |digest| digest.as_bytes()[0]);
        let mut found = Vec::new();
        for byte in first..=u8::MAX {
            let blobs = self.list_beginning(byte).await?;
            let next = |blob: &Blob| after.is_none_or(|after| blob.digest.hex() > after.hex());
            found.extend(blobs.into_iter().filter(next));
            if found.len() > cursor.limit() {
                break;
            }
        }
        Ok(cursor.page(found, |blob| blob.digest.to_string()))
    }
}

/// What an object is; none for one that is no blob.
fn read(object: &object_store::ObjectMeta) -> Option<Blob> {
    let digest = format!("sha256:{}", object.location.filename()?);
    Some(Blob {
        digest: digest.parse().ok()?,
        bytes: object.size,
        stored_at: u64::try_from(object.last_modified.timestamp_millis()).unwrap_or(0),
    })
}

/// The first byte parts the blobs into folders, so that none grows too large to list.
fn place(digest: &Digest) -> ObjectPath {
    let hex = digest.hex();
    ObjectPath::from_iter(["sha256", &hex[..2], &hex])
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
