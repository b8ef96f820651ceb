//! The API's document: as JSON for programs, as a page for people.

mod page;

use std::sync::OnceLock;

use axum::{
    Json,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use crate::document::document;

/// Nothing but the page's own styles: no scripts, no pictures, no frames, nothing from elsewhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const NO_SNIFF: (HeaderName, HeaderValue) = (
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderValue::from_static("nosniff"),
);

/// The document itself.
pub(crate) struct Contract(&'static Value);

impl IntoResponse for Contract {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

pub(crate) async fn json() -> Contract {
    Contract(document())
}

/// A page that stands for itself.
pub(crate) struct Page(&'static str);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), NO_SNIFF];
        (headers, Html(self.0)).into_response()
    }
}

pub(crate) async fn page() -> Page {
    static PAGE: OnceLock<String> = OnceLock::new();
    Page(PAGE.get_or_init(|| page::of(document())))
}
