//! Key-value state of the plugin's own, in its tenant and environment.
//!
//! A plugin that asks for it in `wants: { keyvalue: true }` gets it if the operator grants.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ActivityError;
use crate::generated::tenterhook::plugin::state;
use crate::generated::wasi::keyvalue::{atomics, store};

/// The bucket that every plugin with the grant has.
pub const DEFAULT_BUCKET: &str = "default";

/// How often [`Bucket::update`] tries before it leaves the rest to the activity's retries.
pub const UPDATE_TRIES_MAX: u32 = 20;

/// A set of keys and values.
#[derive(Debug)]
pub struct Bucket {
    inner: store::Bucket,
    name: String,
}

/// Opens [`DEFAULT_BUCKET`].
///
/// # Errors
/// As for [`open`].
pub fn open_default() -> Result<Bucket, ActivityError> {
    open(DEFAULT_BUCKET)
}

/// Opens a bucket by name.
///
/// # Errors
/// `NotFound` if there is no such bucket, `AuthorizationError` if it is not granted, `DatabaseError` otherwise.
pub fn open(name: &str) -> Result<Bucket, ActivityError> {
    match store::open(name) {
        Ok(inner) => Ok(Bucket {
            inner,
            name: name.to_owned(),
        }),
        Err(error) => Err(failure(name, "opened", error)),
    }
}

/// Keys of a bucket, and where the next ones begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Some of the keys, in no order to rely on.
    pub keys: Vec<String>,
    /// What to give to the next [`Bucket::keys`]; `None` after the last.
    pub cursor: Option<u64>,
}

/// Every method fails with `AuthorizationError` if the grant is gone, and with `DatabaseError`, which is retried,
/// if the store cannot do its work.
impl Bucket {
    /// The JSON value of a key, if it has one.
    ///
    /// # Errors
    /// `ValidationError` if the value is no JSON of a `T`; and as for all methods.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ActivityError> {
        match self.get_bytes(key)? {
            None => Ok(None),
            Some(bytes) => read(key, &bytes).map(Some),
        }
    }

    /// Sets a key to a value, as JSON.
    ///
    /// # Errors
    /// `ValidationError` if the value has no JSON; and as for all methods.
    pub fn set<T: Serialize>(&self, key: &str, value: &T) -> Result<(), ActivityError> {
        self.set_bytes(key, &written(key, value)?)
    }

    /// The bytes of a key, if it has a value.
    ///
    /// # Errors
    /// As for all methods.
    pub fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, ActivityError> {
        self.inner
            .get(key)
            .map_err(|error| failure(&self.name, "read", error))
    }

    /// Sets a key to bytes.
    ///
    /// # Errors
    /// As for all methods.
    pub fn set_bytes(&self, key: &str, value: &[u8]) -> Result<(), ActivityError> {
        self.inner
            .set(key, value)
            .map_err(|error| failure(&self.name, "written", error))
    }

    /// Removes a key; a key that has no value is no error.
    ///
    /// # Errors
    /// As for all methods.
    pub fn delete(&self, key: &str) -> Result<(), ActivityError> {
        self.inner
            .delete(key)
            .map_err(|error| failure(&self.name, "written", error))
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// As for all methods.
    pub fn exists(&self, key: &str) -> Result<bool, ActivityError> {
        self.inner
            .exists(key)
            .map_err(|error| failure(&self.name, "read", error))
    }

    /// Some of the keys; `None` starts at the first.
    ///
    /// # Errors
    /// As for all methods.
    pub fn keys(&self, cursor: Option<u64>) -> Result<Keys, ActivityError> {
        self.inner
            .list_keys(cursor)
            .map(|page| Keys {
                keys: page.keys,
                cursor: page.cursor,
            })
            .map_err(|error| failure(&self.name, "read", error))
    }

    /// Sets a key to `new` (`None`: removes it) if its value is `expected` (`None`: it has none), at once against all other
    /// writers. False, and nothing is changed, if it is another: read again, and decide again.
    ///
    /// # Errors
    /// As for all methods.
    pub fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, ActivityError> {
        state::compare_and_set(&self.inner, key, expected, new)
            .map_err(|error| failure(&self.name, "written", error))
    }

    /// Changes the JSON value of a key by what `change` makes of it (`None`: the key has none, or shall have none), and
    /// answers the new one. `change` is called again when somebody else changed the key meanwhile, so it should do nothing
    /// else.
    ///
    /// ```ignore
    /// bucket.update("seen", |seen: Option<BTreeSet<String>>| {
    ///     let mut seen = seen.unwrap_or_default();
    ///     seen.insert(id.clone());
    ///     Some(seen)
    /// })?;
    /// ```
    ///
    /// # Errors
    /// `DatabaseError`, which is retried, when others were faster [`UPDATE_TRIES_MAX`] times; `ValidationError` if the
    /// value is no JSON of a `T`; and as for all methods.
    pub fn update<T>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<T>, ActivityError>
    where
        T: Serialize + DeserializeOwned,
    {
        for _ in 0..UPDATE_TRIES_MAX {
            let before = self.get_bytes(key)?;
            let value = before
                .as_deref()
                .map(|bytes| read(key, bytes))
                .transpose()?;
            let after = change(value);
            let bytes = after
                .as_ref()
                .map(|value| written(key, value))
                .transpose()?;
            if self.compare_and_set(key, before.as_deref(), bytes.as_deref())? {
                return Ok(after);
            }
        }
        Err(ActivityError::database(format!(
            "key \"{key}\" was changed by others {UPDATE_TRIES_MAX} times before it could be"
        )))
    }

    /// Adds to the counter at a key, atomically, and answers its new value. A key without a value counts as 0.
    ///
    /// # Errors
    /// As for all methods.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, ActivityError> {
        atomics::increment(&self.inner, key, delta)
            .map_err(|error| failure(&self.name, "written", error))
    }
}

fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, ActivityError> {
    serde_json::from_slice(bytes).map_err(|error| {
        ActivityError::validation(format!("the value of key \"{key}\" does not fit"))
            .with_source(&error)
    })
}

fn written<T: Serialize>(key: &str, value: &T) -> Result<Vec<u8>, ActivityError> {
    serde_json::to_vec(value).map_err(|error| {
        ActivityError::validation(format!("the value for key \"{key}\" has no JSON"))
            .with_source(&error)
    })
}

fn failure(bucket: &str, verb: &str, error: store::Error) -> ActivityError {
    let message = format!("key-value bucket \"{bucket}\" cannot be {verb}");
    match error {
        store::Error::NoSuchStore => ActivityError::not_found(message),
        store::Error::AccessDenied => ActivityError::authorization(message),
        store::Error::Other(why) => ActivityError::database(message).with_reason(&why),
    }
}
