//! The client of the host's API: one call, one answer, refusals as failures.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{
    Method,
    header::{self, HeaderValue},
    redirect,
};
use serde_json::Value;
use url::Url;

use crate::{
    connection::{self, Connection},
    duration,
    failure::{Failure, Result, code},
    problem,
    reason::ReasonArgument,
    upload::{Progress, UPLOAD_TIMEOUT, Upload},
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take that waits for nothing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The header that says why something is changed.
const REASON: &str = "tenterhook-reason";
/// The API's version, the first segment of every path.
const VERSION: &str = "v1";

/// A host's API.
pub(crate) struct Client {
    http: reqwest::Client,
    connection: Connection,
}

/// What a call sends.
pub(crate) enum Body {
    /// Nothing.
    None,
    /// A JSON document.
    Json(Value),
    /// A component, as its media type and length say.
    Component(reqwest::Body, String, usize),
}

/// A request to make.
pub(crate) struct Call {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Body,
    reason: Option<String>,
    /// The version that is to be changed: another one is not.
    tag: Option<HeaderValue>,
    timeout: Duration,
}

impl Call {
    fn new<S: AsRef<str>>(method: Method, path: impl IntoIterator<Item = S>) -> Self {
        Self {
            method,
            path: path
                .into_iter()
                .map(|segment| segment.as_ref().to_owned())
                .collect(),
            query: Vec::new(),
            body: Body::None,
            reason: None,
            tag: None,
            timeout: ANSWER_TIMEOUT,
        }
    }

    /// Reads what is at `path`, given as segments that are not encoded yet.
    pub(crate) fn get<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Puts something at `path`.
    pub(crate) fn put<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Does what `path` says.
    pub(crate) fn post<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Removes what is at `path`.
    pub(crate) fn delete<S: AsRef<str>>(path: impl IntoIterator<Item = S>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds a query parameter, where there is a value.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Sends a JSON document.
    pub(crate) fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Sends a component and shows how far it is.
    pub(crate) fn upload(mut self, upload: Upload, progress: &Progress) -> Self {
        let length = upload.bytes.len();
        self.body = Body::Component(progress.body(upload.bytes), upload.media_type, length);
        self.timeout = UPLOAD_TIMEOUT;
        self
    }

    /// Says why, where there is a reason.
    pub(crate) fn reason(mut self, reason: &ReasonArgument) -> Self {
        self.reason = reason.text().map(str::to_owned);
        self
    }

    /// Changes only the version that was read under `tag`, where there is one.
    pub(crate) fn if_match(mut self, tag: Option<HeaderValue>) -> Self {
        self.tag = tag;
        self
    }

    /// Gives the host so long to answer.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets the host wait up to `wait` before it answers.
    pub(crate) fn wait(mut self, wait: Option<Duration>) -> Self {
        if let Some(wait) = wait {
            self.timeout = self.timeout.saturating_add(wait);
            self.query.push(("wait", duration::write(wait)));
        }
        self
    }
}

impl Client {
    /// A client of the host that `connection` says.
    ///
    /// # Errors
    /// `internal` when this machine's TLS cannot be used.
    pub(crate) fn new(connection: Connection) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tenterhook/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // The API never redirects, and a token must not follow one.
            .redirect(redirect::Policy::none());
        if connection::is_local(&connection.url) {
            builder = builder.no_proxy();
        }
        if connection.url.scheme() == "http" {
            // Without TLS, machines without any root certificates will do.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| {
            Failure::internal("no HTTP client can be made on this machine").caused_by(&error)
        })?;
        Ok(Self { http, connection })
    }

    /// The host's address, for messages.
    pub(crate) fn url(&self) -> &Url {
        &self.connection.url
    }

    /// Makes `call` and gives the JSON document that is answered; null where there is none.
    ///
    /// # Errors
    /// The host's refusal under its code; `host-unreachable` when it does not answer, `answer-invalid` when
    /// what answers is no host.
    pub(crate) async fn call(&self, call: Call) -> Result<Value> {
        let (answer, _) = self.call_tagged(call).await?;
        Ok(answer)
    }

    /// The same, and the tag under which what is answered can be changed.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn call_tagged(&self, call: Call) -> Result<(Value, Option<HeaderValue>)> {
        let url = self.address(&call)?;
        let mut request = self
            .http
            .request(call.method, url)
            .timeout(call.timeout)
            .bearer_auth(&self.connection.token)
            .header(header::ACCEPT, "application/json, application/problem+json");
        if let Some(reason) = &call.reason {
            request = request.header(REASON, reason.as_bytes());
        }
        if let Some(tag) = call.tag {
            request = request.header(header::IF_MATCH, tag);
        }
        request = match call.body {
            Body::None => request,
            Body::Json(value) => request.json(&value),
            Body::Component(body, media_type, length) => request
                .header(header::CONTENT_TYPE, media_type)
                .header(header::CONTENT_LENGTH, length)
                .body(body),
        };
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(error, call.timeout))?;
        let status = answer.status();
        let tag = answer.headers().get(header::ETAG).cloned();
        let body = self.body(answer, call.timeout).await?;
        if !status.is_success() {
            return Err(problem::failure(status, &body));
        }
        if body.is_empty() {
            return Ok((Value::Null, tag));
        }
        let document = serde_json::from_slice(&body).map_err(|error| {
            Failure::new(
                code::ANSWER_INVALID,
                format!("the answer of {} is not JSON", self.url()),
            )
            .caused_by(&error)
            .with_hint("is this the address of a Tenterhook host?")
        })?;
        Ok((document, tag))
    }

    fn address(&self, call: &Call) -> Result<Url> {
        let mut url = self.connection.url.clone();
        for segment in &call.path {
            // URLs drop these two, encoded or not: the call would go elsewhere.
            if matches!(segment.as_str(), "" | "." | "..") {
                return Err(Failure::usage(format!(
                    "{segment:?} is neither a name nor an id that the API can address"
                )));
            }
        }
        url.path_segments_mut()
            .map_err(|()| Failure::usage(format!("{} is not the URL of a host", self.url())))?
            .pop_if_empty()
            .push(VERSION)
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    async fn body(&self, mut answer: reqwest::Response, timeout: Duration) -> Result<Bytes> {
        let mut body = BytesMut::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| self.unreachable(error, timeout))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Failure::new(
                    code::ANSWER_INVALID,
                    format!(
                        "the answer of {} is larger than {ANSWER_BYTES_MAX} bytes",
                        self.url()
                    ),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn unreachable(&self, error: reqwest::Error, timeout: Duration) -> Failure {
        let detail = if error.is_timeout() && !error.is_connect() {
            format!(
                "the host at {} did not answer within {}",
                self.url(),
                duration::write(timeout)
            )
        } else if error.is_connect() {
            format!("no host answers at {}", self.url())
        } else {
            format!("the connection to the host at {} broke", self.url())
        };
        let failure = Failure::new(code::HOST_UNREACHABLE, detail).with_hint(
            "is it running? `tenterhook dev` starts one; --data-dir or --url say where another is",
        );
        let error = error.without_url();
        match std::error::Error::source(&error) {
            Some(cause) => failure.caused_by(cause),
            None => failure.caused_by(&error),
        }
    }
}
