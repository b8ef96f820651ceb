//! URLs: as much of them as a request needs.

use crate::error::ActivityError;

/// A URL taken apart as `wasi:http` wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `https` rather than `http`.
    pub(super) secure: bool,
    /// `host[:port]`.
    pub(super) authority: String,
    /// At least `/`.
    pub(super) path_with_query: String,
}

impl Address {
    /// Takes an absolute `http` or `https` URL apart. The host checks it further.
    pub(super) fn parse(url: &str) -> Result<Self, ActivityError> {
        let unfit = |why| ActivityError::validation(format!("URL \"{}\" {why}", shown(url)));
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| unfit("has no scheme"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(unfit("is neither http nor https")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() {
            return Err(unfit("names no host"));
        }
        if authority.contains('@') {
            return Err(unfit("carries a user or password"));
        }
        Ok(Self {
            secure,
            authority: authority.to_owned(),
            path_with_query: match path {
                "" => "/".to_owned(),
                path if path.starts_with('?') => format!("/{path}"),
                path => path.to_owned(),
            },
        })
    }
}

/// A URL as it may stand in messages: without query and fragment, which can carry secrets.
pub(super) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A base URL and a path below it, with exactly one slash between them.
///
/// ```ignore
/// assert_eq!(join("https://pay.example/v1/", "/charges"), "https://pay.example/v1/charges");
/// ```
#[must_use]
pub fn join(base: &str, path: &str) -> String {
    let (base, path) = (base.trim_end_matches('/'), path.trim_start_matches('/'));
    format!("{base}/{path}")
}

/// A value as one segment of a path: everything but letters, digits, `-`, `.`, `_` and `~` is percent-encoded, and
/// so are the segments `.` and `..`, which would change the path.
#[must_use]
pub fn encode_segment(value: &str) -> String {
    let dots = matches!(value, "." | "..");
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.');
        if plain && !dots {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(hex_digit(byte >> 4));
            encoded.push(hex_digit(byte & 0xf));
        }
    }
    encoded
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let cases = [
            ("http://a.example", false, "a.example", "/"),
            (
                "HTTPS://a.example:8443/b/c?d=e#f",
                true,
                "a.example:8443",
                "/b/c?d=e",
            ),
            ("https://a.example?d=e", true, "a.example", "/?d=e"),
            ("http://[::1]:80/", false, "[::1]:80", "/"),
        ];
        for (url, secure, authority, path) in cases {
            let expected = Address {
                secure,
                authority: authority.to_owned(),
                path_with_query: path.to_owned(),
            };
            assert_eq!(Address::parse(url).expect(url), expected);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secrets() {
        for url in [
            "a.example/b",
            "ftp://a.example",
            "http://",
            "http:///b",
            "http://user:word@a.example/?key=secret",
        ] {
            let error = Address::parse(url).expect_err(url);
            assert!(!error.is_retryable(), "{url}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn paths_are_joined_and_segments_encoded() {
        assert_eq!(join("http://a/b/", "/c"), "http://a/b/c");
        assert_eq!(join("http://a", "c/d"), "http://a/c/d");
        assert_eq!(encode_segment("rv_1.a~b-C"), "rv_1.a~b-C");
        assert_eq!(encode_segment("a/b?c ä"), "a%2Fb%3Fc%20%C3%A4");
        assert_eq!(encode_segment(".."), "%2E%2E");
    }
}
