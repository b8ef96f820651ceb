//! The plugins' secrets: the keys of this host, and the values that requests are filled with.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tenterhook_domain::{
    Result,
    secret::SecretValue,
    secret_key::{self, SecretKeyring, SecretKeys, SecretPlace},
};

use super::data_dir::DataDir;
use crate::{
    host_options::{SECRET_KEYS_FILE, SecretOptions},
    key_file,
};

/// Where this host's keys are. A file is read anew when a secret is set, and when one is met that is under a key that
/// was not there before: so keys rotate while hosts run.
pub(super) struct Keyring {
    file: Option<PathBuf>,
    known: Mutex<Option<SecretKeys>>,
}

impl Keyring {
    /// What the operator names; without a word, a file in the data folder, made at the first start, unless hosts share
    /// their database: a key that only one of them has would lock the others out.
    pub(super) fn open(options: &SecretOptions, data: &DataDir, is_shared: bool) -> Result<Self> {
        if options.file.is_none()
            && let Some(keys) = &options.keys
        {
            return Ok(Self {
                file: None,
                known: Mutex::new(Some(keys.clone())),
            });
        }
        let file = match &options.file {
            Some(file) => Some(file.clone()),
            None if is_shared => None,
            None => Some(own_file(data)?),
        };
        let known = file.as_deref().map(key_file::read).transpose()?;
        Ok(Self {
            file,
            known: Mutex::new(known),
        })
    }

    fn known(&self) -> Option<SecretKeys> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

fn own_file(data: &DataDir) -> Result<PathBuf> {
    let file = data.path().join(SECRET_KEYS_FILE);
    if !file.exists() {
        let key = key_file::create(&file)?;
        tracing::info!(file = %file.display(), key, "a secret key was made");
    }
    Ok(file)
}

impl SecretKeyring for Keyring {
    fn now(&self) -> Result<SecretKeys> {
        let Some(file) = &self.file else {
            return self.known().ok_or_else(secret_key::missing);
        };
        let keys = key_file::read(file)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(keys.clone());
        Ok(keys)
    }

    fn holding(&self, id: &str) -> Result<SecretKeys> {
        match self.known().filter(|keys| keys.has(id)) {
            Some(keys) => Ok(keys),
            None => self.now(),
        }
    }
}

/// The store behind the placeholders in requests.
pub(super) struct StoredSecrets {
    pub(super) secrets: Arc<dyn tenterhook_store::Secrets>,
    pub(super) keys: Arc<Keyring>,
}

#[async_trait]
impl tenterhook_sandbox::Secrets for StoredSecrets {
    async fn reveal(&self, place: &SecretPlace) -> Result<Option<SecretValue>> {
        let Some(sealed) = self.secrets.get(place).await? else {
            return Ok(None);
        };
        let keys = self.keys.holding(&sealed.key)?;
        keys.open(place, &sealed).map(Some)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_domain::Code;

    use super::*;

    fn keyring(options: &SecretOptions, data: &DataDir, is_shared: bool) -> Keyring {
        Keyring::open(options, data, is_shared).unwrap()
    }

    #[test]
    fn keys_come_from_where_the_operator_says() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        let own = keyring(&SecretOptions::default(), &data, false);
        let again = keyring(&SecretOptions::default(), &data, false);
        let first = own.now().unwrap().first().to_owned();
        assert_eq!(again.now().unwrap().first(), first, "it is made once");

        let nobodys = keyring(&SecretOptions::default(), &data, true);
        assert_eq!(nobodys.now().unwrap_err().code(), Code::SecretKeyMissing);
        let missing = nobodys.holding(&first);
        assert_eq!(missing.unwrap_err().code(), Code::SecretKeyMissing);

        let file = folder.path().join("keys");
        let named = key_file::create(&file).unwrap();
        let given = SecretKeys::parse(&"ab".repeat(32)).unwrap();
        let mut options = SecretOptions {
            file: Some(file),
            keys: Some(given.clone()),
        };
        let ring = keyring(&options, &data, true);
        assert_eq!(ring.now().unwrap().first(), named, "the file goes first");
        options.file = None;
        let ring = keyring(&options, &data, true);
        assert_eq!(ring.now().unwrap().first(), given.first());

        options.file = Some(folder.path().join("nowhere"));
        let refused = Keyring::open(&options, &data, true);
        assert_eq!(refused.err().unwrap().code(), Code::HostConfigInvalid);
    }

    #[test]
    fn a_key_that_comes_later_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        let ring = keyring(&SecretOptions::default(), &data, false);
        let first = ring.now().unwrap().first().to_owned();
        let second = key_file::add_first(&data.path().join(SECRET_KEYS_FILE)).unwrap();
        assert_eq!(ring.holding(&first).unwrap().first(), first, "as it was");
        assert_eq!(ring.holding(&second).unwrap().first(), second);
        assert!(ring.holding(&first).unwrap().has(&second));
    }
}
