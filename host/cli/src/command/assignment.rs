//! `NAME=VALUE`, as limits and quotas are given.

use serde_json::{Map, Value};

use crate::failure::{Failure, Result};

/// Reads `NAME=VALUE` with a whole number; `what` it sets and an `example` are for whoever wrote something else.
pub(super) fn read(text: &str, what: &str, example: &str) -> Result<(String, u64)> {
    let pair = text
        .split_once('=')
        .and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    pair.ok_or_else(|| {
        Failure::usage(format!("{text:?} sets no {what}")).with_hint(format!(
            "write NAME=VALUE with a whole number, as in {example}"
        ))
    })
}

/// Puts what `texts` say into `object`, and takes `unset` out of it.
pub(super) fn change(
    object: &mut Map<String, Value>,
    texts: &[String],
    unset: &[String],
    what: &str,
    example: &str,
) -> Result<()> {
    for name in unset {
        object.remove(name);
    }
    for text in texts {
        let (name, value) = read(text, what, example)?;
        object.insert(name, value.into());
    }
    Ok(())
}
