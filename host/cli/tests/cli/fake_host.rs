//! A host that answers what a test says.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::Value;

const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The tag of everything that it answers.
pub(crate) const TAG: &str = "\"7\"";

/// What a host was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `POST /v1/tenants/…?wait=5s`, percent-encoded as it came.
    pub(crate) line: String,
    /// The `Authorization` header.
    pub(crate) authorization: String,
    /// The `Tenterhook-Reason` header.
    pub(crate) reason: String,
    /// The `If-Match` header.
    pub(crate) if_match: String,
    /// The `Content-Type` header.
    pub(crate) content_type: String,
    /// The `Content-Length` header.
    pub(crate) content_length: Option<usize>,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

#[derive(Default)]
struct Script {
    /// By request line, answers in the order in which they are given; the last stays.
    answers: HashMap<String, Vec<(u16, String)>>,
    asked: Vec<Asked>,
}

/// A host on a port of its own, which ends with its test's runtime.
pub(crate) struct FakeHost {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
}

impl FakeHost {
    /// A host that answers nothing yet.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::<Mutex<Script>>::default();
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// Answers the request `line` with a JSON document.
    pub(crate) fn on(self, line: &str, status: u16, body: Value) -> Self {
        self.on_text(line, status, &body.to_string())
    }

    /// Answers the request `line` with any text.
    pub(crate) fn on_text(self, line: &str, status: u16, body: &str) -> Self {
        let mut script = self.script.lock().expect("no test panics with it");
        script
            .answers
            .entry(line.to_owned())
            .or_default()
            .push((status, body.to_owned()));
        drop(script);
        self
    }

    /// What it was asked until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script
            .lock()
            .expect("no test panics with it")
            .asked
            .clone()
    }

    /// The only thing that it was asked.
    pub(crate) fn asked_once(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
            .unwrap_or_default()
            .to_owned()
    };
    let asked = Asked {
        line: format!("{} {}", parts.method, parts.uri),
        authorization: header("authorization"),
        reason: header("tenterhook-reason"),
        if_match: header("if-match"),
        content_type: header("content-type"),
        content_length: header("content-length").parse().ok(),
        body: to_bytes(body, BODY_BYTES_MAX).await.expect("a whole body"),
    };
    let mut script = script.lock().expect("no test panics with it");
    let (status, body) = match script.answers.get_mut(&asked.line) {
        Some(answers) if answers.len() > 1 => answers.remove(0),
        Some(answers) => answers[0].clone(),
        None => (
            404,
            format!(
                r#"{{"code":"route-not-found","detail":"no answer to {}"}}"#,
                asked.line
            ),
        ),
    };
    script.asked.push(asked);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let tag = HeaderValue::from_static(TAG);
    response.headers_mut().insert(header::ETAG, tag);
    response
}
