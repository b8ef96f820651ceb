//! What is known of one execution, and lists of them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use prost_wkt_types::Timestamp;
use serde_json::Value;
use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{SearchAttributes, WorkflowExecution},
    enums::v1::WorkflowExecutionStatus,
    workflow::v1::{PendingActivityInfo, WorkflowExecutionInfo},
    workflowservice::v1::{
        DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse,
        ListWorkflowExecutionsRequest,
    },
};
use tenterhook_domain::{
    Code, Error, Result, Scope,
    execution::{Execution, Page, PendingActivity, Status},
    payload_key::PayloadRing,
};
use tenterhook_workflow::ReleasePin;

use super::{history, report};
use crate::{
    codec,
    connection::{Temporal, refusal},
    payload,
};

/// Where Temporal lists the patch markers of an execution, the pin among them.
const CHANGE_VERSION: &str = "TemporalChangeVersion";

/// What Temporal knows of one run, or of the newest one.
pub(crate) async fn ask(
    temporal: &Temporal,
    execution: WorkflowExecution,
    id: &str,
) -> Result<DescribeWorkflowExecutionResponse> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: temporal.namespace().to_owned(),
        execution: Some(execution),
    };
    let described = temporal
        .service()
        .describe_workflow_execution(Request::new(request))
        .await;
    described
        .map(|response| response.into_inner())
        .map_err(|status| refusal(&status, id))
}

/// The id of the newest run of `execution`.
pub(super) async fn newest_run(
    temporal: &Temporal,
    execution: WorkflowExecution,
    id: &str,
) -> Result<String> {
    let described = ask(temporal, execution, id).await?;
    let newest = described
        .workflow_execution_info
        .and_then(|info| info.execution);
    Ok(newest.map_or_else(String::new, |newest| newest.run_id))
}

pub(super) async fn describe(
    temporal: &Temporal,
    ring: &PayloadRing,
    scope: &Scope,
    execution: WorkflowExecution,
    id: &str,
) -> Result<Execution> {
    let mut described = ask(temporal, execution.clone(), id).await?;
    codec::open_what_opens(ring, &mut described);
    let info = described.workflow_execution_info.ok_or_else(|| {
        Error::new(
            Code::Internal,
            format!("Temporal described workflow {id:?} without saying what it is"),
        )
    })?;
    let mut known = of_info(scope, info).ok_or_else(|| {
        Error::new(
            Code::WorkflowNotFound,
            format!("there is no workflow {id:?}"),
        )
    })?;
    known.pending_activities = described
        .pending_activities
        .into_iter()
        .map(pending_activity)
        .collect();
    if described
        .pending_workflow_task
        .is_some_and(|task| task.attempt > 1)
    {
        known.task_failure = history::last_task_failure(temporal, ring, execution, id).await?;
    }
    Ok(known)
}

pub(super) async fn list(
    temporal: &Temporal,
    scope: &Scope,
    limit: usize,
    cursor: Option<String>,
) -> Result<Page<Execution>> {
    let continues = cursor.is_some();
    let next_page_token = match cursor {
        Some(cursor) => BASE64.decode(&cursor).map_err(|_| {
            Error::new(
                Code::RequestInvalid,
                format!("{cursor:?} is not a cursor: give back the `next` of a page"),
            )
        })?,
        None => Vec::new(),
    };
    let request = ListWorkflowExecutionsRequest {
        namespace: temporal.namespace().to_owned(),
        page_size: i32::try_from(limit).unwrap_or(i32::MAX),
        next_page_token,
        // Names have no quotes by their own rules, so they cannot leave the string.
        query: format!(
            "Tenant = '{}' AND Environment = '{}'",
            scope.tenant, scope.environment
        ),
    };
    let listed = temporal
        .service()
        .list_workflow_executions(Request::new(request))
        .await;
    let listed = listed.map_err(|status| {
        let refused = refusal(&status, "");
        // What stands in a cursor is Temporal's, and it says in many ways that it cannot read it.
        if continues && refused.code() != Code::TemporalUnavailable {
            let detail = "that is not a cursor: give back the `next` of a page";
            return Error::new(Code::RequestInvalid, detail).caused_by(status);
        }
        refused
    });
    let listed = listed?.into_inner();
    Ok(Page {
        items: listed
            .executions
            .into_iter()
            .filter_map(|info| of_info(scope, info))
            .collect(),
        next: Some(listed.next_page_token)
            .filter(|token| !token.is_empty())
            .map(|token| BASE64.encode(token)),
    })
}

/// Nothing for an execution of another scope.
fn of_info(scope: &Scope, info: WorkflowExecutionInfo) -> Option<Execution> {
    let status = status(info.status());
    let execution = info.execution?;
    Some(Execution {
        id: scope.caller_id(&execution.workflow_id)?.to_owned(),
        run_id: execution.run_id,
        workflow_type: info
            .r#type
            .map_or_else(String::new, |workflow| workflow.name),
        status,
        digest: info
            .search_attributes
            .as_ref()
            .and_then(pin)
            .map(|pin| pin.digest),
        started_at: info.start_time.map(millis),
        closed_at: info.close_time.map(millis),
        history_length: u64::try_from(info.history_length).unwrap_or(0),
        pending_activities: Vec::new(),
        task_failure: None,
    })
}

/// The last pin in the execution's history.
pub(crate) fn pin(attributes: &SearchAttributes) -> Option<ReleasePin> {
    let Value::Array(markers) = payload::to_json(attributes.indexed_fields.get(CHANGE_VERSION)?)
    else {
        return None;
    };
    ReleasePin::latest(markers.iter().filter_map(Value::as_str))
}

fn pending_activity(info: PendingActivityInfo) -> PendingActivity {
    PendingActivity {
        id: info.activity_id,
        activity_type: info
            .activity_type
            .map_or_else(String::new, |activity| activity.name),
        attempt: u32::try_from(info.attempt).unwrap_or(1),
        last_failure: info.last_failure.as_ref().map(report::failure),
    }
}

pub(super) fn status(status: WorkflowExecutionStatus) -> Status {
    match status {
        WorkflowExecutionStatus::Completed => Status::Completed,
        WorkflowExecutionStatus::Failed => Status::Failed,
        WorkflowExecutionStatus::Canceled => Status::Canceled,
        WorkflowExecutionStatus::Terminated => Status::Terminated,
        WorkflowExecutionStatus::ContinuedAsNew => Status::ContinuedAsNew,
        WorkflowExecutionStatus::TimedOut => Status::TimedOut,
        WorkflowExecutionStatus::Paused => Status::Paused,
        WorkflowExecutionStatus::Running | WorkflowExecutionStatus::Unspecified => Status::Running,
    }
}

pub(super) fn millis(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(u64::try_from(time.nanos).unwrap_or(0) / 1_000_000)
}
