//! Lanes of environments' own.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use tenterhook_domain::{Code, Error, lane::LaneSettings};

use crate::{
    Api,
    answer::{NoContent, Put},
    guard::Caller,
    problem::Answer,
    request::{AtScope, Json},
};

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
) -> Answer<JsonBody<LaneSettings>> {
    let lane = api.state.store.lanes.lane(&scope).await?;
    let lane = lane.ok_or_else(|| {
        Error::new(
            Code::LaneNotFound,
            format!("{scope} has no lane of its own: it is on the pooled one"),
        )
    })?;
    Ok(JsonBody(lane))
}

/// Hosts work it from the moment on that they hear of it, within a second or two.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
    Extension(caller): Extension<Caller>,
    Json(lane): Json<LaneSettings>,
) -> Answer<Put<LaneSettings>> {
    lane.check()?;
    api.state.store.environments.require(&scope).await?;
    api.state.lanes.prepare(&lane).await?;
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let lanes = &api.state.store.lanes;
    let written = lanes.put_lane(&scope, &lane, &author, now).await?;
    tracing::info!(%scope, task_queue = lane.task_queue, by = caller.token, "a lane was set");
    Ok(Put(written, lane))
}

/// What is open on it waits there until it is a lane again.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
    Extension(caller): Extension<Caller>,
) -> Answer<NoContent> {
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let lanes = &api.state.store.lanes;
    lanes.delete_lane(&scope, &author, now).await?;
    tracing::info!(%scope, by = caller.token, "a lane was deleted");
    Ok(NoContent)
}
