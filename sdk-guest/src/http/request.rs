//! One request, as an author builds it.

use std::time::Duration;

use serde::Serialize;

use super::address::Address;
use super::response::Response;
use super::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, IDEMPOTENCY_KEY, RESPONSE_BYTES_MAX, transport};
use crate::error::ActivityError;

/// What is done with the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Reads.
    Get,
    /// Reads only the headers.
    Head,
    /// Creates, or does.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to send.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) connect_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) response_bytes_max: usize,
}

/// A request that reads.
pub fn get(url: &str) -> Request {
    Request::new(Method::Get, url)
}

/// A request that creates, or does.
pub fn post(url: &str) -> Request {
    Request::new(Method::Post, url)
}

/// A request that replaces.
pub fn put(url: &str) -> Request {
    Request::new(Method::Put, url)
}

/// A request that removes.
pub fn delete(url: &str) -> Request {
    Request::new(Method::Delete, url)
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            response_bytes_max: RESPONSE_BYTES_MAX,
        }
    }

    /// Adds a header; names may repeat.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the header by which the provider recognises a repeated call.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header(IDEMPOTENCY_KEY, key)
    }

    /// Sets the body to a value as JSON, with its content type.
    ///
    /// # Errors
    /// `ValidationError` if the value has no JSON.
    pub fn json<T: Serialize>(mut self, value: &T) -> Result<Self, ActivityError> {
        self.body = serde_json::to_vec(value).map_err(|error| {
            ActivityError::validation("the request's body has no JSON").with_source(&error)
        })?;
        Ok(self.header("content-type", "application/json"))
    }

    /// Sets the body.
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("content-type", content_type)
    }

    /// Sets how long to wait for the connection.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long to wait for the first byte of the answer, and then between bytes.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// Sets the most bytes of the answer's body that are read.
    pub fn response_bytes_max(mut self, bytes: usize) -> Self {
        self.response_bytes_max = bytes;
        self
    }

    /// Sends the request and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// `NetworkError` if no whole answer came, `AuthorizationError` if the host does not let the plugin there,
    /// `ValidationError` if the request is wrong in itself, `ExternalServiceError` if the answer breaks HTTP or is
    /// too large.
    pub fn send(self) -> Result<Response, ActivityError> {
        let address = Address::parse(&self.url)?;
        transport::send(self, &address)
    }
}
