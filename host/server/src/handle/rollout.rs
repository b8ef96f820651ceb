//! Which release new executions start on: promote, ramp, pause, roll back.

use std::sync::Arc;

use axum::{Extension, extract::State};
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    Code, Digest, Result,
    release::Release,
    rollout::{Line, Move, RampPlan, Rollout},
};

use super::release::no_release;
use crate::{
    Api,
    answer::{Tagged, entity_tag},
    guard::Caller,
    problem::Answer,
    request::{AtPlugin, IfMatch, Json, TRIES_MAX, outdated},
};

/// What is decided for a plugin.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LineView {
    /// The release that new executions start on; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current: Option<Digest>,
    /// The one before it: where a rollback goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous: Option<Digest>,
    /// Grows with every change of the plugin.
    revision: u64,
    /// Share of the new executions that start on the ramping release now, 0 to 100.
    percentage: u8,
    /// When the step is over, milliseconds since the Unix epoch; none while somebody has to say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    step_ends_at: Option<u64>,
    /// The ramp under way, or the last one if it was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rollout: Option<Rollout>,
}

/// What `If-Match` is held against: all that was decided. What the guard saw changes by itself every few seconds, and
/// is no reason to decide anew.
pub(super) fn tag(line: &Line) -> Result<String> {
    let mut decided = line.clone();
    if let Some(rollout) = &mut decided.rollout {
        rollout.seen = None;
    }
    entity_tag(&decided)
}

fn view((line, revision): (Line, u64)) -> Answer<Tagged<LineView>> {
    let tag = tag(&line)?;
    let rollout = line.rollout;
    let body = LineView {
        current: line.current,
        previous: line.previous,
        revision,
        percentage: rollout.as_ref().map_or(0, Rollout::percentage),
        step_ends_at: rollout.as_ref().and_then(Rollout::step_ends_at),
        rollout,
    };
    Ok(Tagged { tag, body })
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtPlugin) -> Answer<Tagged<LineView>> {
    let lines = &api.state.store.lines;
    view(lines.line(&at.scope, &at.plugin).await?)
}

async fn make(
    api: &Api,
    at: &AtPlugin,
    r#move: Move,
    expected: &IfMatch,
    caller: &Caller,
) -> Result<(Line, u64)> {
    let (scope, plugin) = (&at.scope, &at.plugin);
    let (lines, author) = (&api.state.store.lines, caller.author());
    for _ in 0..TRIES_MAX {
        let (line, revision) = lines.line(scope, plugin).await?;
        if !expected.allows(&tag(&line)?) {
            break;
        }
        let now = api.state.clock.now_millis();
        let applied = lines.apply(scope, plugin, r#move.clone(), Some(revision), &author, now);
        match applied.await {
            Err(error) if error.code() == Code::PreconditionFailed => {}
            Err(error) => return Err(error),
            Ok(moved) => {
                tracing::info!(%scope, %plugin, by = caller.token, r#move = ?r#move, "a rollout was moved");
                return Ok(moved);
            }
        }
    }
    Err(outdated("rollout", scope, plugin))
}

pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(plan): Json<RampPlan>,
) -> Answer<Tagged<LineView>> {
    plan.check()?;
    view(make(&api, &at, Move::Ramp(plan), &expected, &caller).await?)
}

pub(crate) async fn advance(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
) -> Answer<Tagged<LineView>> {
    view(make(&api, &at, Move::Advance, &expected, &caller).await?)
}

pub(crate) async fn pause(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
) -> Answer<Tagged<LineView>> {
    view(make(&api, &at, Move::Pause, &expected, &caller).await?)
}

pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
) -> Answer<Tagged<LineView>> {
    view(make(&api, &at, Move::Resume, &expected, &caller).await?)
}

pub(crate) async fn roll_back(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
) -> Answer<Tagged<LineView>> {
    view(make(&api, &at, Move::RollBack, &expected, &caller).await?)
}

/// The release to make current.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    /// Its name.
    #[schema(pattern = "^sha256:[0-9a-f]{64}$")]
    digest: String,
}

pub(crate) async fn put_current(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(choice): Json<Choice>,
) -> Answer<Tagged<Release>> {
    let digest: Digest = choice.digest.parse()?;
    let (line, _) = make(&api, &at, Move::Promote(digest), &expected, &caller).await?;
    let releases = &api.state.store.releases;
    let body = releases.get(&at.scope, &at.plugin, &digest).await?;
    Ok(Tagged {
        tag: tag(&line)?,
        body,
    })
}

pub(crate) async fn get_current(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<Tagged<Release>> {
    let store = &api.state.store;
    let (line, _) = store.lines.line(&at.scope, &at.plugin).await?;
    let digest = line
        .current
        .ok_or_else(|| no_release(&at.scope, &at.plugin))?;
    let body = store.releases.get(&at.scope, &at.plugin, &digest).await?;
    Ok(Tagged {
        tag: tag(&line)?,
        body,
    })
}
