//! Secrets of a plugin: what they are called, what they may be, and the placeholder by which a guest speaks of one.
//!
//! A guest never has a value. It writes `{{secret:NAME}}` into the value of a request's header, and the host puts the
//! value there on the way out.

use std::{fmt, ops::Range};

use zeroize::Zeroizing;

use crate::{
    error::{Code, Error, Result},
    name::SecretName,
};

/// Most secrets of one plugin.
pub const SECRETS_MAX: usize = 64;
/// Shortest value, in bytes. What is shorter cannot be told from other text where it comes back.
pub const SECRET_BYTES_MIN: usize = 8;
/// Longest value, in bytes: as much as servers take for one header.
pub const SECRET_BYTES_MAX: usize = 4 * 1024;
/// How a placeholder begins; then comes the secret's name.
pub const PLACEHOLDER_OPEN: &str = "{{secret:";
/// How a placeholder ends.
pub const PLACEHOLDER_CLOSE: &str = "}}";

/// The value of a secret. It is wiped from memory when it is dropped, and shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// A value of [`SECRET_BYTES_MIN`] to [`SECRET_BYTES_MAX`] bytes that can stand in a header: printable ASCII, with
    /// blanks only within.
    ///
    /// # Errors
    /// `secret-invalid`, without the value.
    pub fn new(text: String) -> Result<Self> {
        let text = Zeroizing::new(text);
        let refused = |why: String| Err(Error::new(Code::SecretInvalid, why));
        let bytes = text.len();
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes) {
            return refused(format!(
                "the value has {bytes} bytes: a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}"
            ));
        }
        if !text.bytes().all(|b| matches!(b, b' '..=b'~')) || text.trim() != text.as_str() {
            return refused(
                "the value cannot stand in a header: use printable ASCII, without line breaks, and without blanks at \
                 its ends"
                    .to_owned(),
            );
        }
        Ok(Self(text))
    }

    /// The value, for the request that it goes into.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue")
    }
}

/// What stands in place of a secret's value where it came back.
pub fn masked(name: &SecretName) -> String {
    format!("[secret {name}]")
}

/// One placeholder in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// Where it stands, in bytes.
    pub at: Range<usize>,
    /// The secret that it stands for.
    pub name: SecretName,
}

/// The placeholders in a header's value, from left to right.
///
/// # Errors
/// `secret-invalid` for one that does not end, or names what is no secret.
pub fn placeholders(value: &[u8]) -> Result<Vec<Placeholder>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = find(&value[from..], PLACEHOLDER_OPEN) {
        let start = from + open;
        let inside = start + PLACEHOLDER_OPEN.len();
        let name = find(&value[inside..], PLACEHOLDER_CLOSE)
            .and_then(|length| std::str::from_utf8(&value[inside..inside + length]).ok())
            .and_then(|name| name.parse::<SecretName>().ok());
        let Some(name) = name else {
            return Err(Error::new(
                Code::SecretInvalid,
                format!(
                    "a header has {PLACEHOLDER_OPEN} without a secret's name and {PLACEHOLDER_CLOSE} after it: write \
                     {PLACEHOLDER_OPEN}NAME{PLACEHOLDER_CLOSE}"
                ),
            ));
        };
        let end = inside + name.as_str().len() + PLACEHOLDER_CLOSE.len();
        from = end;
        found.push(Placeholder {
            at: start..end,
            name,
        });
    }
    Ok(found)
}

fn find(text: &[u8], what: &str) -> Option<usize> {
    text.windows(what.len())
        .position(|window| window == what.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_bounds_and_shows_nothing() {
        let value = SecretValue::new("hunter2 hunter2".to_owned()).unwrap();
        assert_eq!(value.reveal(), "hunter2 hunter2");
        assert_eq!(format!("{value:?}"), "SecretValue");
        assert!(SecretValue::new("x".repeat(SECRET_BYTES_MAX)).is_ok());
        for bad in [
            "short",
            "with\nbreak",
            "with a\0 in it",
            " begins blank",
            "ends blank ",
            "not ascii: ä",
            &"x".repeat(SECRET_BYTES_MAX + 1),
        ] {
            let error = SecretValue::new(bad.to_owned()).unwrap_err();
            assert_eq!(error.code(), Code::SecretInvalid, "{bad}");
            assert!(!error.detail().contains(bad), "{error}");
        }
    }

    #[test]
    fn placeholders_are_found_where_they_stand() {
        let names = |text: &str| -> Vec<(Range<usize>, String)> {
            let found = placeholders(text.as_bytes()).unwrap();
            found
                .into_iter()
                .map(|one| (one.at, one.name.to_string()))
                .collect()
        };
        assert_eq!(names("Bearer abc"), []);
        assert_eq!(names("{{name}} {secret:a}"), []);
        assert_eq!(
            names("Bearer {{secret:api-key}}"),
            [(7..25, "api-key".into())]
        );
        assert_eq!(
            names("{{secret:a}}{{secret:b}}"),
            [(0..12, "a".into()), (12..24, "b".into())]
        );
        for bad in [
            "{{secret:",
            "{{secret:}}",
            "{{secret:a}",
            "{{secret:A}}",
            "{{secret:a b}}",
            "{{secret:{{secret:a}}",
        ] {
            let error = placeholders(bad.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::SecretInvalid, "{bad}");
        }
    }
}
