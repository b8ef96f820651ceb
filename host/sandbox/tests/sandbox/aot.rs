//! Compiled code on disk, and loading once.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tenterhook_domain::{Code, Digest, Error, component::CompiledCode as _};

use crate::{Place, guest};

fn place_in(dir: &TempDir) -> Place {
    Place::at(&dir.path().join("aot"))
}

fn files(dir: &TempDir, extension: &str) -> Vec<PathBuf> {
    fs::read_dir(dir.path().join("aot"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// A fetch that must not be needed.
async fn nothing_to_fetch() -> tenterhook_domain::Result<Bytes> {
    Err(Error::new(Code::ComponentMissing, "nothing to fetch"))
}

#[tokio::test]
async fn a_second_host_loads_what_the_first_compiled() {
    let dir = TempDir::new().unwrap();
    let bytes = guest("test-native-sdk");
    let digest = Digest::of(&bytes);
    place_in(&dir).load(&bytes).await;
    let again = place_in(&dir).sandbox;
    let loaded = again.load(digest, nothing_to_fetch()).await.unwrap();
    assert_eq!(loaded.digest(), digest);
    let mode = fs::metadata(dir.path().join("aot"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(files(&dir, "tmp").is_empty());
}

#[tokio::test]
async fn damaged_files_are_compiled_again() {
    let bytes = Bytes::from(guest("test-native-sdk"));
    let digest = Digest::of(&bytes);
    let damages: [fn(&TempDir); 4] = [
        |dir| {
            let file = &files(dir, "aot")[0];
            let mut code = fs::read(file).unwrap();
            let middle = code.len() / 2;
            code[middle] ^= 0xff;
            fs::write(file, code).unwrap();
        },
        |dir| {
            let file = &files(dir, "aot")[0];
            let code = fs::read(file).unwrap();
            fs::write(file, &code[..code.len() / 3]).unwrap();
        },
        |dir| fs::write(&files(dir, "json")[0], "{").unwrap(),
        |dir| fs::remove_file(&files(dir, "aot")[0]).unwrap(),
    ];
    for damage in damages {
        let dir = TempDir::new().unwrap();
        place_in(&dir).load(&bytes).await;
        damage(&dir);
        let again = place_in(&dir).sandbox;
        assert_eq!(
            again
                .load(digest, nothing_to_fetch())
                .await
                .unwrap_err()
                .code(),
            Code::ComponentMissing
        );
        let bytes = bytes.clone();
        again.load(digest, async { Ok(bytes) }).await.unwrap();
        let third = place_in(&dir).sandbox;
        third.load(digest, nothing_to_fetch()).await.unwrap();
    }
}

/// Who can write into the folder, and does not know the host's secret.
#[tokio::test]
async fn code_that_this_host_did_not_put_there_is_not_loaded() {
    let bytes = guest("test-native-sdk");
    let digest = Digest::of(&bytes);
    let is_refused = async |dir: &TempDir| {
        let again = place_in(dir).sandbox;
        let refused = again.load(digest, nothing_to_fetch()).await;
        assert_eq!(refused.unwrap_err().code(), Code::ComponentMissing);
    };

    // Other bytes, with a hash that fits them.
    let dir = TempDir::new().unwrap();
    place_in(&dir).load(&bytes).await;
    let manifest = &files(&dir, "json")[0];
    let mut said: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    for (kind, hash) in said["kinds"].as_object_mut().unwrap() {
        let of_kind = |file: &PathBuf| file.to_string_lossy().contains(kind.as_str());
        let file = files(&dir, "aot").into_iter().find(of_kind).unwrap();
        let mut code = fs::read(&file).unwrap();
        let middle = code.len() / 2;
        code[middle] ^= 0xff;
        *hash = blake3::hash(&code).to_hex().to_string().into();
        fs::write(&file, code).unwrap();
    }
    fs::write(manifest, said.to_string()).unwrap();
    is_refused(&dir).await;

    // What it made of another component, under this one's name.
    let dir = TempDir::new().unwrap();
    let other = guest("test-stamp");
    place_in(&dir).load(&other).await;
    let hex = |digest: Digest| digest.to_string().replace("sha256:", "");
    for file in [files(&dir, "aot"), files(&dir, "json")].concat() {
        let name = file.file_name().unwrap().to_string_lossy();
        let name = name.replace(&hex(Digest::of(&other)), &hex(digest));
        fs::rename(&file, file.with_file_name(name)).unwrap();
    }
    is_refused(&dir).await;

    // Without the secret nothing is this host's.
    let dir = TempDir::new().unwrap();
    place_in(&dir).load(&bytes).await;
    let secret = dir.path().join("aot.key");
    let mode = fs::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::remove_file(&secret).unwrap();
    is_refused(&dir).await;
}

#[tokio::test]
async fn many_callers_compile_once() {
    let dir = TempDir::new().unwrap();
    let place = place_in(&dir);
    let bytes = Bytes::from(guest("test-native-sdk"));
    let digest = Digest::of(&bytes);
    let fetched = AtomicUsize::new(0);
    let loads = (0..16).map(|_| {
        place.sandbox.load(digest, async {
            fetched.fetch_add(1, Ordering::SeqCst);
            Ok(bytes.clone())
        })
    });
    let loaded = futures_util::future::try_join_all(loads).await.unwrap();
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    assert!(loaded.iter().all(|other| Arc::ptr_eq(other, &loaded[0])));
}

#[tokio::test]
async fn other_bytes_than_the_digests_are_refused() {
    let place = Place::new();
    let digest = Digest::of(b"something else");
    let bytes = Bytes::from(guest("test-native-sdk"));
    let error = place
        .sandbox
        .load(digest, async { Ok(bytes) })
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ComponentMissing);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_from_memory_and_disk_and_its_instances_go_on() {
    let dir = TempDir::new().unwrap();
    let bytes = guest("test-native-sdk");
    let digest = Digest::of(&bytes);
    let place = place_in(&dir);
    let running = place.load(&bytes).await;
    assert_eq!(place.sandbox.held(), [digest]);
    place.sandbox.forget(&digest);
    assert!(place.sandbox.held().is_empty());
    assert!(files(&dir, "aot").is_empty() && files(&dir, "json").is_empty());
    let gone = place.sandbox.load(digest, nothing_to_fetch()).await;
    assert_eq!(gone.unwrap_err().code(), Code::ComponentMissing);
    assert_eq!(running.digest(), digest);
    // It comes back when it is needed again.
    place.load(&bytes).await;
    assert_eq!(place.sandbox.held(), [digest]);
}
