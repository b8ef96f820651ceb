//! One answer, and what its status means.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Method;
use super::retry_after;
use crate::error::ActivityError;

/// The most bytes of a refusal's body that go into the error's message.
const EXCERPT_BYTES_MAX: usize = 512;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) method: Method,
    /// Without its query, which can carry secrets.
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// What a refusal adds to the failure's details, for the caller in the workflow.
#[derive(Serialize)]
struct Refusal<'a> {
    status: u16,
    body: &'a str,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that name, in whatever case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The body's bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON of a `T`.
    ///
    /// # Errors
    /// `ExternalServiceError` if it is none: the other side did not keep its contract.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ActivityError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            ActivityError::external_service(format!(
                "{} answered {} with a body that does not fit",
                self.asked(),
                self.status
            ))
            .with_source(&error)
        })
    }

    /// Itself, if the status is a success.
    ///
    /// # Errors
    /// [`refusal`](Self::refusal) otherwise.
    pub fn ok(self) -> Result<Self, ActivityError> {
        if self.is_success() {
            Ok(self)
        } else {
            Err(self.refusal())
        }
    }

    /// What the status means in the taxonomy:
    ///
    /// | status | type |
    /// | --- | --- |
    /// | 401, 403, 407 | `AuthorizationError` |
    /// | 404, 410 | `NotFound` |
    /// | 409, 412, 423 | `Conflict` |
    /// | 429 | `RateLimited`, with `Retry-After` as the next retry's delay |
    /// | other 4xx | `ValidationError` |
    /// | 408, 425, 5xx and anything else | `ExternalServiceError`, with `Retry-After` if there is one |
    #[must_use]
    pub fn refusal(&self) -> ActivityError {
        let excerpt = self.excerpt();
        let mut message = format!("{} answered {}", self.asked(), self.status);
        if !excerpt.is_empty() {
            message.push_str(": ");
            message.push_str(&excerpt);
        }
        let error = match self.status {
            401 | 403 | 407 => ActivityError::authorization(message),
            404 | 410 => ActivityError::not_found(message),
            409 | 412 | 423 => ActivityError::conflict(message),
            429 => self.delayed(ActivityError::rate_limited(message)),
            408 | 425 => self.delayed(ActivityError::external_service(message)),
            400..=499 => ActivityError::validation(message),
            _ => self.delayed(ActivityError::external_service(message)),
        };
        error.with_detail(&serde_json::json!(Refusal {
            status: self.status,
            body: &excerpt,
        }))
    }

    fn delayed(&self, error: ActivityError) -> ActivityError {
        match self.header("retry-after").and_then(retry_after::parse_now) {
            Some(delay) => error.retry_after(delay),
            None => error,
        }
    }

    /// The beginning of the body, as text.
    fn excerpt(&self) -> String {
        let end = self.body.len().min(EXCERPT_BYTES_MAX);
        String::from_utf8_lossy(&self.body[..end]).trim().to_owned()
    }

    fn asked(&self) -> String {
        format!("{} {}", self.method.name(), self.url)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        Response {
            method: Method::Post,
            url: "http://a.example/charges".to_owned(),
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn statuses_have_their_place_in_the_taxonomy() {
        let cases = [
            (400, "ValidationError"),
            (401, "AuthorizationError"),
            (402, "ValidationError"),
            (403, "AuthorizationError"),
            (404, "NotFound"),
            (408, "ExternalServiceError"),
            (409, "Conflict"),
            (422, "ValidationError"),
            (429, "RateLimited"),
            (301, "ExternalServiceError"),
            (500, "ExternalServiceError"),
            (503, "ExternalServiceError"),
        ];
        for (status, kind) in cases {
            let error = response(status, &[], "").ok().expect_err("no success");
            assert_eq!(error.kind().name(), kind, "{status}");
        }
        assert!(response(201, &[], "{}").ok().is_ok());
    }

    #[test]
    fn a_provider_that_asks_for_a_pause_gets_it() {
        let headers = [("Retry-After", "7")];
        let limited = response(429, &headers, "slow down").refusal();
        assert_eq!(limited.next_retry_delay(), Some(Duration::from_secs(7)));
        assert_eq!(
            limited.message(),
            "POST http://a.example/charges answered 429: slow down"
        );
        let plain = response(429, &[], "").refusal();
        assert_eq!(plain.next_retry_delay(), None);
    }

    #[test]
    fn long_bodies_are_cut_in_messages() {
        let error = response(500, &[], &"x".repeat(10_000)).refusal();
        assert!(error.message().len() < EXCERPT_BYTES_MAX + 100);
    }

    #[test]
    fn a_body_that_does_not_fit_is_the_providers_fault() {
        let error = response(200, &[], "[]").json::<String>();
        let error = error.expect_err("a list is no text");
        assert_eq!(error.kind().name(), "ExternalServiceError");
    }
}
