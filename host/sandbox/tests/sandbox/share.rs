//! Compiled code that hosts leave for one another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;
use tenterhook_domain::{Code, Digest, Error, Result, component::CompiledShelf};
use tenterhook_sandbox::Share;

use crate::{Place, guest, owner};

const GUEST: &str = "test-native-sdk";

/// A shelf in memory that anybody can write to.
#[derive(Default)]
struct Shelf {
    lies: Mutex<HashMap<(Digest, String), Bytes>>,
}

impl Shelf {
    /// Changes all that lies there.
    fn tamper(&self, with: impl Fn(&mut Vec<u8>)) {
        for bytes in self.lies.lock().unwrap().values_mut() {
            let mut changed = bytes.to_vec();
            with(&mut changed);
            *bytes = changed.into();
        }
    }
}

#[async_trait]
impl CompiledShelf for Shelf {
    async fn get(&self, digest: &Digest, engines: &str) -> Result<Option<Bytes>> {
        let lies = self.lies.lock().unwrap();
        Ok(lies.get(&(*digest, engines.to_owned())).cloned())
    }

    async fn put(&self, digest: &Digest, engines: &str, code: Bytes) -> Result<()> {
        let mut lies = self.lies.lock().unwrap();
        lies.insert((*digest, engines.to_owned()), code);
        Ok(())
    }

    async fn delete(&self, digest: &Digest) -> Result<()> {
        let mut lies = self.lies.lock().unwrap();
        lies.retain(|(other, _), _| other != digest);
        Ok(())
    }
}

/// A host with nothing compiled of its own, that knows `secrets`.
fn host(shelf: &Arc<Shelf>, secrets: &[u8]) -> (Place, TempDir) {
    let folder = TempDir::new().unwrap();
    let share = Share {
        shelf: shelf.clone(),
        secrets: secrets.iter().map(|byte| [*byte; 32]).collect(),
    };
    (Place::with(folder.path(), None, Some(share)), folder)
}

/// True if `place` runs the guest without its bytes.
async fn has_it(place: &Place) -> bool {
    let nothing = async { Err(Error::new(Code::ComponentMissing, "nothing to fetch")) };
    let digest = Digest::of(&guest(GUEST));
    match place.sandbox.load(digest, nothing).await {
        Ok(loaded) => {
            let workflows = loaded.workflows(Arc::default(), owner(digest));
            assert!(workflows.is_some(), "it has lost its workflows");
            true
        }
        Err(error) => {
            assert_eq!(error.code(), Code::ComponentMissing);
            false
        }
    }
}

#[tokio::test]
async fn one_host_compiles_for_all_that_know_its_secret() {
    let shelf = Arc::new(Shelf::default());
    let (first, _folder) = host(&shelf, &[1]);
    assert!(!has_it(&first).await);
    first.load(&guest(GUEST)).await;
    let (second, folder) = host(&shelf, &[1]);
    assert!(has_it(&second).await);
    // From now on it has its own.
    shelf.lies.lock().unwrap().clear();
    assert!(has_it(&Place::at(folder.path())).await);
}

#[tokio::test]
async fn what_an_older_secret_sealed_is_taken_and_what_another_one_sealed_is_not() {
    let shelf = Arc::new(Shelf::default());
    let (first, _folder) = host(&shelf, &[1]);
    first.load(&guest(GUEST)).await;
    let (rotated, _folder) = host(&shelf, &[2, 1]);
    assert!(has_it(&rotated).await);
    let (stranger, _folder) = host(&shelf, &[2]);
    assert!(!has_it(&stranger).await);
    // It compiles for itself and those who know its secret.
    stranger.load(&guest(GUEST)).await;
    let (other, _folder) = host(&shelf, &[2]);
    assert!(has_it(&other).await);
}

#[tokio::test]
async fn no_byte_of_what_was_tampered_with_is_run() {
    let shelf = Arc::new(Shelf::default());
    let (first, _folder) = host(&shelf, &[1]);
    first.load(&guest(GUEST)).await;
    let whole = shelf.lies.lock().unwrap().clone();
    let ways: [fn(&mut Vec<u8>); 6] = [
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[0] ^= 1,
        |bytes| bytes[40] ^= 1,
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| bytes.push(0),
        Vec::clear,
    ];
    for way in ways {
        *shelf.lies.lock().unwrap() = whole.clone();
        shelf.tamper(way);
        let (second, _folder) = host(&shelf, &[1]);
        assert!(!has_it(&second).await);
    }
    // What is sealed for one component is no other one's.
    let other = Digest::of(b"another");
    let moved = whole.into_iter();
    *shelf.lies.lock().unwrap() = moved
        .map(|((_, engines), code)| ((other, engines), code))
        .collect();
    let (second, _folder) = host(&shelf, &[1]);
    let nothing = async { Err(Error::new(Code::ComponentMissing, "nothing to fetch")) };
    let refused = second.sandbox.load(other, nothing).await.unwrap_err();
    assert_eq!(refused.code(), Code::ComponentMissing);
}
