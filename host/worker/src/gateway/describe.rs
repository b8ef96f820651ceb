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
    execution::{Execution, Only, Page, PendingActivity, Status},
    payload_key::PayloadRing,
};
use tenterhook_workflow::ReleasePin;

use super::{history, report};
use crate::{
    codec,
    connection::{Temporal, refusal},
    directory::Listing,
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
    let mut known = of_info(info, |_| Some(id.to_owned())).ok_or_else(|| {
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
        let release = known.digest;
        known.task_failure =
            history::last_task_failure(temporal, ring, execution, id, release).await?;
    }
    Ok(known)
}

/// A page of what `listings` find, one after the other.
pub(super) async fn list(
    listings: &[Listing],
    scope: &Scope,
    only: Only,
    limit: usize,
    cursor: Option<String>,
) -> Result<Page<Execution>> {
    let no_cursor = || {
        let detail = "that is not a cursor: give back the `next` of a page";
        Error::new(Code::RequestInvalid, detail)
    };
    let continues = cursor.is_some();
    // Which of the listings, and Temporal's own cursor.
    let place = match cursor {
        Some(cursor) => BASE64.decode(&cursor).map_err(|_| no_cursor())?,
        None => vec![0],
    };
    let (at, token) = place.split_first().ok_or_else(no_cursor)?;
    let listing = listings.get(usize::from(*at)).ok_or_else(no_cursor)?;
    let temporal = &listing.temporal;
    let request = ListWorkflowExecutionsRequest {
        namespace: temporal.namespace().to_owned(),
        page_size: i32::try_from(limit).unwrap_or(i32::MAX),
        next_page_token: token.to_vec(),
        query: listing.query.clone(),
    };
    let listed = temporal
        .service()
        .list_workflow_executions(Request::new(request))
        .await;
    let listed = listed.map_err(|status| {
        let refused = refusal(&status, "");
        // What stands in a cursor is Temporal's, and it says in many ways that it cannot read it.
        if continues && refused.code() != Code::TemporalUnavailable {
            return no_cursor().caused_by(status);
        }
        refused
    });
    let listed = listed?.into_inner();
    let next = match listed.next_page_token {
        token if !token.is_empty() => Some([vec![*at], token].concat()),
        _ if usize::from(*at) + 1 < listings.len() => Some(vec![*at + 1]),
        _ => None,
    };
    let found = listed
        .executions
        .into_iter()
        .filter_map(|info| of_info(info, |id| listing.caller_id(scope, id)))
        .filter(|it| only == Only::All || it.digest.is_none());
    Ok(Page {
        items: found.collect(),
        next: next.map(|place| BASE64.encode(place)),
    })
}

/// Nothing for an execution that has no id for its caller: one of another scope.
fn of_info(
    info: WorkflowExecutionInfo,
    caller_id: impl Fn(&str) -> Option<String>,
) -> Option<Execution> {
    let status = status(info.status());
    let execution = info.execution?;
    Some(Execution {
        id: caller_id(&execution.workflow_id)?,
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

pub(crate) fn millis(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(u64::try_from(time.nanos).unwrap_or(0) / 1_000_000)
}
