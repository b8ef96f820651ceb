//! What the host counts, for Prometheus.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::{Api, problem::Answer};

/// Prometheus' text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Metrics as text.
pub(crate) struct MetricsText(String);

impl IntoResponse for MetricsText {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, TEXT)], self.0).into_response()
    }
}

pub(crate) async fn text(State(api): State<Arc<Api>>) -> Answer<MetricsText> {
    let text = api
        .state
        .metrics
        .text(&*api.state.circuits, &*api.state.memory)?;
    Ok(MetricsText(text))
}
