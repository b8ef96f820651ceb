//! What is said to a running execution: signals, queries, updates, cancel, terminate.

use std::{sync::Arc, time::Duration};

use axum::{Json as JsonBody, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenterhook_domain::{Code, Error, PluginName, Result, Scope, TypeName, execution::Execution};
use tokio::time::sleep;

use super::workflow::{checked, types_of};
use crate::{
    Api,
    answer::NoContent,
    problem::Answer,
    request::{AtMessage, AtWorkflow, JsonOrNothing},
    schema::{MessageKind, WorkflowTypes},
};

/// Longest reason that is kept, in bytes.
const REASON_BYTES_MAX: usize = 1_000;
/// What a host that stops gives an answer that is under way.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// `{"input": …}`, or nothing.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    /// One JSON value; without it there is no argument.
    #[serde(default, deserialize_with = "crate::request::given")]
    #[schema(value_type = Value)]
    input: Option<Value>,
}

/// `{"reason": "…"}`, or nothing.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ending {
    /// Why, for whoever reads the history.
    #[serde(default)]
    #[schema(max_length = 250)]
    reason: String,
}

impl Ending {
    fn reason(&self) -> Result<&str> {
        if self.reason.len() > REASON_BYTES_MAX {
            return Err(Error::new(
                Code::RequestInvalid,
                format!("the reason has more than {REASON_BYTES_MAX} bytes"),
            ));
        }
        Ok(&self.reason)
    }
}

/// What a query or update answered.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Reply {
    /// Its answer; null where it answered nothing.
    result: Option<Value>,
}

pub(crate) async fn signal(
    State(api): State<Arc<Api>>,
    at: AtMessage,
    JsonOrNothing(message): JsonOrNothing<Message>,
) -> Answer<NoContent> {
    api.state.store.environments.require(&at.scope).await?;
    let input = fitting(&api, &at, MessageKind::Signal, message).await?;
    let executions = &api.state.executions;
    executions
        .signal(&at.scope, &at.id, &at.name, input)
        .await?;
    Ok(NoContent)
}

pub(crate) async fn query(
    State(api): State<Arc<Api>>,
    at: AtMessage,
    JsonOrNothing(message): JsonOrNothing<Message>,
) -> Answer<JsonBody<Reply>> {
    api.state.store.environments.require(&at.scope).await?;
    let input = fitting(&api, &at, MessageKind::Query, message).await?;
    let executions = &api.state.executions;
    let asked = executions.query(&at.scope, &at.id, &at.name, input);
    let result = unless_stopping(&api, asked).await?;
    Ok(JsonBody(Reply { result }))
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    at: AtMessage,
    JsonOrNothing(message): JsonOrNothing<Message>,
) -> Answer<JsonBody<Reply>> {
    api.state.store.environments.require(&at.scope).await?;
    let input = fitting(&api, &at, MessageKind::Update, message).await?;
    let executions = &api.state.executions;
    let sent = executions.update(&at.scope, &at.id, &at.name, input);
    let result = unless_stopping(&api, sent).await?;
    Ok(JsonBody(Reply { result }))
}

/// The input, if it is what the message takes in the release that the execution is on. What no release tells of is the
/// workflow's own affair.
async fn fitting(
    api: &Api,
    at: &AtMessage,
    kind: MessageKind,
    message: Message,
) -> Result<Option<Value>> {
    let known = api.state.executions.describe(&at.scope, &at.id).await?;
    let Some((workflow_type, types)) = types_of_execution(api, &at.scope, &known).await? else {
        return Ok(message.input);
    };
    let name = at.name.clone();
    let check =
        move |input: Option<&Value>| types.check_message(&workflow_type, kind, &name, input);
    checked(message.input, check).await
}

/// The execution's type, and those of its release; before its first task, those of the one that its id leads to.
async fn types_of_execution(
    api: &Api,
    scope: &Scope,
    known: &Execution,
) -> Result<Option<(TypeName, Arc<WorkflowTypes>)>> {
    // Begun past this host, it may have any name.
    let Ok(workflow_type) = known.workflow_type.parse::<TypeName>() else {
        return Ok(None);
    };
    match release_of(api, scope, &workflow_type.plugin, known).await {
        Ok(Some(types)) => Ok(Some((workflow_type, types))),
        Ok(None) => Ok(None),
        Err(error) if is_gone(error.code()) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn release_of(
    api: &Api,
    scope: &Scope,
    plugin: &PluginName,
    known: &Execution,
) -> Result<Option<Arc<WorkflowTypes>>> {
    let digest = match known.digest {
        Some(digest) => Some(digest),
        None => {
            let (line, _) = api.state.store.lines.line(scope, plugin).await?;
            line.choose(&scope.temporal_id(&known.id)?)
        }
    };
    match digest {
        Some(digest) => types_of(api, scope, plugin, &digest).await.map(Some),
        None => Ok(None),
    }
}

/// Nothing is known of the plugin or its release (any more).
fn is_gone(code: Code) -> bool {
    matches!(code, Code::PluginNotFound | Code::ReleaseNotFound)
}

pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    AtWorkflow { scope, id }: AtWorkflow,
    JsonOrNothing(ending): JsonOrNothing<Ending>,
) -> Answer<NoContent> {
    let reason = ending.reason()?;
    api.state.store.environments.require(&scope).await?;
    api.state.executions.cancel(&scope, &id, reason).await?;
    Ok(NoContent)
}

pub(crate) async fn terminate(
    State(api): State<Arc<Api>>,
    AtWorkflow { scope, id }: AtWorkflow,
    JsonOrNothing(ending): JsonOrNothing<Ending>,
) -> Answer<NoContent> {
    let reason = ending.reason()?;
    api.state.store.environments.require(&scope).await?;
    api.state.executions.terminate(&scope, &id, reason).await?;
    Ok(NoContent)
}

/// The workflow may take its time to answer; a host that stops gives it a last moment.
async fn unless_stopping<T>(api: &Api, asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        answer = asked => answer,
        () = async {
            api.stopping.cancelled().await;
            sleep(LAST_MOMENT).await;
        } => Err(Error::new(
            Code::HostStopping,
            "the host is stopping: what was sent may have arrived",
        )),
    }
}
