//! Workflow executions for callers of the API: [`Executions`] on Temporal.
//!
//! Raw calls are used and not the typed client: it knows neither the fairness key nor a header we sign.

mod describe;
mod history;
pub(crate) mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use prost_wkt_types::Duration as ProtoDuration;
use serde_json::Value;
use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{
        Header, Memo, Payloads, Priority, SearchAttributes, WorkflowExecution, WorkflowType,
    },
    enums::v1::{
        TaskQueueKind, UpdateWorkflowExecutionLifecycleStage, WorkflowIdConflictPolicy,
        WorkflowIdReusePolicy,
    },
    query::v1::WorkflowQuery,
    taskqueue::v1::TaskQueue,
    update::v1::{Input, Meta, Request as UpdateRequest, WaitPolicy, outcome},
    workflowservice::v1::{
        QueryWorkflowRequest, RequestCancelWorkflowExecutionRequest,
        SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
        TerminateWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
    },
};
use tenterhook_domain::{
    Code, Error, Result, Scope, TenantId,
    context::{Context, ContextKeys, HEADER},
    execution::{Event, Execution, Executions, Outcome, Page, ReusePolicy, Start, Started},
};

use crate::{
    census,
    connection::{SEARCH_ATTRIBUTES, Temporal, refusal},
    payload,
};

pub(crate) use self::{
    describe::{ask, pin},
    history::spelled,
};

/// Longest that an update may take before the caller is told to ask again.
const UPDATE_WAIT_MAX: Duration = Duration::from_secs(55);

/// Starts and talks to executions through one connection, on one lane.
pub struct Gateway {
    temporal: Temporal,
    task_queue: String,
    keys: Arc<ContextKeys>,
}

impl Gateway {
    /// A gateway to the executions of the lane `task_queue`.
    pub fn new(temporal: Temporal, task_queue: impl Into<String>, keys: Arc<ContextKeys>) -> Self {
        Self {
            temporal,
            task_queue: task_queue.into(),
            keys,
        }
    }

    fn execution(&self, scope: &Scope, id: &str) -> Result<WorkflowExecution> {
        Ok(WorkflowExecution {
            workflow_id: scope.temporal_id(id)?,
            run_id: String::new(),
        })
    }

    fn start_request(&self, scope: &Scope, start: &Start) -> Result<StartWorkflowExecutionRequest> {
        let workflow_id = scope.temporal_id(&start.id)?;
        let context = Context {
            scope: scope.clone(),
            plugin: start.workflow_type.plugin.clone(),
            workflow_id: workflow_id.clone(),
            digest: None,
        };
        let token = payload::of_json(&self.keys.sign(&context)?.into());
        let attributes = [
            scope.tenant.as_str(),
            scope.environment.as_str(),
            start.workflow_type.plugin.as_str(),
        ];
        let indexed_fields = SEARCH_ATTRIBUTES
            .iter()
            .zip(attributes)
            .map(|(name, value)| ((*name).to_owned(), payload::of_keyword(value)));
        let memo = start
            .memo
            .iter()
            .map(|(key, value)| (key.clone(), payload::of_json(value)))
            .collect();
        Ok(StartWorkflowExecutionRequest {
            namespace: self.temporal.namespace().to_owned(),
            workflow_id,
            workflow_type: Some(WorkflowType {
                name: start.workflow_type.to_string(),
            }),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..Default::default()
            }),
            input: payload::of_input(start.input.as_ref()),
            workflow_execution_timeout: start.execution_timeout.and_then(proto_duration),
            workflow_run_timeout: start.run_timeout.and_then(proto_duration),
            workflow_task_timeout: start.task_timeout.and_then(proto_duration),
            workflow_start_delay: start.start_delay.and_then(proto_duration),
            identity: self.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            workflow_id_reuse_policy: reuse_policy(start.reuse).into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::Fail.into(),
            memo: Some(Memo { fields: memo }),
            search_attributes: Some(SearchAttributes {
                indexed_fields: indexed_fields.collect(),
            }),
            header: Some(Header {
                fields: [(HEADER.to_owned(), token)].into(),
            }),
            priority: Some(Priority {
                fairness_key: scope.tenant.to_string(),
                fairness_weight: 1.0,
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}

fn reuse_policy(policy: ReusePolicy) -> WorkflowIdReusePolicy {
    match policy {
        ReusePolicy::AllowDuplicate => WorkflowIdReusePolicy::AllowDuplicate,
        ReusePolicy::AllowDuplicateFailedOnly => WorkflowIdReusePolicy::AllowDuplicateFailedOnly,
        ReusePolicy::RejectDuplicate => WorkflowIdReusePolicy::RejectDuplicate,
    }
}

fn proto_duration(duration: Duration) -> Option<ProtoDuration> {
    duration.try_into().ok()
}

#[async_trait]
impl Executions for Gateway {
    async fn start(&self, scope: &Scope, start: Start) -> Result<Started> {
        let request = self.start_request(scope, &start)?;
        let response = self
            .temporal
            .service()
            .start_workflow_execution(Request::new(request))
            .await
            .map_err(|status| refusal(&status, &start.id))?;
        Ok(Started {
            id: start.id,
            run_id: response.into_inner().run_id,
        })
    }

    async fn count_open(&self, tenant: &TenantId, before_millis: u64) -> Result<u64> {
        let before = Duration::from_millis(before_millis).as_nanos();
        // Names have no quotes by their own rules, so they cannot leave the string.
        let query =
            format!("Tenant = '{tenant}' AND ExecutionStatus = 'Running' AND StartTime < {before}");
        census::count(&self.temporal, query)
            .await
            .map(|counted| counted.count.unsigned_abs())
    }

    async fn describe(&self, scope: &Scope, id: &str) -> Result<Execution> {
        describe::describe(&self.temporal, scope, self.execution(scope, id)?, id).await
    }

    async fn outcome(&self, scope: &Scope, id: &str, wait: Duration) -> Result<Outcome> {
        history::outcome(
            &self.temporal,
            self.execution(scope, id)?,
            id,
            Instant::now() + wait,
        )
        .await
    }

    async fn history(
        &self,
        scope: &Scope,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Page<Event>> {
        history::events(&self.temporal, self.execution(scope, id)?, id, after, limit).await
    }

    async fn list(
        &self,
        scope: &Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Execution>> {
        describe::list(&self.temporal, scope, limit, cursor).await
    }

    async fn signal(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<()> {
        let request = SignalWorkflowExecutionRequest {
            namespace: self.temporal.namespace().to_owned(),
            workflow_execution: Some(self.execution(scope, id)?),
            signal_name: name.to_owned(),
            input: payload::of_input(input.as_ref()),
            identity: self.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            ..Default::default()
        };
        let sent = self
            .temporal
            .service()
            .signal_workflow_execution(Request::new(request))
            .await;
        sent.map(|_| ()).map_err(|status| refusal(&status, id))
    }

    async fn query(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<Option<Value>> {
        let request = QueryWorkflowRequest {
            namespace: self.temporal.namespace().to_owned(),
            execution: Some(self.execution(scope, id)?),
            query: Some(WorkflowQuery {
                query_type: name.to_owned(),
                query_args: payload::of_input(input.as_ref()),
                header: None,
            }),
            ..Default::default()
        };
        let answer = self
            .temporal
            .service()
            .query_workflow(Request::new(request))
            .await;
        let answer = answer
            .map_err(|status| query_refusal(&status, id, name))?
            .into_inner();
        if let Some(rejected) = answer.query_rejected {
            return Err(Error::new(
                Code::QueryFailed,
                format!(
                    "query {name:?} of workflow {id:?} is rejected: its status is {}",
                    rejected.status
                ),
            ));
        }
        Ok(payload::to_result(answer.query_result.as_ref()))
    }

    async fn update(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<Option<Value>> {
        let request = UpdateWorkflowExecutionRequest {
            namespace: self.temporal.namespace().to_owned(),
            workflow_execution: Some(self.execution(scope, id)?),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: UpdateWorkflowExecutionLifecycleStage::Completed.into(),
            }),
            request: Some(UpdateRequest {
                meta: Some(Meta {
                    update_id: uuid::Uuid::new_v4().to_string(),
                    identity: self.temporal.identity().to_owned(),
                }),
                input: Some(Input {
                    header: None,
                    name: name.to_owned(),
                    args: Some(payload::of_input(input.as_ref()).unwrap_or_default()),
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let outcome = self.send_update(request, id, name).await?;
        match outcome {
            outcome::Value::Success(payloads) => Ok(payload::to_result(Some(&payloads))),
            outcome::Value::Failure(failure) => Err(Error::new(
                Code::UpdateFailed,
                format!(
                    "update {name:?} of workflow {id:?} failed: {}",
                    report::sentence(&failure)
                ),
            )),
        }
    }

    async fn cancel(&self, scope: &Scope, id: &str, reason: &str) -> Result<()> {
        let request = RequestCancelWorkflowExecutionRequest {
            namespace: self.temporal.namespace().to_owned(),
            workflow_execution: Some(self.execution(scope, id)?),
            identity: self.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: reason.to_owned(),
            ..Default::default()
        };
        let asked = self
            .temporal
            .service()
            .request_cancel_workflow_execution(Request::new(request))
            .await;
        asked.map(|_| ()).map_err(|status| refusal(&status, id))
    }

    async fn terminate(&self, scope: &Scope, id: &str, reason: &str) -> Result<()> {
        let request = TerminateWorkflowExecutionRequest {
            namespace: self.temporal.namespace().to_owned(),
            workflow_execution: Some(self.execution(scope, id)?),
            reason: reason.to_owned(),
            details: None::<Payloads>,
            identity: self.temporal.identity().to_owned(),
            ..Default::default()
        };
        let ended = self
            .temporal
            .service()
            .terminate_workflow_execution(Request::new(request))
            .await;
        ended.map(|_| ()).map_err(|status| refusal(&status, id))
    }
}

impl Gateway {
    /// Sends the same update, by its id, until it has ended: Temporal answers early when it takes long.
    async fn send_update(
        &self,
        request: UpdateWorkflowExecutionRequest,
        id: &str,
        name: &str,
    ) -> Result<outcome::Value> {
        let deadline = Instant::now() + UPDATE_WAIT_MAX;
        while Instant::now() < deadline {
            let mut service = self.temporal.service();
            let sent = service.update_workflow_execution(Request::new(request.clone()));
            let Ok(sent) = tokio::time::timeout_at(deadline.into(), sent).await else {
                break;
            };
            let response = sent.map_err(|status| refusal(&status, id))?.into_inner();
            if let Some(value) = response.outcome.and_then(|outcome| outcome.value) {
                return Ok(value);
            }
        }
        Err(Error::new(
            Code::RequestTimeout,
            format!(
                "update {name:?} of workflow {id:?} has not ended within {} s: its workflow may be busy or failing, see its description",
                UPDATE_WAIT_MAX.as_secs()
            ),
        ))
    }
}

/// A query's failure is the workflow's own word, which Temporal puts into an error status.
fn query_refusal(status: &temporalio_client::tonic::Status, id: &str, name: &str) -> Error {
    use temporalio_client::tonic::Code as GrpcCode;
    match status.code() {
        GrpcCode::InvalidArgument | GrpcCode::Unknown | GrpcCode::FailedPrecondition => Error::new(
            Code::QueryFailed,
            format!(
                "query {name:?} of workflow {id:?} failed: {}",
                status.message()
            ),
        ),
        _ => refusal(status, id),
    }
}
