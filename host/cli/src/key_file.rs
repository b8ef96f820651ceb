//! A file of secret keys: read by a host, made and added to by the command line. Its first key encrypts.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown},
    path::Path,
};

use tenterhook_domain::{
    Code, Error, Result,
    secret_key::{SECRET_KEYS_BYTES_MAX, SecretKeys},
};
use zeroize::Zeroizing;

/// The keys in the file at `path`.
///
/// # Errors
/// `host-config-invalid`.
pub(crate) fn read(path: &Path) -> Result<SecretKeys> {
    SecretKeys::parse(&text(path)?).map_err(|error| {
        Error::new(
            error.code(),
            format!("{}: {}", path.display(), error.detail()),
        )
    })
}

/// Makes the file at `path` with one new key, readable by its owner only. Answers the key's id.
///
/// # Errors
/// `host-config-invalid` when it is there, or cannot be made.
pub(crate) fn create(path: &Path) -> Result<String> {
    let (id, key) = SecretKeys::generate()?;
    write_new(path, &key).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::new(
            Code::HostConfigInvalid,
            format!(
                "{} is there already, and secrets may be encrypted under its keys: `tenterhook secret-key rotate` adds \
                 one to it",
                path.display()
            ),
        ),
        _ => unusable(path, error),
    })?;
    Ok(id)
}

/// Puts a new key before those in the file at `path`, at once or not at all. Answers the key's id.
///
/// # Errors
/// `host-config-invalid` when the file holds no keys, has no room for another, or cannot be replaced.
pub(crate) fn add_first(path: &Path) -> Result<String> {
    let known = text(path)?;
    let (id, key) = SecretKeys::generate()?;
    let all = Zeroizing::new(format!("{}{}", *key, *known));
    SecretKeys::parse(&known)
        .and(SecretKeys::parse(&all))
        .map_err(|error| {
            Error::new(
                error.code(),
                format!("{}: {}", path.display(), error.detail()),
            )
        })?;
    replace(path, &all).map_err(|error| unusable(path, error))?;
    Ok(id)
}

fn text(path: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let bound = SECRET_KEYS_BYTES_MAX as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(bound).read_to_string(&mut text))
        .map_err(|error| unusable(path, error))?;
    if text.len() > SECRET_KEYS_BYTES_MAX {
        return Err(Error::new(
            Code::HostConfigInvalid,
            format!(
                "{} is larger than {SECRET_KEYS_BYTES_MAX} bytes: it is no file of secret keys",
                path.display()
            ),
        ));
    }
    Ok(text)
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(
        Code::HostConfigInvalid,
        format!("the file of secret keys {} cannot be used", path.display()),
    )
    .caused_by(error)
}

fn write_new(path: &Path, text: &str) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder_of(path)?;
    Ok(file)
}

/// Whoever could read the file still can, and nobody else.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let before = path.metadata()?;
    let partial = path.with_extension("partial");
    let _ = fs::remove_file(&partial);
    let file = write_new(&partial, text)?;
    file.set_permissions(before.permissions())?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
        chown(&partial, Some(before.uid()), Some(before.gid()))?;
    }
    fs::rename(partial, &path)?;
    sync_folder_of(&path)
}

/// A file is on disk only when its name is: a key that a power cut takes away takes every secret under it along.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| folder != &Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_made_once_and_grows_at_its_head() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let first = create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(create(&path).unwrap_err().code(), Code::HostConfigInvalid);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let second = add_first(&path).unwrap();
        let keys = read(&path).unwrap();
        let ids: Vec<&str> = keys.ids().collect();
        assert_eq!(ids, [second.as_str(), first.as_str()]);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn what_holds_no_keys_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert!(read(&path).is_err() && add_first(&path).is_err());
        fs::write(&path, "not a key").unwrap();
        for error in [read(&path).unwrap_err(), add_first(&path).unwrap_err()] {
            assert_eq!(error.code(), Code::HostConfigInvalid);
            assert!(error.detail().contains("keys: number 1"), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
        fs::write(&path, "#".repeat(SECRET_KEYS_BYTES_MAX + 1)).unwrap();
        assert!(read(&path).is_err());
    }
}
