//! Changes of a crate's files, as they are saved.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::failure::{Failure, Result, code};

/// An editor saves in several steps: so long after the last of them the file is taken to be there.
const QUIET: Duration = Duration::from_millis(30);
/// Most quiet that is waited for: something that writes without end holds up no build.
const QUIET_MAX: Duration = Duration::from_secs(1);
/// What cargo and other tools write, in the crate's own folder.
const NOT_SOURCES: &[&str] = &["target", "node_modules"];
/// Files in the crate's own folder that a component is made of.
const SOURCES: &[&str] = &["Cargo.toml", "Cargo.lock", "build.rs", "rust-toolchain.toml"];

/// A watch over the files of one crate.
pub(super) struct Changes {
    seen: Arc<Seen>,
    /// Watches as long as it lives.
    _watcher: RecommendedWatcher,
}

/// What the watcher's thread tells.
#[derive(Default)]
struct Seen {
    /// When the first change was seen that nobody has taken yet.
    first: Mutex<Option<Instant>>,
    more: Notify,
}

impl Changes {
    /// Watches the crate in `folder`: its manifest, and each folder in it but those that tools write.
    ///
    /// # Errors
    /// `watch-failed` when the system does not let it.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let failed = |error: notify::Error| {
            Failure::new(
                code::WATCH_FAILED,
                format!("the files in {} cannot be watched", folder.display()),
            )
            .caused_by(&error)
        };
        let seen = Arc::new(Seen::default());
        let telling = seen.clone();
        let root = folder.to_owned();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| {
                // A watcher that lost events says so by an error: something may have changed.
                if event.map_or(true, |event| matters(&root, &event)) {
                    telling.tell();
                }
            })
            .map_err(failed)?;
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .map_err(failed)?;
        for source in source_folders(folder).map_err(|error| failed(error.into()))? {
            watcher
                .watch(&source, RecursiveMode::Recursive)
                .map_err(failed)?;
        }
        Ok(Self {
            seen,
            _watcher: watcher,
        })
    }

    /// Waits for a change, and until its last step is a moment past. Answers when its first was seen.
    pub(super) async fn next(&self) -> Instant {
        loop {
            let more = self.seen.more.notified();
            if let Some(first) = self.seen.first() {
                self.settle(first).await;
                self.seen.take();
                return first;
            }
            more.await;
        }
    }

    async fn settle(&self, first: Instant) {
        while first.elapsed() < QUIET_MAX {
            let more = tokio::time::timeout(QUIET, self.seen.more.notified());
            if more.await.is_err() {
                return;
            }
        }
    }
}

impl Seen {
    fn tell(&self) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(Instant::now);
        drop(first);
        self.more.notify_one();
    }

    fn first(&self) -> Option<Instant> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// True if the component may be another one after `event`.
fn matters(root: &Path, event: &Event) -> bool {
    // Reading files is what a build does itself.
    !event.kind.is_access() && event.paths.iter().any(|path| is_source(root, path))
}

fn is_source(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else {
        return false;
    };
    let mut parts = below.iter();
    match (parts.next(), parts.next()) {
        // In the crate's own folder.
        (Some(name), None) => SOURCES.iter().any(|source| name == *source) || is_kept(name) && path.is_dir(),
        (Some(folder), Some(_)) => is_kept(folder),
        (None, _) => false,
    }
}

fn is_kept(folder: &OsStr) -> bool {
    !NOT_SOURCES.iter().any(|name| folder == *name)
        && !folder.to_string_lossy().starts_with('.')
}

/// The folders in `folder` that sources may be in.
fn source_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_kept(&entry.file_name()) {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sources_matter_and_what_tools_write_does_not() {
        let root = Path::new("/p");
        for (path, matters) in [
            ("/p/src/lib.rs", true),
            ("/p/src/deep/er.rs", true),
            ("/p/tests/visit.rs", true),
            ("/p/Cargo.toml", true),
            ("/p/target/debug/x", false),
            ("/p/.git/index", false),
            ("/p/README.md", false),
            ("/elsewhere/lib.rs", false),
        ] {
            assert_eq!(is_source(root, Path::new(path)), matters, "{path}");
        }
    }

    #[tokio::test]
    async fn a_saved_file_is_a_change_and_what_cargo_writes_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["src", "target"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join("src/lib.rs"), "before").unwrap();
        let changes = Changes::of(&root).unwrap();
        fs::write(root.join("target/built"), "x").unwrap();
        fs::write(root.join("notes.txt"), "x").unwrap();
        // As editors save: beside it, and renamed into place.
        fs::write(root.join("src/lib.rs.new"), "after").unwrap();
        let saved = Instant::now();
        fs::rename(root.join("src/lib.rs.new"), root.join("src/lib.rs")).unwrap();
        let within = Duration::from_secs(10);
        let seen = tokio::time::timeout(within, changes.next()).await.unwrap();
        assert!(seen <= saved + within);
        // One save is one change.
        assert!(changes.seen.first().is_none());
    }
}
