//! What `?` makes of the errors of the standard library and of JSON.

use std::io;

use super::ActivityError;

/// Errors that say that a value is wrong, and stays wrong.
macro_rules! validation {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for ActivityError {
            /// A `ValidationError` with the error's words, and the error as its cause.
            #[track_caller]
            fn from(error: $error) -> Self {
                Self::validation(error.to_string()).with_source(&error)
            }
        }
    )*};
}

validation! {
    serde_json::Error,
    std::char::ParseCharError,
    std::fmt::Error,
    std::net::AddrParseError,
    std::num::ParseFloatError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::time::SystemTimeError,
}

impl From<io::Error> for ActivityError {
    /// By the error's kind: what does not exist is `NotFound`, what is not allowed `AuthorizationError`, what is wrong in
    /// itself `ValidationError`, and whatever another attempt may bring to pass `NetworkError`.
    #[track_caller]
    fn from(error: io::Error) -> Self {
        let message = error.to_string();
        let made = match error.kind() {
            io::ErrorKind::NotFound => Self::not_found(message),
            io::ErrorKind::PermissionDenied => Self::authorization(message),
            io::ErrorKind::AlreadyExists => Self::conflict(message),
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::Unsupported => Self::validation(message),
            _ => Self::network(message),
        };
        made.with_source(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<u32, ActivityError> {
        Ok(text.parse::<u32>()?)
    }

    fn read(text: &str) -> Result<Vec<String>, ActivityError> {
        Ok(serde_json::from_str(text)?)
    }

    #[test]
    fn common_errors_have_their_place_in_the_taxonomy() {
        assert_eq!(parsed("7").expect("a number"), 7);
        let error = parsed("seven").expect_err("no number");
        assert_eq!(error.kind().name(), "ValidationError");
        assert!(!error.is_retryable());
        assert_eq!(
            read("{").expect_err("no JSON").kind().name(),
            "ValidationError"
        );
        let kinds = [
            (io::ErrorKind::NotFound, "NotFound"),
            (io::ErrorKind::PermissionDenied, "AuthorizationError"),
            (io::ErrorKind::InvalidData, "ValidationError"),
            (io::ErrorKind::ConnectionReset, "NetworkError"),
        ];
        for (kind, name) in kinds {
            let error = ActivityError::from(io::Error::from(kind));
            assert_eq!(error.kind().name(), name, "{kind:?}");
        }
    }

    #[test]
    fn the_place_is_where_the_error_was_met() {
        let failure = parsed("x").expect_err("no number").into_failure();
        let place = failure.error.stack_trace.unwrap_or_default();
        assert!(place.contains("from.rs:"), "{place}");
        assert_eq!(failure.causes[0].kind, "ParseIntError");
    }
}
