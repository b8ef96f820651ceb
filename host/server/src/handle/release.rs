//! Releases: what became of them, and their end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Json as JsonBody, extract::State};
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope,
    execution::Page,
    release::{Release, ReleaseDiff, ReleaseState},
    rollout::Move,
};
use tenterhook_store::ChangeListener;
use tokio::time::sleep;

use super::rollout::tag;
use crate::{
    Api,
    answer::Tagged,
    guard::Caller,
    problem::Answer,
    request::{
        AgainstQuery, AtPlugin, AtRelease, IfMatch, NumberedQuery, Query, WaitQuery, outdated,
    },
};

/// How often the store is asked while a push waits and nothing is announced.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The release once it is as `wanted`, or as it is after `wait`, or when the host stops.
pub(super) async fn watch(
    api: &Api,
    (scope, plugin): (&Scope, &PluginName),
    mut changes: ChangeListener,
    mut release: Release,
    wait: Duration,
    wanted: impl Fn(&Release) -> bool + Send,
) -> Result<Release> {
    let until = Instant::now() + wait;
    while !wanted(&release) {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break;
        }
        tokio::select! {
            _ = changes.next() => {}
            () = sleep(rest.min(LOOK_AGAIN)) => {}
            () = api.stopping.cancelled() => break,
        }
        let releases = &api.state.store.releases;
        release = releases.get(scope, plugin, &release.digest).await?;
    }
    Ok(release)
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Query(query): Query<NumberedQuery>,
) -> Answer<JsonBody<Page<Release>>> {
    let releases = &api.state.store.releases;
    let page = releases
        .list(&at.scope, &at.plugin, query.cursor()?)
        .await?;
    Ok(JsonBody(page))
}

/// The release, or with `wait` the release once it is in another state than now.
pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    at: AtRelease,
    Query(query): Query<WaitQuery>,
) -> Answer<JsonBody<Release>> {
    let wait = query.wait()?.unwrap_or_default();
    let (scope, plugin) = (&at.scope, &at.plugin);
    let releases = &api.state.store.releases;
    // Heard from before the first look, so that no change passes by between the two.
    let changes = api.state.store.changes.subscribe();
    let release = releases.get(scope, plugin, &at.digest).await?;
    let before = release.state;
    let changed = |release: &Release| release.state != before;
    let release = watch(&api, (scope, plugin), changes, release, wait, changed).await?;
    Ok(JsonBody(release))
}

/// What is another in a release than in the one of `against`.
pub(crate) async fn diff(
    State(api): State<Arc<Api>>,
    at: AtRelease,
    Query(query): Query<AgainstQuery>,
) -> Answer<JsonBody<ReleaseDiff>> {
    let against = query.digest()?;
    let releases = &api.state.store.releases;
    let from = releases.get(&at.scope, &at.plugin, &against).await?;
    let to = releases.get(&at.scope, &at.plugin, &at.digest).await?;
    Ok(JsonBody(ReleaseDiff::of(&from, &to)))
}

/// Retires a release that no open execution is pinned to.
pub(crate) async fn retire(
    State(api): State<Arc<Api>>,
    at: AtRelease,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
) -> Answer<Tagged<Release>> {
    let (scope, plugin, digest) = (&at.scope, &at.plugin, &at.digest);
    let store = &api.state.store;
    // Read before the count: a move that lets something start on the release after that makes another revision.
    let (line, revision) = store.lines.line(scope, plugin).await?;
    if !expected.allows(&tag(&line)?) {
        return Err(outdated("rollout", scope, plugin).into());
    }
    let state = store.releases.get(scope, plugin, digest).await?.state;
    if state != ReleaseState::Retired && !state.next().contains(&ReleaseState::Retired) {
        return Err(Error::new(
            Code::ReleaseStateConflict,
            format!(
                "release {digest} is {} and cannot become retired",
                state.as_str()
            ),
        )
        .into());
    }
    let census = api.state.census.as_ref().ok_or_else(|| {
        Error::new(
            Code::TemporalUnavailable,
            "this host does not count executions: ask one that has workers",
        )
    })?;
    let open = census.open(scope, plugin, digest).await?;
    if open > 0 {
        return Err(Error::new(
            Code::ReleaseStateConflict,
            format!(
                "{open} open executions are pinned to release {digest}: it stays until they end"
            ),
        )
        .into());
    }
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let retire = Move::Retire(*digest);
    let lines = &store.lines;
    let (line, _) = lines
        .apply(scope, plugin, retire, Some(revision), &author, now)
        .await?;
    tracing::info!(%scope, %plugin, %digest, by = caller.token, "a release was retired");
    let body = store.releases.get(scope, plugin, digest).await?;
    Ok(Tagged {
        tag: tag(&line)?,
        body,
    })
}

/// The refusal for a plugin that has no release yet.
pub(super) fn no_release(scope: &Scope, plugin: &PluginName) -> Error {
    Error::new(
        Code::ReleaseNotFound,
        format!("plugin {plugin} of {scope} has no release yet: push one"),
    )
}
