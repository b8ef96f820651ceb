//! Checks of a component that is not kept.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use tenterhook_domain::{Code, Error, replay::Rehearsed};

use crate::{
    Api,
    problem::Answer,
    request::{AtPlugin, Upload},
};

/// Receives a component and answers what a push of it would find. 200 also for one that would be refused: its checks
/// say so.
pub(crate) async fn check(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    upload: Upload,
) -> Answer<JsonBody<Rehearsed>> {
    api.state.store.environments.require(&at.scope).await?;
    let turn =
        api.uploads.acquire().await.map_err(|error| {
            Error::new(Code::Internal, "uploads have no turns").caused_by(error)
        })?;
    let component = upload.receive().await?.component;
    drop(turn);
    let rehearsal = &api.state.rehearsal;
    let rehearsed = rehearsal.rehearse(&at.scope, &at.plugin, component).await?;
    tracing::info!(scope = %at.scope, plugin = %at.plugin, "a component was checked and not kept");
    Ok(JsonBody(rehearsed))
}
