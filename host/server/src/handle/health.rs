//! Does the process run, can it work, and within which limits.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};
use tenterhook_domain::{Code, Error, limit::Limits};

use crate::{Api, problem::Answer};

pub(crate) async fn live() -> Json<Value> {
    Json(json!({"status": "live"}))
}

pub(crate) async fn ready(State(api): State<Arc<Api>>) -> Answer<Json<Value>> {
    if api.stopping.is_cancelled() {
        return Err(Error::new(Code::HostStopping, "the host is stopping").into());
    }
    api.state.readiness.check().await?;
    Ok(Json(json!({"status": "ready"})))
}

pub(crate) async fn limits() -> Json<Value> {
    Json(json!({"items": Limits::TABLE}))
}
