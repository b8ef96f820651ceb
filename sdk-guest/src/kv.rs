//! Key-value state of the plugin's own, in its tenant and environment.
//!
//! A plugin that asks for it in `wants: { keyvalue: true }` gets it if the operator grants.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ActivityError;
use crate::generated::wasi::keyvalue::{atomics, store};

/// The bucket that every plugin with the grant has.
pub const DEFAULT_BUCKET: &str = "default";

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
            Some(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                ActivityError::validation(format!("the value of key \"{key}\" does not fit"))
                    .with_source(&error)
            }),
        }
    }

    /// Sets a key to a value, as JSON.
    ///
    /// # Errors
    /// `ValidationError` if the value has no JSON; and as for all methods.
    pub fn set<T: Serialize>(&self, key: &str, value: &T) -> Result<(), ActivityError> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            ActivityError::validation(format!("the value for key \"{key}\" has no JSON"))
                .with_source(&error)
        })?;
        self.set_bytes(key, &bytes)
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

    /// Adds to the counter at a key, atomically, and answers its new value. A key without a value counts as 0.
    ///
    /// # Errors
    /// As for all methods.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, ActivityError> {
        atomics::increment(&self.inner, key, delta)
            .map_err(|error| failure(&self.name, "written", error))
    }
}

fn failure(bucket: &str, verb: &str, error: store::Error) -> ActivityError {
    let message = format!("key-value bucket \"{bucket}\" cannot be {verb}");
    match error {
        store::Error::NoSuchStore => ActivityError::not_found(message),
        store::Error::AccessDenied => ActivityError::authorization(message),
        store::Error::Other(why) => ActivityError::database(message).with_reason(&why),
    }
}
