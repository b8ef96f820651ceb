//! Changes of a crate's files, as they are saved.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio::time::sleep;

use crate::failure::{Failure, Result, code};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// An editor saves in several steps: so long after the last of them the file is taken to be there.
const QUIET: Duration = Duration::from_millis(30);
/// Most time that is waited for quiet: something that writes without end holds up no build.
const QUIET_MAX: Duration = Duration::from_secs(1);
/// Most files and folders of one crate.
const ENTRIES_MAX: usize = 10_000;
/// What cargo and other tools write, in the crate's own folder.
const NOT_SOURCES: &[&str] = &["target", "node_modules"];
/// Files in the crate's own folder that a component is made of.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "rust-toolchain.toml",
];

/// Each source, with when it was changed last and how long it is.
type Sources = BTreeMap<PathBuf, (SystemTime, u64)>;

/// A watch over the files of one crate.
pub(super) struct Changes {
    folder: PathBuf,
    seen: Sources,
}

impl Changes {
    /// Watches the crate in `folder`: its manifest, and each folder in it but those that tools write.
    ///
    /// # Errors
    /// `watch-failed` when the folder cannot be read, or has too much in it.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        Ok(Self {
            seen: look(folder)?,
            folder: folder.to_owned(),
        })
    }

    /// Waits for a change since the last one, and until its last step is a moment past. Answers when it was seen.
    /// One that is not waited for to its end loses nothing.
    ///
    /// # Errors
    /// `watch-failed` when the folder cannot be read any more.
    pub(super) async fn next(&mut self) -> Result<Instant> {
        let mut now = look(&self.folder)?;
        while now == self.seen {
            sleep(LOOK_EVERY).await;
            now = look(&self.folder)?;
        }
        let first = Instant::now();
        while first.elapsed() < QUIET_MAX {
            sleep(QUIET).await;
            let later = look(&self.folder)?;
            if later == now {
                break;
            }
            now = later;
        }
        self.seen = now;
        Ok(first)
    }
}

fn look(folder: &Path) -> Result<Sources> {
    sources(folder).map_err(|error| {
        Failure::new(
            code::WATCH_FAILED,
            format!("the files in {} cannot be watched", folder.display()),
        )
        .caused_by(&error)
    })
}

fn sources(root: &Path) -> io::Result<Sources> {
    let mut sources = Sources::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            if !is_source(root, &folder, &entry.file_name(), is_folder) {
                continue;
            }
            if sources.len() + folders.len() >= ENTRIES_MAX {
                let most = format!("there are more than {ENTRIES_MAX} files and folders");
                return Err(io::Error::other(most));
            }
            if is_folder {
                folders.push(entry.path());
                continue;
            }
            match entry.metadata() {
                Ok(file) => {
                    sources.insert(entry.path(), (file.modified()?, file.len()));
                }
                // Gone since it was listed: an editor's own file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sources)
}

/// True if `name` in `folder` may be part of what the component is made of.
fn is_source(root: &Path, folder: &Path, name: &OsStr, is_folder: bool) -> bool {
    if name.to_string_lossy().starts_with('.') {
        return false;
    }
    if folder != root {
        return true;
    }
    if is_folder {
        !NOT_SOURCES.iter().any(|not| name == *not)
    } else {
        SOURCES.iter().any(|source| name == *source)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_saved_file_is_a_change_and_what_cargo_writes_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["src/deep", "target", ".git"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join("src/deep/er.rs"), "before").unwrap();
        let mut changes = Changes::of(root).unwrap();
        for other in ["target/built", ".git/index", "notes.txt", "src/.er.rs.swp"] {
            fs::write(root.join(other), "x").unwrap();
        }
        assert!(look(root).unwrap() == changes.seen, "nothing of it counts");

        // As editors save: beside it, and renamed into place.
        fs::write(root.join("src/.new"), "after, and longer").unwrap();
        fs::rename(root.join("src/.new"), root.join("src/deep/er.rs")).unwrap();
        changes.next().await.unwrap();
        assert!(
            look(root).unwrap() == changes.seen,
            "one save is one change"
        );

        fs::create_dir(root.join("benches")).unwrap();
        fs::write(root.join("benches/new.rs"), "").unwrap();
        changes.next().await.unwrap();
        fs::remove_file(root.join("benches/new.rs")).unwrap();
        changes.next().await.unwrap();
    }
}
