//! Releases: uploads, and which one is current.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Json as JsonBody, body::Body, extract::State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    audit::Author,
    check::Severity,
    execution::Page,
    release::{Release, ReleaseState},
    rollout::Move,
};
use tenterhook_store::{NewRelease, Written};
use tokio::time::sleep;

use super::{located, put_status, scope_path};
use crate::{
    Api,
    guard::Caller,
    problem::Answer,
    request::{AtPlugin, AtRelease, Json, PageQuery, Query, WaitQuery, upload},
};

/// How long a push waits for its checks unless the request says otherwise.
const CHECKS_WAIT: Duration = Duration::from_secs(50);
/// How often the store is asked while a push waits and nothing is announced.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Receives and stores a component, and waits for its checks. 201 when it is a new release that passed, 200 when it
/// was there, 202 when its checks still run, and the problem of the check that refuses it.
pub(crate) async fn push(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    Query(query): Query<WaitQuery>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    // Nobody sends megabytes to learn that there is no such place.
    api.state.store.environments.require(&at.scope).await?;
    let turn =
        api.uploads.acquire().await.map_err(|error| {
            Error::new(Code::Internal, "uploads have no turns").caused_by(error)
        })?;
    let component = upload(&headers, body).await?;
    let author = caller.author();
    let (written, release) = publish(&api, &at.scope, &at.plugin, component, &author).await?;
    drop(turn);
    let (digest, scope, plugin) = (release.digest, &at.scope, &at.plugin);
    tracing::info!(%scope, %plugin, %digest, new = written == Written::Created, "a release was pushed");
    let wait = query.wait()?.unwrap_or(CHECKS_WAIT);
    let release = checked(&api, scope, plugin, release, wait).await?;
    let path = format!("{}/plugins/{plugin}/releases/{digest}", scope_path(scope));
    if !release.state.is_checked() {
        return Ok(located(StatusCode::ACCEPTED, &path, release)?);
    }
    if let Some(refusal) = refusal(&release) {
        return Err(refusal.into());
    }
    Ok(located(put_status(written), &path, release)?)
}

async fn publish(
    api: &Api,
    scope: &Scope,
    plugin: &PluginName,
    component: Bytes,
    author: &Author,
) -> Result<(Written, Release)> {
    let release = NewRelease {
        digest: digest_of(component.clone()).await?,
        bytes: component.len() as u64,
        uploaded_at: api.state.clock.now_millis(),
        origin: "upload".to_owned(),
    };
    let store = &api.state.store;
    store
        .publish(scope, plugin, &release, component, author)
        .await
}

/// The release once its checks are over, or as it is after `wait`, or when the host stops.
async fn checked(
    api: &Api,
    scope: &Scope,
    plugin: &PluginName,
    mut release: Release,
    wait: Duration,
) -> Result<Release> {
    let mut changes = api.state.store.changes.subscribe();
    let until = Instant::now() + wait;
    while !release.state.is_checked() && Instant::now() < until {
        tokio::select! {
            _ = changes.next() => {}
            () = sleep(LOOK_AGAIN) => {}
            () = api.stopping.cancelled() => return Ok(release),
        }
        release = api
            .state
            .store
            .releases
            .get(scope, plugin, &release.digest)
            .await?;
    }
    Ok(release)
}

/// Why the release is refused, in the words and under the code of the check that refused it.
fn refusal(release: &Release) -> Option<Error> {
    if release.state != ReleaseState::Refused {
        return None;
    }
    let check = release
        .checks
        .iter()
        .find(|check| check.severity == Severity::Refused)?;
    let code = check.code.as_deref().and_then(Code::of_text);
    Some(Error::new(
        code.unwrap_or(Code::ComponentInvalid),
        check.detail.clone(),
    ))
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
    Extension(caller): Extension<Caller>,
    Json(choice): Json<Choice>,
) -> Answer<JsonBody<Release>> {
    let digest: Digest = choice.digest.parse()?;
    let store = &api.state.store;
    let now = api.state.clock.now_millis();
    store
        .lines
        .apply(
            &at.scope,
            &at.plugin,
            Move::Promote(digest),
            None,
            &caller.author(),
            now,
        )
        .await?;
    tracing::info!(scope = %at.scope, plugin = %at.plugin, %digest, "a release was made current");
    let release = store.releases.get(&at.scope, &at.plugin, &digest).await?;
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
