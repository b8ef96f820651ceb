//! The data folder: one host at a time, readable by its owner only, and where the command line finds the host.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tenterhook_domain::{
    Code, Error,
    clock::{Clock as _, SystemClock},
    token::{self, Principal},
};
use tenterhook_store::Store;

use crate::host_options::{ADMIN_TOKEN_FILE, API_ADDRESS_FILE, TEMPORAL_UI_ADDRESS_FILE};

const LOCK_FILE: &str = "host.lock";
/// How long a dying host may keep the folder before a new one gives up.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
const LOCK_LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A data folder that this process holds.
pub(super) struct DataDir {
    path: PathBuf,
    /// Held as long as the process lives; the kernel lets go of it, also after kill -9.
    _lock: File,
}

impl DataDir {
    /// Makes the folder where it is not there, and takes it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(path)
            .with_context(|| format!("the data folder {} cannot be made", path.display()))?;
        let path = path.canonicalize()?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK_FILE))?;
        lock_soon(&lock, &path)?;
        let data = Self { path, _lock: lock };
        // What a host that was killed left behind is not this one's address.
        data.retract();
        Ok(data)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the folder holds a token that the store knows.
    pub(super) async fn admin_token(&self, store: &Store) -> anyhow::Result<()> {
        let file = self.path.join(ADMIN_TOKEN_FILE);
        if let Ok(text) = fs::read_to_string(&file)
            && let Some((id, secret)) = token::parse(text.trim())
            && store
                .tokens
                .find(id)
                .await?
                .is_some_and(|record| record.matches(secret))
        {
            return Ok(());
        }
        let now = SystemClock.now_millis();
        let new = token::issue(Principal::Admin, "made at the first start", now, None)?;
        store.tokens.insert(&new.record).await?;
        write_private(&file, &new.text)
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Says where the API and Temporal's UI are. Written last: who reads it finds a host that answers.
    pub(super) fn announce(&self, api: &str, ui: Option<&str>) -> anyhow::Result<()> {
        if let Some(ui) = ui {
            write_private(&self.path.join(TEMPORAL_UI_ADDRESS_FILE), ui)?;
        }
        write_private(&self.path.join(API_ADDRESS_FILE), api)?;
        Ok(())
    }

    /// Takes the addresses back.
    pub(super) fn retract(&self) {
        for file in [API_ADDRESS_FILE, TEMPORAL_UI_ADDRESS_FILE] {
            // Gone already is as good.
            let _ = fs::remove_file(self.path.join(file));
        }
    }
}

/// Takes the lock. A host that was just killed may hold it for a moment longer, until the kernel took it down.
fn lock_soon(lock: &File, path: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + LOCK_WAIT_MAX;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_LOOK_AGAIN);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Code::DataDirLocked,
                    format!(
                        "another host uses the data folder {}: stop it, or give another --data-dir",
                        path.display()
                    ),
                )
                .into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context("the data folder cannot be locked");
            }
        }
    }
}

/// Writes the whole file or nothing, readable by its owner only.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let partial = file.with_extension("partial");
    let _ = fs::remove_file(&partial);
    let mut out = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&partial)?;
    writeln!(out, "{text}")?;
    out.sync_all()?;
    fs::rename(partial, file)
}
