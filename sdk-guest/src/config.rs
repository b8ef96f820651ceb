//! Configuration that the tenant gave the plugin, read by activities.
//!
//! A plugin reads the keys it asks for in `wants: { config: [...] }` and the operator grants.

mod load;

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::error::ActivityError;
use crate::generated::wasi::config::store;

/// A struct out of configuration: each field is one key, by the field's name.
///
/// Text fields take the value as it is; numbers and booleans are read from it; lists, maps and structs are JSON; a variant
/// without values is its name. A key that is not set is an error, unless the field is an `Option` or has
/// `#[serde(default)]`.
///
/// ```ignore
/// #[derive(Deserialize)]
/// struct Settings {
///     gateway_url: String,
///     #[serde(default = "ten")]
///     batch: usize,
///     reply_to: Option<String>,
/// }
///
/// let settings: Settings = config::load()?;
/// ```
///
/// The struct derives `Deserialize`; one with `#[payload]` does not say which fields it has.
///
/// # Errors
/// `ValidationError` that names the key, if one is missing or does not fit. `DatabaseError` if the host could not read
/// its store.
#[track_caller]
pub fn load<T: DeserializeOwned>() -> Result<T, ActivityError> {
    load::load(&get)
}

/// The value of a key, if it has one.
///
/// # Errors
/// `DatabaseError` if the host could not read its store.
#[track_caller]
pub fn get(key: &str) -> Result<Option<String>, ActivityError> {
    // Outside the closures below, for `track_caller` does not reach into them.
    let failed = ActivityError::database(format!("configuration key \"{key}\" cannot be read"));
    match store::get(key) {
        Ok(value) => Ok(value),
        Err(store::Error::Upstream(why) | store::Error::Io(why)) => Err(failed.with_reason(&why)),
    }
}

/// The value of a key that must have one.
///
/// # Errors
/// `ValidationError` if it has none: an attempt later would find none either. `DatabaseError` as for [`get`].
#[track_caller]
pub fn require(key: &str) -> Result<String, ActivityError> {
    let missing = ActivityError::validation(format!(
        "configuration key \"{key}\" is not set, or not granted to this plugin"
    ));
    get(key)?.ok_or(missing)
}

/// The value of a key as a `T`, if it has one.
///
/// # Errors
/// `ValidationError` if the value is no `T`. `DatabaseError` as for [`get`].
#[track_caller]
pub fn parse<T>(key: &str) -> Result<Option<T>, ActivityError>
where
    T: FromStr<Err: Display>,
{
    let unfit = ActivityError::validation(format!("configuration key \"{key}\" does not fit"));
    match get(key)?.map(|value| value.parse::<T>()) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(why)) => Err(unfit.with_reason(&why.to_string())),
    }
}

/// The JSON value of a key, if it has one.
///
/// # Errors
/// `ValidationError` if the value is no JSON of a `T`. `DatabaseError` as for [`get`].
#[track_caller]
pub fn json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, ActivityError> {
    let unfit = ActivityError::validation(format!("configuration key \"{key}\" does not fit"));
    match get(key)?.map(|value| serde_json::from_str(&value)) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(why)) => Err(unfit.with_source(&why)),
    }
}
