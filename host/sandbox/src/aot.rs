//! Compiled code on disk, so that a restart does not compile anew.
//!
//! Loading compiled code is as trusting as loading a shared library. So it is only ever loaded from a directory
//! that this host's user alone may enter, only if this host wrote it, and only if it is byte for byte what was
//! written: a manifest beside the files carries their BLAKE3 hashes (SHA-256 took most of the time of a load), made with
//! a secret of this host's that lies elsewhere, and over what each is the code of: who can only write there cannot make
//! one. Whatever does not fit is thrown away and compiled again. Nothing uploaded is ever taken for compiled code.

use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::SystemTime,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tenterhook_domain::{Code, Digest, Error, Result, secret_key};
use wasmtime::component::Component;
use zeroize::Zeroizing;

use crate::engine::{Engines, Kind};

/// Most bytes of compiled code that are kept on disk; the files used longest ago go first.
const AOT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Largest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: u64 = 4096;

/// The secret under which code is hashed.
type Secret = Zeroizing<[u8; blake3::KEY_LEN]>;

/// The hash of each kind's compiled code, in hex.
#[derive(Serialize, Deserialize)]
struct Manifest {
    kinds: BTreeMap<String, String>,
}

/// Compiled code of one component, by kind.
pub(crate) type Compiled = Vec<(Kind, Component)>;

/// The directory of compiled code.
pub(crate) struct AotFiles {
    dir: PathBuf,
    compatibility: u64,
    secret: Secret,
}

impl AotFiles {
    /// Uses `dir`, which is made if it is not there, and closed to others if it is open. Its secret is a file beside it.
    pub(crate) fn open(dir: &Path, compatibility: u64) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::new(
                Code::HostConfigInvalid,
                format!(
                    "the folder {} for compiled components cannot be used",
                    dir.display()
                ),
            )
            .caused_by(error)
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        Ok(Self {
            dir: dir.to_owned(),
            compatibility,
            secret: secret_at(&dir.with_extension("key")).map_err(failed)?,
        })
    }

    /// The compiled code of `digest`, if all of it is there and whole.
    pub(crate) fn load(&self, digest: &Digest, engines: &Engines) -> Option<Compiled> {
        match self.try_load(digest, engines) {
            Ok(compiled) => Some(compiled),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%digest, %error, "compiled code on disk is not usable; compiling again");
                self.remove(digest);
                None
            }
        }
    }

    /// The compiled code of `digest` that was just stored. What cannot be loaded is removed: it would be no use later.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub(crate) fn load_stored(&self, digest: &Digest, engines: &Engines) -> io::Result<Compiled> {
        let loaded = self.try_load(digest, engines);
        loaded.inspect_err(|_| self.remove(digest))
    }

    #[allow(unsafe_code)]
    fn try_load(&self, digest: &Digest, engines: &Engines) -> io::Result<Compiled> {
        let mut text = String::new();
        fs::File::open(self.manifest_path(digest))?
            .take(MANIFEST_BYTES_MAX)
            .read_to_string(&mut text)?;
        let manifest: Manifest = serde_json::from_str(&text)?;
        let mut compiled = Compiled::new();
        for kind in Kind::ALL {
            let Some(expected) = manifest.kinds.get(kind.as_str()) else {
                continue;
            };
            let path = self.code_path(digest, kind);
            let code = fs::File::open(&path)?;
            let hash = self.hasher(digest, kind).update_reader(code)?.finalize();
            // Compared in constant time, by the type's own equality.
            if blake3::Hash::from_hex(expected).ok() != Some(hash) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "its hash is not the one it was written with",
                ));
            }
            // SAFETY: the bytes are those that `store` got (the hash in the manifest, which only this host can make, says
            // so) from this wasmtime's compiler, in this process or in a child of the same program, or from another host
            // of the system, whose seal says that it got them in the same way; in a directory of mode 0700 into which
            // only this host's user can write, under a name that carries the engines' compatibility hash. The file is
            // replaced only by rename, never written in place, so the mapping does not change under the running code.
            let component = unsafe { Component::deserialize_file(engines.of(kind), &path) }
                .map_err(|error| io::Error::other(format!("{error:#}")))?;
            // The time of use decides what is pruned; a file whose time cannot be set is pruned sooner.
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
            compiled.push((kind, component));
        }
        Ok(compiled)
    }

    /// Keeps `codes`, compiled code by kind.
    ///
    /// # Errors
    /// When they are not on disk: nothing can be loaded then.
    pub(crate) fn store(&self, digest: &Digest, codes: &[(Kind, Bytes)]) -> io::Result<()> {
        self.try_store(digest, codes)?;
        if let Err(error) = self.prune() {
            tracing::warn!(%error, "old compiled code cannot be removed");
        }
        Ok(())
    }

    fn try_store(&self, digest: &Digest, codes: &[(Kind, Bytes)]) -> io::Result<()> {
        // Megabytes each, and somebody waits for the first result: side by side.
        let kinds = thread::scope(|scope| {
            let writers: Vec<_> = codes
                .iter()
                .map(|(kind, code)| scope.spawn(move || self.store_kind(digest, *kind, code)))
                .collect();
            writers
                .into_iter()
                .map(|writer| writer.join().map_err(|_| io::ErrorKind::Other)?)
                .collect::<io::Result<BTreeMap<_, _>>>()
        })?;
        // The manifest last: without it nothing is loaded.
        let manifest = serde_json::to_vec(&Manifest { kinds })?;
        self.replace(&self.manifest_path(digest), &manifest)
    }

    /// Writes the code of one kind; answers its name and hash.
    fn store_kind(&self, digest: &Digest, kind: Kind, code: &[u8]) -> io::Result<(String, String)> {
        self.replace(&self.code_path(digest, kind), code)?;
        let hash = self.hasher(digest, kind).update(code).finalize();
        Ok((kind.as_str().to_owned(), hash.to_hex().to_string()))
    }

    /// Begins the hash of code with whose it is, so that none passes for another's.
    fn hasher(&self, digest: &Digest, kind: Kind) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        let place = format!("{}\0{}\0", digest.hex(), kind.as_str());
        hasher.update(place.as_bytes());
        hasher.update(&self.compatibility.to_le_bytes());
        hasher
    }

    /// Puts `bytes` at `path` whole or not at all. The disk is not waited for: what a power cut leaves half written has
    /// another hash than the manifest says, and is compiled again.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = TemporaryFile::create(path)?;
        file.file.write_all(bytes)?;
        fs::rename(&file.path, path)
    }

    /// The components whose compiled code is here, made by whichever engines.
    pub(crate) fn held(&self) -> Vec<Digest> {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let manifests = names.filter(|name| name.ends_with(".json"));
        manifests
            .filter_map(|name| format!("sha256:{}", name.split('-').next()?).parse().ok())
            .collect()
    }

    /// Removes the compiled code of `digest`. Code that runs stays mapped as long as it does.
    pub(crate) fn remove(&self, digest: &Digest) {
        // Gone already is as good as removed.
        let _ = fs::remove_file(self.manifest_path(digest));
        for kind in Kind::ALL {
            let _ = fs::remove_file(self.code_path(digest, kind));
        }
    }

    /// Removes the files used longest ago until the rest fits into [`AOT_BYTES_MAX`].
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        let mut total = 0_u64;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let data = entry.metadata()?;
            total = total.saturating_add(data.len());
            files.push((data.modified()?, data.len(), entry.path()));
        }
        files.sort();
        for (_, bytes, path) in files {
            if total <= AOT_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            total = total.saturating_sub(bytes);
        }
        Ok(())
    }

    fn code_path(&self, digest: &Digest, kind: Kind) -> PathBuf {
        self.dir.join(format!(
            "{}-{}-{:016x}.aot",
            digest.hex(),
            kind.as_str(),
            self.compatibility
        ))
    }

    fn manifest_path(&self, digest: &Digest) -> PathBuf {
        self.dir
            .join(format!("{}-{:016x}.json", digest.hex(), self.compatibility))
    }
}

/// A file beside its destination that goes away unless it is renamed.
struct TemporaryFile {
    file: fs::File,
    path: PathBuf,
}

impl TemporaryFile {
    fn create(destination: &Path) -> io::Result<Self> {
        // Two processes may write the same destination, and two sandboxes of one: each has a name of its own.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let extension = format!("{}-{number}.tmp", std::process::id());
        let path = destination.with_extension(extension);
        let file = fs::File::create(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // After the rename there is nothing of that name.
        let _ = fs::remove_file(&self.path);
    }
}

/// The secret at `path`, made if there is none: then nothing is compiled yet, or all of it is compiled again.
fn secret_at(path: &Path) -> io::Result<Secret> {
    if let Some(secret) = read_secret(path)? {
        return Ok(secret);
    }
    let secret = secret_key::random::<{ blake3::KEY_LEN }>().map_err(io::Error::other)?;
    let mut file = TemporaryFile::create(path)?;
    file.file
        .set_permissions(fs::Permissions::from_mode(0o600))?;
    file.file.write_all(secret.as_slice())?;
    file.file.sync_all()?;
    // Of two that start at once, one makes it, whole.
    match fs::hard_link(&file.path, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    read_secret(path)?.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// None where there is none. What is no secret is removed.
fn read_secret(path: &Path) -> io::Result<Option<Secret>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match bytes.as_slice().try_into() {
        Ok(secret) => Ok(Some(Zeroizing::new(secret))),
        Err(_) => {
            fs::remove_file(path)?;
            Ok(None)
        }
    }
}
