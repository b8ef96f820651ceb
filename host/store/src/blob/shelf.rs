//! Compiled code that hosts leave for one another, beside the components.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, PutPayload, path::Path as ObjectPath};
use tenterhook_domain::{Code, Digest, Error, Result, component::CompiledShelf};

use super::ObjectBlobs;

/// Most bytes of compiled code that are read or written for one component: 32 times the largest component.
const SHELF_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// The folder of all of it.
const FOLDER: &str = "compiled";

#[async_trait]
impl CompiledShelf for ObjectBlobs {
    async fn get(&self, digest: &Digest, engines: &str) -> Result<Option<Bytes>> {
        let found = match self.objects.get(&place(digest, engines)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed("read", digest, error)),
        };
        if found.meta.size > SHELF_BYTES_MAX as u64 {
            return Ok(None);
        }
        let bytes = found.bytes().await;
        bytes
            .map(Some)
            .map_err(|error| failed("read", digest, error))
    }

    async fn put(&self, digest: &Digest, engines: &str, code: Bytes) -> Result<()> {
        if code.len() > SHELF_BYTES_MAX {
            // It is a help and no need: each host compiles what it does not find.
            return Ok(());
        }
        let payload = PutPayload::from_bytes(code);
        let put = self.objects.put(&place(digest, engines), payload).await;
        put.map(drop)
            .map_err(|error| failed("written", digest, error))
    }

    async fn put_before(&self, time: u64) -> Result<BTreeSet<Digest>> {
        let objects = self.objects.list(Some(&ObjectPath::from(FOLDER)));
        let old = objects.try_filter_map(async |object| {
            let put = u64::try_from(object.last_modified.timestamp_millis()).unwrap_or(0);
            let hex = object.location.parts().nth(1);
            let digest =
                hex.and_then(|hex| format!("sha256:{}", hex.as_ref()).parse::<Digest>().ok());
            Ok(digest.filter(|_| put < time))
        });
        old.try_collect().await.map_err(|error| {
            let detail = "the shared compiled code could not be listed";
            Error::new(Code::StoreFailed, detail).caused_by(error)
        })
    }

    async fn delete(&self, digest: &Digest) -> Result<()> {
        let folder = ObjectPath::from_iter([FOLDER, &digest.hex()]);
        let found = self.objects.list(Some(&folder)).try_collect::<Vec<_>>();
        let found = found
            .await
            .map_err(|error| failed("listed", digest, error))?;
        for object in found {
            match self.objects.delete(&object.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("removed", digest, error)),
            }
        }
        Ok(())
    }
}

fn place(digest: &Digest, engines: &str) -> ObjectPath {
    ObjectPath::from_iter([FOLDER, &digest.hex(), engines])
}

fn failed(done: &str, digest: &Digest, error: object_store::Error) -> Error {
    let detail = format!("the shared compiled code of {digest} could not be {done}");
    Error::new(Code::StoreFailed, detail).caused_by(error)
}
