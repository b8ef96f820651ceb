//! What is said to a running execution: signals, queries, updates, cancel, terminate.

use std::{sync::Arc, time::Duration};

use axum::{Json as JsonBody, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenterhook_domain::{Code, Error, Result};
use tokio::time::sleep;

use crate::{
    Api,
    answer::NoContent,
    problem::Answer,
    request::{AtMessage, AtWorkflow, JsonOrNothing},
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
    let executions = &api.state.executions;
    executions
        .signal(&at.scope, &at.id, &at.name, message.input)
        .await?;
    Ok(NoContent)
}

pub(crate) async fn query(
    State(api): State<Arc<Api>>,
    at: AtMessage,
    JsonOrNothing(message): JsonOrNothing<Message>,
) -> Answer<JsonBody<Reply>> {
    api.state.store.environments.require(&at.scope).await?;
    let executions = &api.state.executions;
    let asked = executions.query(&at.scope, &at.id, &at.name, message.input);
    let result = unless_stopping(&api, asked).await?;
    Ok(JsonBody(Reply { result }))
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    at: AtMessage,
    JsonOrNothing(message): JsonOrNothing<Message>,
) -> Answer<JsonBody<Reply>> {
    api.state.store.environments.require(&at.scope).await?;
    let executions = &api.state.executions;
    let sent = executions.update(&at.scope, &at.id, &at.name, message.input);
    let result = unless_stopping(&api, sent).await?;
    Ok(JsonBody(Reply { result }))
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
