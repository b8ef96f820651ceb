//! Compiled code that hosts leave for one another.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;
use tenterhook_domain::{
    Code, Digest, Error, Result,
    component::CompiledShelf,
    context::{ContextKeySet, ContextKeys, KeptContextKey},
};
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

    async fn put_before(&self, _: u64) -> Result<BTreeSet<Digest>> {
        let lies = self.lies.lock().unwrap();
        Ok(lies.keys().map(|(digest, _)| *digest).collect())
    }

    async fn delete(&self, digest: &Digest) -> Result<()> {
        let mut lies = self.lies.lock().unwrap();
        lies.retain(|(other, _), _| other != digest);
        Ok(())
    }
}

/// Keys with these secrets, made one after another, the first of which is retired when there are others.
fn keys(secrets: &[u8]) -> ContextKeys {
    let key = |(at, byte): (usize, &u8)| KeptContextKey {
        id: byte.to_string(),
        secret: [*byte; 32],
        made_at: 0,
        // Those after the second one only come.
        signs_from: if at < 2 { 0 } else { u64::MAX },
    };
    let kept: Vec<_> = secrets.iter().enumerate().map(key).collect();
    let set = ContextKeySet::new(kept.into_iter().rev().collect());
    set.unwrap().at(0)
}

/// A host with nothing compiled of its own, that knows the keys with these secrets.
fn host(shelf: &Arc<Shelf>, secrets: &[u8]) -> (Place, TempDir) {
    let folder = TempDir::new().unwrap();
    let share = Share {
        shelf: shelf.clone(),
        keys: Arc::new(keys(secrets)),
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
async fn what_the_next_key_sealed_is_taken_and_what_a_retired_one_sealed_is_not() {
    let shelf = Arc::new(Shelf::default());
    let (first, _folder) = host(&shelf, &[1, 2]);
    first.load(&guest(GUEST)).await;
    // A host that has not gone over to the newest key yet.
    let (behind, _folder) = host(&shelf, &[0, 1, 2]);
    assert!(has_it(&behind).await);
    let (rotated, _folder) = host(&shelf, &[2, 3]);
    assert!(!has_it(&rotated).await);
    let (stranger, _folder) = host(&shelf, &[9]);
    assert!(!has_it(&stranger).await);
    // It compiles for itself and those who know its key.
    stranger.load(&guest(GUEST)).await;
    let (other, _folder) = host(&shelf, &[9]);
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
