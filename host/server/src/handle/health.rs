//! Does the process run, and can it work.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use tenterhook_domain::{Code, Error};

use crate::{Api, problem::Answer};

/// How the host is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Liveness {
    /// `live`, or `ready`.
    status: &'static str,
}

pub(crate) async fn live() -> Json<Liveness> {
    Json(Liveness { status: "live" })
}

pub(crate) async fn ready(State(api): State<Arc<Api>>) -> Answer<Json<Liveness>> {
    if api.stopping.is_cancelled() {
        return Err(Error::new(Code::HostStopping, "the host is stopping").into());
    }
    api.state.readiness.check().await?;
    Ok(Json(Liveness { status: "ready" }))
}
