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
