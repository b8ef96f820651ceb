//! Workflow executions for callers of the API: [`Executions`] on Temporal.
//!
//! Raw calls are used and not the typed client: it knows neither the fairness key nor a header we sign.

mod describe;
mod diagnosis;
mod history;
pub(crate) mod report;
mod schedule;
mod start;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::Value;
use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::Payloads,
    enums::v1::UpdateWorkflowExecutionLifecycleStage,
    query::v1::WorkflowQuery,
    update::v1::{
        Input, Meta, Outcome as UpdateOutcome, Request as UpdateRequest, WaitPolicy, outcome,
    },
    workflowservice::v1::{
        QueryWorkflowRequest, RequestCancelWorkflowExecutionRequest,
        SignalWorkflowExecutionRequest, TerminateWorkflowExecutionRequest,
        UpdateWorkflowExecutionRequest,
    },
};
use tenterhook_domain::{
    Code, Error, Result, Scope, TenantId,
    context::ContextKeys,
    execution::{Event, Execution, Executions, Only, Outcome, Page, Start, Started, Status},
};

use crate::{
    census,
    codec::{self, Codec},
    connection::{Temporal, refusal},
    directory::Directory,
    payload,
    replay::Gate,
};

use self::diagnosis::Diagnoses;
pub(crate) use self::{
    describe::{ask, millis, pin},
    history::spelled,
};

/// Longest that an update may take before the caller is told to ask again.
const UPDATE_WAIT_MAX: Duration = Duration::from_secs(55);

/// Starts and talks to executions, each on its scope's lane.
pub struct Gateway {
    directory: Arc<Directory>,
    keys: Arc<ContextKeys>,
    codec: Arc<Codec>,
    diagnoses: Diagnoses,
}

impl Gateway {
    /// A gateway to the executions of the lanes of `directory`. With `gate` it replays those that took another way.
    pub fn new(
        directory: Arc<Directory>,
        keys: Arc<ContextKeys>,
        codec: Arc<Codec>,
        gate: Arc<Gate>,
    ) -> Self {
        Self {
            directory,
            keys,
            codec,
            diagnoses: Diagnoses::new(gate),
        }
    }
}

#[async_trait]
impl Executions for Gateway {
    async fn start(&self, scope: &Scope, start: Start) -> Result<Started> {
        let ring = self.codec.ring(&scope.tenant).await?;
        let site = self.directory.site(scope).await?;
        let request = self.start_request(&site, scope, &start, &ring)?;
        let response = site
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
        let mut open = 0;
        for listing in self.directory.listings_of_tenant(tenant).await? {
            let query = format!(
                "{} AND ExecutionStatus = 'Running' AND StartTime < {before}",
                listing.query
            );
            let counted = census::count(&listing.temporal, query).await?;
            open += counted.count.unsigned_abs();
        }
        Ok(open)
    }

    async fn describe(&self, scope: &Scope, id: &str) -> Result<Execution> {
        let ring = self.codec.ring(&scope.tenant).await?;
        let at = self.directory.find(scope, id).await?;
        let execution = at.execution.clone();
        let mut described = describe::describe(&at.temporal, &ring, at.execution, id).await?;
        self.diagnoses
            .complete(scope, at.temporal, execution, &mut described)
            .await;
        Ok(described)
    }

    async fn outcome(&self, scope: &Scope, id: &str, wait: Duration) -> Result<Outcome> {
        let ring = self.codec.ring(&scope.tenant).await?;
        // Nothing that still runs without keys ever ends well.
        let gone = ring.leaves_plain().err();
        let wait = gone.as_ref().map_or(wait, |_| Duration::ZERO);
        let deadline = Instant::now() + wait;
        let at = self.directory.find(scope, id).await?;
        let outcome = history::outcome(&at.temporal, &ring, at.execution, id, deadline).await?;
        match gone {
            Some(error) if outcome.status == Status::Running => Err(error),
            _ => Ok(outcome),
        }
    }

    async fn history(
        &self,
        scope: &Scope,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Page<Event>> {
        let ring = self.codec.ring(&scope.tenant).await?;
        let at = self.directory.find(scope, id).await?;
        history::events(&at.temporal, &ring, at.execution, id, after, limit).await
    }

    async fn list(
        &self,
        scope: &Scope,
        only: Only,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Execution>> {
        let listings = self.directory.listings(scope).await?;
        describe::list(&listings, scope, only, limit, cursor).await
    }

    async fn signal(
        &self,
        scope: &Scope,
        id: &str,
        name: &str,
        input: Option<Value>,
    ) -> Result<()> {
        let ring = self.codec.ring(&scope.tenant).await?;
        let at = self.directory.find(scope, id).await?;
        let mut request = SignalWorkflowExecutionRequest {
            namespace: at.temporal.namespace().to_owned(),
            workflow_execution: Some(at.execution),
            signal_name: name.to_owned(),
            input: payload::of_input(input.as_ref()),
            identity: at.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            ..Default::default()
        };
        codec::seal(&ring, &mut request)?;
        let sent = at
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
        let ring = self.codec.ring(&scope.tenant).await?;
        let at = self.directory.find(scope, id).await?;
        let mut request = QueryWorkflowRequest {
            namespace: at.temporal.namespace().to_owned(),
            execution: Some(at.execution),
            query: Some(WorkflowQuery {
                query_type: name.to_owned(),
                query_args: payload::of_input(input.as_ref()),
                header: None,
            }),
            ..Default::default()
        };
        codec::seal(&ring, &mut request)?;
        let answer = at
            .temporal
            .service()
            .query_workflow(Request::new(request))
            .await;
        let mut answer = answer
            .map_err(|status| query_refusal(&status, id, name))?
            .into_inner();
        codec::open(&ring, &mut answer)?;
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
        let ring = self.codec.ring(&scope.tenant).await?;
        let at = self.directory.find(scope, id).await?;
        let mut request = UpdateWorkflowExecutionRequest {
            namespace: at.temporal.namespace().to_owned(),
            workflow_execution: Some(at.execution),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: UpdateWorkflowExecutionLifecycleStage::Completed.into(),
            }),
            request: Some(UpdateRequest {
                meta: Some(Meta {
                    update_id: uuid::Uuid::new_v4().to_string(),
                    identity: at.temporal.identity().to_owned(),
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
        codec::seal(&ring, &mut request)?;
        let mut outcome = send_update(&at.temporal, request, id, name).await?;
        codec::open(&ring, &mut outcome)?;
        match outcome.value {
            None => Ok(None),
            Some(outcome::Value::Success(payloads)) => Ok(payload::to_result(Some(&payloads))),
            Some(outcome::Value::Failure(failure)) => Err(Error::new(
                Code::UpdateFailed,
                format!(
                    "update {name:?} of workflow {id:?} failed: {}",
                    report::sentence(&failure)
                ),
            )),
        }
    }

    async fn cancel(&self, scope: &Scope, id: &str, reason: &str) -> Result<()> {
        let at = self.directory.find(scope, id).await?;
        let request = RequestCancelWorkflowExecutionRequest {
            namespace: at.temporal.namespace().to_owned(),
            workflow_execution: Some(at.execution),
            identity: at.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            reason: reason.to_owned(),
            ..Default::default()
        };
        let asked = at
            .temporal
            .service()
            .request_cancel_workflow_execution(Request::new(request))
            .await;
        asked.map(|_| ()).map_err(|status| refusal(&status, id))
    }

    async fn terminate(&self, scope: &Scope, id: &str, reason: &str) -> Result<()> {
        let at = self.directory.find(scope, id).await?;
        let request = TerminateWorkflowExecutionRequest {
            namespace: at.temporal.namespace().to_owned(),
            workflow_execution: Some(at.execution),
            reason: reason.to_owned(),
            details: None::<Payloads>,
            identity: at.temporal.identity().to_owned(),
            ..Default::default()
        };
        let ended = at
            .temporal
            .service()
            .terminate_workflow_execution(Request::new(request))
            .await;
        ended.map(|_| ()).map_err(|status| refusal(&status, id))
    }
}

/// Sends the same update, by its id, until it has ended: Temporal answers early when it takes long.
async fn send_update(
    temporal: &Temporal,
    request: UpdateWorkflowExecutionRequest,
    id: &str,
    name: &str,
) -> Result<UpdateOutcome> {
    let deadline = Instant::now() + UPDATE_WAIT_MAX;
    while Instant::now() < deadline {
        let mut service = temporal.service();
        let sent = service.update_workflow_execution(Request::new(request.clone()));
        let Ok(sent) = tokio::time::timeout_at(deadline.into(), sent).await else {
            break;
        };
        let response = sent.map_err(|status| refusal(&status, id))?.into_inner();
        let ended = response.outcome;
        if let Some(outcome) = ended.filter(|outcome| outcome.value.is_some()) {
            return Ok(outcome);
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
