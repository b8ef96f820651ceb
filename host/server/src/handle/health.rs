//! Does the process run, can it work, and within which limits.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use tenterhook_domain::{
    Code, Error,
    limit::{Limit, Limits},
};

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

/// Every limit there is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LimitTable {
    /// One row each.
    #[schema(inline = false)]
    items: &'static [Limit],
}

pub(crate) async fn limits() -> Json<LimitTable> {
    Json(LimitTable {
        items: Limits::TABLE,
    })
}
