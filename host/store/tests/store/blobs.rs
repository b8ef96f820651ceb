//! Components by digest.

use std::path::Path;

use bytes::Bytes;
use tenterhook_domain::{Code, Digest};
use tenterhook_store::{BLOBS_FOLDER, Written};

use crate::{Fixture, fixture};

#[tokio::test]
async fn blobs_are_checked_against_their_digest() {
    let Fixture { store, folder } = fixture().await;
    let digest = Digest::of(b"one");
    let missing = store.blobs.get(&digest).await.unwrap_err();
    assert_eq!(missing.code(), Code::ComponentMissing);
    let other = store.blobs.put(&digest, Bytes::from_static(b"two")).await;
    assert_eq!(other.unwrap_err().code(), Code::Internal);

    let one = || Bytes::from_static(b"one");
    assert_eq!(
        store.blobs.put(&digest, one()).await.unwrap(),
        Written::Created
    );
    assert_eq!(
        store.blobs.put(&digest, one()).await.unwrap(),
        Written::Unchanged
    );

    let file = only_file(&folder.path().join(BLOBS_FOLDER));
    std::fs::write(&file, b"One").unwrap();
    let damaged = store.blobs.get(&digest).await.unwrap_err();
    assert_eq!(damaged.code(), Code::StoreFailed);
    store.blobs.put(&digest, one()).await.unwrap();
    assert_eq!(
        store.blobs.get(&digest).await.unwrap(),
        one(),
        "a push repairs it"
    );
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [entry] = entries.as_slice() else {
        panic!("{} holds {entries:?}", folder.display())
    };
    if entry.is_dir() {
        only_file(entry)
    } else {
        entry.clone()
    }
}
