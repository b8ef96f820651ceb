//! Releases: uploads, what became of them, and their end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, Json as JsonBody, extract::State};
use http::StatusCode;
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope,
    audit::Author,
    check::Severity,
    execution::Page,
    release::{Release, ReleaseDiff, ReleaseState},
    rollout::Move,
};
use tenterhook_store::{ChangeListener, NewRelease, Written};
use tokio::time::sleep;

use super::{rollout::tag, scope_path};
use crate::{
    Api,
    answer::{Located, Tagged, put_status},
    guard::Caller,
    problem::Answer,
    request::{
        AgainstQuery, AtPlugin, AtRelease, IfMatch, NumberedQuery, Query, Received, Upload,
        WaitQuery, outdated,
    },
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
    upload: Upload,
) -> Answer<Located<Release>> {
    let wait = query.wait()?.unwrap_or(CHECKS_WAIT);
    // Nobody sends megabytes to learn that there is no such place.
    api.state.store.environments.require(&at.scope).await?;
    let turn =
        api.uploads.acquire().await.map_err(|error| {
            Error::new(Code::Internal, "uploads have no turns").caused_by(error)
        })?;
    let received = upload.receive().await?;
    let author = caller.author();
    let changes = api.state.store.changes.subscribe();
    let (written, release) = publish(&api, &at, received, &author).await?;
    drop(turn);
    let (digest, scope, plugin) = (release.digest, &at.scope, &at.plugin);
    tracing::info!(%scope, %plugin, %digest, new = written == Written::Created, "a release was pushed");
    let checked = |release: &Release| release.state.is_checked();
    let release = watch(&api, (scope, plugin), changes, release, wait, checked).await?;
    let status = if release.state.is_checked() {
        if let Some(refusal) = refusal(&release) {
            return Err(refusal.into());
        }
        put_status(written)
    } else {
        StatusCode::ACCEPTED
    };
    let path = format!("{}/plugins/{plugin}/releases/{digest}", scope_path(scope));
    Ok(Located {
        status,
        path,
        body: release,
    })
}

async fn publish(
    api: &Api,
    at: &AtPlugin,
    received: Received,
    author: &Author,
) -> Result<(Written, Release)> {
    let release = NewRelease {
        digest: received.digest,
        bytes: received.component.len() as u64,
        uploaded_at: api.state.clock.now_millis(),
        origin: "upload".to_owned(),
    };
    let store = &api.state.store;
    store
        .publish(&at.scope, &at.plugin, &release, received.component, author)
        .await
}

/// The release once it is as `wanted`, or as it is after `wait`, or when the host stops.
async fn watch(
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
