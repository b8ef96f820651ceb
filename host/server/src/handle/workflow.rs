//! Executions: start, look at, wait for.

use std::{sync::Arc, time::Duration};

use axum::{
    Json as JsonBody,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    execution::{Event, Execution, Outcome, Page, ReusePolicy, Start, Started, Status},
};

use super::{release::no_release, scope_path, segment};
use crate::{
    Api,
    answer::{Located, Pending},
    problem::Answer,
    request::{
        AtScope, AtWorkflow, HistoryQuery, Json, Query, WaitQuery, WorkflowsQuery, duration,
    },
    schema::WorkflowTypes,
};

/// A request to start an execution.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartRequest {
    /// The workflow type: `plugin.Name`.
    #[schema(pattern = r"^[a-z][a-z0-9-]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,60}$")]
    r#type: String,
    /// The execution's id, unique among open ones; the host makes one where there is none.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    id: Option<String>,
    /// Its input: one JSON value; without it there is no argument.
    #[serde(default, deserialize_with = "crate::request::given")]
    #[schema(value_type = Value)]
    input: Option<Value>,
    /// How long the whole execution may take: `1h30m`.
    #[schema(pattern = "^([0-9]{1,6}(ms|s|m|h|d)){1,3}$")]
    execution_timeout: Option<String>,
    /// How long one run may take.
    #[schema(pattern = "^([0-9]{1,6}(ms|s|m|h|d)){1,3}$")]
    run_timeout: Option<String>,
    /// How long one workflow task may take.
    #[schema(pattern = "^([0-9]{1,6}(ms|s|m|h|d)){1,3}$")]
    task_timeout: Option<String>,
    /// Begin so much later.
    #[schema(pattern = "^([0-9]{1,6}(ms|s|m|h|d)){1,3}$")]
    start_delay: Option<String>,
    /// Notes kept with the execution, by key.
    #[serde(default)]
    #[schema(value_type = Object)]
    memo: Map<String, Value>,
    /// What to do when a closed execution has the id.
    #[serde(default)]
    reuse: ReusePolicy,
}

impl StartRequest {
    fn read(self, scope: &Scope) -> Result<Start> {
        let time =
            |field: &str, text: Option<String>| text.map(|text| duration(field, &text)).transpose();
        let start = Start {
            workflow_type: self.r#type.parse()?,
            id: self.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            input: self.input,
            execution_timeout: time("execution_timeout", self.execution_timeout)?,
            run_timeout: time("run_timeout", self.run_timeout)?,
            task_timeout: time("task_timeout", self.task_timeout)?,
            start_delay: time("start_delay", self.start_delay)?,
            memo: self.memo,
            reuse: self.reuse,
            weight: 1,
        };
        scope.temporal_id(&start.id)?;
        Ok(start)
    }
}

/// What became of a start.
pub(crate) enum StartAnswer {
    /// 200: it ended while the caller waited.
    Ended(Outcome),
    /// 202: it runs, there.
    Runs(Located<Started>),
}

impl IntoResponse for StartAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Ended(outcome) => JsonBody(outcome).into_response(),
            Self::Runs(located) => located.into_response(),
        }
    }
}

/// 202 with the place of the execution; 200 with its outcome when `wait` is given and it ends in time.
pub(crate) async fn start(
    State(api): State<Arc<Api>>,
    at: AtScope,
    Query(query): Query<WaitQuery>,
    Json(request): Json<StartRequest>,
) -> Answer<StartAnswer> {
    let wait = query.wait()?;
    let scope = at.scope;
    let mut start = request.read(&scope)?;
    start.weight = api.door.start(&api.state, &scope.tenant).await?;
    let types = types_of_chosen(&api, &scope, &start).await?;
    let workflow_type = start.workflow_type.clone();
    let check = move |input: Option<&Value>| types.check(&workflow_type, input);
    start.input = checked(start.input.take(), check).await?;
    let started = api.state.executions.start(&scope, start).await?;
    if let Some(wait) = wait {
        // It is started whatever comes now: an outcome that cannot be had is no reason to say otherwise.
        match ended(&api, &scope, &started.id, wait).await {
            Ok(outcome) if is_over(outcome.status) => {
                return Ok(StartAnswer::Ended(outcome));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the outcome of a new execution cannot be had"),
        }
    }
    let path = format!("{}/workflows/{}", scope_path(&scope), segment(&started.id));
    Ok(StartAnswer::Runs(Located {
        status: StatusCode::ACCEPTED,
        path,
        body: started,
    }))
}

/// The workflow types of the release that this execution will start on: while one ramps, the id decides.
async fn types_of_chosen(api: &Api, scope: &Scope, start: &Start) -> Result<Arc<WorkflowTypes>> {
    let plugin = &start.workflow_type.plugin;
    let store = &api.state.store;
    let (line, _) = store.lines.line(scope, plugin).await?;
    let chosen = line.choose(&scope.temporal_id(&start.id)?);
    let digest = chosen.ok_or_else(|| no_release(scope, plugin))?;
    types_of(api, scope, plugin, &digest).await
}

/// The workflow types of a release.
pub(super) async fn types_of(
    api: &Api,
    scope: &Scope,
    plugin: &PluginName,
    digest: &Digest,
) -> Result<Arc<WorkflowTypes>> {
    if let Some(types) = api.schemas.cached(plugin, digest) {
        return Ok(types);
    }
    let release = api.state.store.releases.get(scope, plugin, digest).await?;
    Ok(api.schemas.remember(plugin, release))
}

/// Runs a check of an input off the runtime's threads, for it may take long, and gives the input back.
pub(super) async fn checked(
    input: Option<Value>,
    check: impl FnOnce(Option<&Value>) -> Result<()> + Send + 'static,
) -> Result<Option<Value>> {
    tokio::task::spawn_blocking(move || check(input.as_ref()).map(|()| input))
        .await
        .map_err(|error| Error::new(Code::Internal, "the input was not checked").caused_by(error))?
}

/// How it ended. When the host stops, a wait is cut short and answers what is so then.
async fn ended(api: &Api, scope: &Scope, id: &str, wait: Duration) -> Result<Outcome> {
    let executions = &api.state.executions;
    tokio::select! {
        outcome = executions.outcome(scope, id, wait) => outcome,
        () = api.stopping.cancelled() => executions.outcome(scope, id, Duration::ZERO).await,
    }
}

fn is_over(status: Status) -> bool {
    !matches!(status, Status::Running | Status::Paused)
}

/// 200 with the outcome, 202 while there is none.
pub(crate) async fn result(
    State(api): State<Arc<Api>>,
    AtWorkflow { scope, id }: AtWorkflow,
    Query(query): Query<WaitQuery>,
) -> Answer<Pending<Outcome>> {
    let wait = query.wait()?.unwrap_or_default();
    api.state.store.environments.require(&scope).await?;
    let outcome = ended(&api, &scope, &id, wait).await?;
    Ok(Pending {
        over: is_over(outcome.status),
        body: outcome,
    })
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    AtWorkflow { scope, id }: AtWorkflow,
) -> Answer<JsonBody<Execution>> {
    api.state.store.environments.require(&scope).await?;
    Ok(JsonBody(api.state.executions.describe(&scope, &id).await?))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
    Query(query): Query<WorkflowsQuery>,
) -> Answer<JsonBody<Page<Execution>>> {
    let limit = query.limit()?;
    api.state.store.environments.require(&scope).await?;
    let executions = &api.state.executions;
    let (only, cursor) = (query.only(), query.into_cursor());
    let page = executions.list(&scope, only, limit, cursor).await?;
    Ok(JsonBody(page))
}

/// Events of a history.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct History {
    /// In the order in which they happened.
    events: Vec<Event>,
    /// Give this back as `after` for the next ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

pub(crate) async fn history(
    State(api): State<Arc<Api>>,
    AtWorkflow { scope, id }: AtWorkflow,
    Query(query): Query<HistoryQuery>,
) -> Answer<JsonBody<History>> {
    let limit = query.limit()?;
    api.state.store.environments.require(&scope).await?;
    let executions = &api.state.executions;
    let page = executions.history(&scope, &id, query.after, limit).await?;
    Ok(JsonBody(History {
        events: page.items,
        next: page.next,
    }))
}
