//! Workflow executions as callers of the API see them. `worker` implements [`Executions`] on Temporal.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    digest::Digest,
    error::Result,
    name::{Scope, TenantId, TypeName},
};

/// A request to start an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The workflow type.
    pub workflow_type: TypeName,
    /// The caller's id; unique among the scope's open executions.
    pub id: String,
    /// One JSON value, or none.
    pub input: Option<Value>,
    /// The whole execution, continue-as-new included.
    pub execution_timeout: Option<Duration>,
    /// One run.
    pub run_timeout: Option<Duration>,
    /// One workflow task.
    pub task_timeout: Option<Duration>,
    /// Delay before the first task.
    pub start_delay: Option<Duration>,
    /// Memo, by key.
    pub memo: serde_json::Map<String, Value>,
    /// What to do when a closed execution has the id.
    pub reuse: ReusePolicy,
    /// The tenant's shares of the lane beside others.
    pub weight: u16,
}

/// What to do when a closed execution has the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReusePolicy {
    /// Start another.
    #[default]
    AllowDuplicate,
    /// Start another only if the last one failed.
    AllowDuplicateFailedOnly,
    /// Refuse.
    RejectDuplicate,
}

/// An execution that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Started {
    /// The caller's id.
    pub id: String,
    /// Temporal's id of this run.
    pub run_id: String,
}

/// Where an execution is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Open.
    Running,
    /// Closed with a result.
    Completed,
    /// Closed with a failure.
    Failed,
    /// Closed by its own answer to a cancel request.
    Canceled,
    /// Closed by force.
    Terminated,
    /// Went on as a new run.
    ContinuedAsNew,
    /// Closed by its time-out.
    TimedOut,
    /// Held by an operator.
    Paused,
}

/// A failure with its causes, as Temporal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// The application's type name, or Temporal's word for what happened (`timeout`, `activity`, …).
    #[serde(rename = "type")]
    pub kind: String,
    /// True: no retry would help.
    #[serde(default)]
    pub non_retryable: bool,
    /// Milliseconds until the next attempt, where the failure itself says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry_delay_ms: Option<u64>,
    /// Further values, as JSON where they are JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Value>,
    /// Where it happened, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    /// What caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub cause: Option<Box<Failure>>,
}

/// What is known of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Execution {
    /// The caller's id.
    pub id: String,
    /// Temporal's id of the run described.
    pub run_id: String,
    /// The workflow type, `plugin.Name`.
    #[serde(rename = "type")]
    pub workflow_type: String,
    /// Where it is in its life.
    pub status: Status,
    /// The release that runs it, once its first task is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Milliseconds since the Unix epoch.
    pub started_at: Option<u64>,
    /// Milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<u64>,
    /// Events in its history.
    pub history_length: u64,
    /// Activities under way.
    pub pending_activities: Vec<PendingActivity>,
    /// Why its workflow task fails again and again, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_failure: Option<Failure>,
}

/// An activity under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PendingActivity {
    /// Its id.
    pub id: String,
    /// Its type, `plugin.Name`.
    #[serde(rename = "type")]
    pub activity_type: String,
    /// The attempt under way or next; the first is 1.
    pub attempt: u32,
    /// How the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
}

/// How an execution ended, or that it has not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Outcome {
    /// The caller's id.
    pub id: String,
    /// The run that ended last in the chain.
    pub run_id: String,
    /// Where it is in its life.
    pub status: Status,
    /// Its result, where it completed with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Its failure, where it ended with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// One event of a history, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// Its number, from 1.
    pub id: u64,
    /// Temporal's event type: `ActivityTaskScheduled`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Milliseconds since the Unix epoch.
    pub time: Option<u64>,
    /// What it names: the activity or child type, the timer, signal or update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The attempt that it reports, where it reports one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The failure that it reports, where it reports one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Give this back for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: utoipa::ToSchema> utoipa::PartialSchema for Page<T> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, schema::Type};
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let next = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Give this back as `cursor` for the next page; not there on the last.",
            ));
        ObjectBuilder::new()
            .property("items", items)
            .property("next", next)
            .required("items")
            .into()
    }
}

impl<T: utoipa::ToSchema> utoipa::ToSchema for Page<T> {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// Which executions a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// Those that no release is written down for: begun without this host, or without a first task yet.
    Unpinned,
}

/// Starts and talks to executions of a scope. Ids are the caller's; nothing outside `scope` can be reached.
///
/// # Errors
/// `workflow-not-found` for what is not there, `temporal-unavailable` when Temporal does not answer.
#[async_trait]
pub trait Executions: Send + Sync + 'static {
    /// Starts one. `workflow-already-started` when an open one has the id.
    async fn start(&self, scope: &Scope, start: Start) -> Result<Started>;
    /// Open executions of all scopes of `tenant` that began before `before_millis` (since the Unix epoch). What is
    /// counted lags a second or two behind.
    async fn count_open(&self, tenant: &TenantId, before_millis: u64) -> Result<u64>;
    /// What is known of the newest run of `id`.
    async fn describe(&self, scope: &Scope, id: &str) -> Result<Execution>;
    /// How it ended; waits up to `wait` for the end, following continue-as-new.
    async fn outcome(&self, scope: &Scope, id: &str, wait: Duration) -> Result<Outcome>;
    /// Its history in short; at most `limit` events after event `after`.
    async fn history(
        &self,
        scope: &Scope,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Page<Event>>;
    /// Executions of the scope, newest first; `only` some of them. A page of those may have fewer entries than `limit`,
    /// also where more follow.
    async fn list(
        &self,
        scope: &Scope,
        only: Only,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Execution>>;
    /// Sends a signal. `workflow-closed` when it is over.
    async fn signal(&self, scope: &Scope, id: &str, name: &str, input: Option<Value>)
    -> Result<()>;
    /// Asks a query. `query-failed` with the workflow's words when it fails.
    async fn query(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<Option<Value>>;
    /// Sends an update and waits for its end. `update-failed` when it is rejected or fails.
    async fn update(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<Option<Value>>;
    /// Asks it to end.
    async fn cancel(&self, scope: &Scope, id: &str, reason: &str) -> Result<()>;
    /// Ends it by force.
    async fn terminate(&self, scope: &Scope, id: &str, reason: &str) -> Result<()>;
}
