//! Rollouts: which release new executions start on, and how it comes to that.

use std::sync::Arc;

use axum::{
    Extension, Json as JsonBody,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use tenterhook_domain::{
    Code, Digest, Error, Result,
    policy::ReleasePolicy,
    rollout::{Line, Move, RampPlan, Rollout},
};

use crate::{
    Api,
    guard::Caller,
    problem::Answer,
    request::{AtPlugin, Json},
};

/// Times that a move is made anew when the line changed between reading it and the move. Only the guard writes
/// often, and what it writes is no part of the tag.
const MOVES_MAX: usize = 10;
/// Hex digits of a line's hash that make its tag.
const TAG_DIGITS: usize = 32;

/// A line as callers see it.
#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    line: Line,
    revision: u64,
    /// The share of new executions that start on the release that ramps.
    percentage: u8,
    /// When the step is over, milliseconds since the Unix epoch; none while somebody has to say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    step_ends_at: Option<u64>,
}

fn answer((line, revision): (Line, u64)) -> Answer {
    let tag = HeaderValue::from_str(&tag(&line)?)
        .map_err(|error| Error::new(Code::Internal, "a tag is no header").caused_by(error))?;
    let rollout = line.rollout.as_ref();
    let seen = Seen {
        revision,
        percentage: rollout.map_or(0, Rollout::percentage),
        step_ends_at: rollout.and_then(Rollout::step_ends_at),
        line,
    };
    Ok(([(header::ETAG, tag)], JsonBody(seen)).into_response())
}

/// What `If-Match` is held against: all that was decided. What the guard saw changes by itself every few seconds,
/// and is no reason to decide anew.
fn tag(line: &Line) -> Result<String> {
    let mut decided = line.clone();
    if let Some(rollout) = &mut decided.rollout {
        rollout.seen = None;
    }
    let json = serde_json::to_vec(&decided).map_err(|error| {
        Error::new(Code::Internal, "a line does not serialise").caused_by(error)
    })?;
    let hex = Digest::of(&json).hex();
    Ok(format!("\"{}\"", &hex[..TAG_DIGITS]))
}

/// True if the request may change `line`: it names no tag, or this one.
fn matches(headers: &HeaderMap, line: &Line) -> Result<bool> {
    let Some(wanted) = headers.get(header::IF_MATCH) else {
        return Ok(true);
    };
    let wanted = wanted
        .to_str()
        .map_err(|_| Error::new(Code::RequestInvalid, "the If-Match header cannot be read"))?;
    let tag = tag(line)?;
    Ok(wanted
        .split(',')
        .map(str::trim)
        .any(|wanted| wanted == "*" || wanted == tag))
}

async fn make(
    api: &Api,
    at: &AtPlugin,
    caller: &Caller,
    headers: &HeaderMap,
    r#move: Move,
) -> Answer {
    let lines = &api.state.store.lines;
    let author = caller.author();
    for _ in 0..MOVES_MAX {
        let (line, revision) = lines.line(&at.scope, &at.plugin).await?;
        if !matches(headers, &line)? {
            break;
        }
        let now = api.state.clock.now_millis();
        let moved = lines.apply(
            &at.scope,
            &at.plugin,
            r#move.clone(),
            Some(revision),
            &author,
            now,
        );
        match moved.await {
            Err(error) if error.code() == Code::PreconditionFailed => {}
            Err(error) => return Err(error.into()),
            Ok(moved) => {
                tracing::info!(scope = %at.scope, plugin = %at.plugin, r#move = ?r#move, "a rollout was moved");
                return answer(moved);
            }
        }
    }
    Err(Error::new(
        Code::PreconditionFailed,
        format!(
            "the rollout of plugin {} of {} was changed meanwhile: read it again, and decide anew",
            at.plugin, at.scope
        ),
    )
    .into())
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtPlugin) -> Answer<Response> {
    answer(api.state.store.lines.line(&at.scope, &at.plugin).await?)
}

pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(plan): Json<RampPlan>,
) -> Answer {
    make(&api, &at, &caller, &headers, Move::Ramp(plan)).await
}

macro_rules! moves {
    ($($(#[doc = $doc:literal])+ $name:ident => $move:expr;)+) => {$(
        $(#[doc = $doc])+
        pub(crate) async fn $name(
            State(api): State<Arc<Api>>,
            at: AtPlugin,
            Extension(caller): Extension<Caller>,
            headers: HeaderMap,
        ) -> Answer {
            make(&api, &at, &caller, &headers, $move).await
        }
    )+};
}

moves! {
    /// To the next step, or to the end.
    advance => Move::Advance;
    /// Stays at its step.
    pause => Move::Pause;
    /// Goes on.
    resume => Move::Resume;
    /// Stops a ramp under way; without one, the release before the current one becomes current.
    roll_back => Move::RollBack;
}

pub(crate) async fn get_policy(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<JsonBody<ReleasePolicy>> {
    let plugins = &api.state.store.plugins;
    let snapshot = plugins.snapshot(&at.scope, &at.plugin).await?;
    Ok(JsonBody(snapshot.policy))
}

pub(crate) async fn put_policy(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    Json(policy): Json<ReleasePolicy>,
) -> Answer<JsonBody<ReleasePolicy>> {
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let plugins = &api.state.store.plugins;
    plugins
        .put_policy(&at.scope, &at.plugin, &policy, &author, now)
        .await?;
    tracing::info!(scope = %at.scope, plugin = %at.plugin, "the release policy was set");
    Ok(JsonBody(policy))
}
