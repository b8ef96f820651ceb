//! A stand-in for one test, and a client of it.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tenterhook_tests::standin::{Book, StandIn};

/// A stand-in on a free port, and a client that speaks to one of its books.
pub(crate) struct Providers {
    pub(crate) standin: StandIn,
    pub(crate) client: Client,
    pub(crate) book: &'static str,
}

impl Providers {
    pub(crate) async fn start() -> Self {
        let standin = StandIn::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .expect("starts");
        // Loopback is spoken to in plain HTTP, but the client wants a TLS provider all the same.
        Self {
            standin,
            client: client(),
            book: "acme",
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let response = self
            .try_send(method, path, key, body)
            .await
            .expect("an answer");
        let status = response.status();
        let bytes = response.bytes().await.expect("a body");
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> reqwest::Result<reqwest::Response> {
        let mut request = self.client.request(
            method,
            format!("{}{path}", self.standin.base_url(self.book)),
        );
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(key), body).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, None, Value::Null).await
    }

    pub(crate) async fn switch(&self, switches: Value) {
        let (status, body) = self.send(Method::PUT, "/switches", None, switches).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    }

    pub(crate) async fn books(&self) -> Book {
        let (status, body) = self.send(Method::GET, "/books", None, Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        serde_json::from_value(body).expect("a book")
    }
}

fn client() -> Client {
    tenterhook_tests::install_tls();
    Client::new()
}
