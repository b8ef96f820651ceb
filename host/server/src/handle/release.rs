//! Releases: uploads, and which one is current.

use std::sync::Arc;

use axum::{Json as JsonBody, body::Body, extract::State};
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    component::Inspection,
    execution::Page,
    release::{Release, ReleaseState},
};
use tenterhook_store::Written;

use super::{located, put_status, scope_path};
use crate::{
    Api,
    problem::Answer,
    request::{AtPlugin, AtRelease, Json, PageQuery, Query, upload},
};

/// Receives, checks and stores a component. 201 when it is a new release, 200 when it was there.
pub(crate) async fn push(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    // Nobody sends megabytes to learn that there is no such place.
    api.state.store.environments.require(&at.scope).await?;
    let _turn =
        api.uploads.acquire().await.map_err(|error| {
            Error::new(Code::Internal, "uploads have no turns").caused_by(error)
        })?;
    let component = upload(&headers, body).await?;
    let (written, release) = publish(&api, &at.scope, &at.plugin, component).await?;
    let (digest, scope, plugin) = (release.digest, &at.scope, &at.plugin);
    tracing::info!(%scope, %plugin, %digest, new = written == Written::Created, "a release was pushed");
    let path = format!("{}/plugins/{plugin}/releases/{digest}", scope_path(scope));
    Ok(located(put_status(written), &path, release)?)
}

async fn publish(
    api: &Api,
    scope: &Scope,
    plugin: &PluginName,
    component: Bytes,
) -> Result<(Written, Release)> {
    let store = &api.state.store;
    let digest = digest_of(component.clone()).await?;
    match store.releases.get(scope, plugin, &digest).await {
        Ok(release) => {
            // It was checked when it came first. Storing the blob again repairs a damaged one.
            store.blobs.put(&digest, component).await?;
            return Ok((Written::Unchanged, release));
        }
        Err(error) if matches!(error.code(), Code::ReleaseNotFound | Code::PluginNotFound) => {}
        Err(error) => return Err(error),
    }
    let inspector = &api.state.inspector;
    let inspection = inspector.inspect(plugin, component.clone()).await?;
    let release = release_of(inspection, component.len(), api.state.clock.now_millis());
    store.publish(scope, plugin, &release, component).await
}

fn release_of(inspection: Inspection, bytes: usize, uploaded_at: u64) -> Release {
    Release {
        digest: inspection.digest,
        version: inspection.metadata.version.clone(),
        state: ReleaseState::Ready,
        bytes: bytes as u64,
        uploaded_at,
        metadata: inspection.metadata,
        checks: inspection.checks,
    }
}

/// Hashing a large component takes long enough to hold up a runtime's thread.
async fn digest_of(component: Bytes) -> Result<Digest> {
    tokio::task::spawn_blocking(move || Digest::of(&component))
        .await
        .map_err(|error| Error::new(Code::Internal, "the digest was not computed").caused_by(error))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Query(query): Query<PageQuery>,
) -> Answer<JsonBody<Page<Release>>> {
    let releases = &api.state.store.releases;
    let page = releases
        .list(&at.scope, &at.plugin, query.cursor()?)
        .await?;
    Ok(JsonBody(page))
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtRelease) -> Answer<JsonBody<Release>> {
    let releases = &api.state.store.releases;
    let release = releases.get(&at.scope, &at.plugin, &at.digest).await?;
    Ok(JsonBody(release))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    digest: String,
}

pub(crate) async fn put_current(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Json(choice): Json<Choice>,
) -> Answer<JsonBody<Release>> {
    let digest = choice.digest.parse()?;
    let releases = &api.state.store.releases;
    let release = releases.set_current(&at.scope, &at.plugin, &digest).await?;
    tracing::info!(scope = %at.scope, plugin = %at.plugin, %digest, "a release was made current");
    Ok(JsonBody(release))
}

pub(crate) async fn get_current(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<JsonBody<Release>> {
    let releases = &api.state.store.releases;
    let current = releases.current(&at.scope, &at.plugin).await?;
    Ok(JsonBody(
        current.ok_or_else(|| no_release(&at.scope, &at.plugin))?,
    ))
}

/// The refusal for a plugin that has no release yet.
pub(super) fn no_release(scope: &Scope, plugin: &PluginName) -> Error {
    Error::new(
        Code::ReleaseNotFound,
        format!("plugin {plugin} of {scope} has no release yet: push one"),
    )
}
