//! What an execution's history says: its events in short, and how it ended.

use std::time::{Duration, Instant};

use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::{EventType, HistoryEventFilterType},
    history::v1::{HistoryEvent, history_event::Attributes},
    workflowservice::v1::{
        GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
        GetWorkflowExecutionHistoryReverseRequest,
    },
};
use tenterhook_domain::{
    Digest, Result,
    execution::{Event, Failure, Outcome, Page, Status},
    payload_key::PayloadRing,
};

use super::{
    describe::{self, millis},
    report,
};
use crate::{
    codec,
    connection::{Temporal, refusal},
    payload,
};

/// Runs of one continue-as-new chain that are followed in one call.
const CHAIN_MAX: usize = 1_000;
const EVENTS_PER_CALL: i32 = 1_000;
/// A failed task is among the newest events, or it is not what the run waits for.
const NEWEST_EVENTS: i32 = 20;
/// Shorter waits are not worth a long poll.
const WAIT_MIN: Duration = Duration::from_millis(1);

async fn read(
    temporal: &Temporal,
    request: GetWorkflowExecutionHistoryRequest,
    id: &str,
) -> Result<GetWorkflowExecutionHistoryResponse> {
    let read = temporal
        .service()
        .get_workflow_execution_history(Request::new(request))
        .await;
    read.map(|response| response.into_inner())
        .map_err(|status| refusal(&status, id))
}

pub(super) async fn events(
    temporal: &Temporal,
    ring: &PayloadRing,
    execution: WorkflowExecution,
    id: &str,
    after: u64,
    limit: usize,
) -> Result<Page<Event>> {
    let mut items = Vec::new();
    let mut next_page_token = Vec::new();
    loop {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: temporal.namespace().to_owned(),
            execution: Some(execution.clone()),
            maximum_page_size: EVENTS_PER_CALL,
            next_page_token,
            ..Default::default()
        };
        let mut page = read(temporal, request, id).await?;
        codec::open_what_opens(ring, &mut page);
        let found = page.history.map_or_else(Vec::new, |history| history.events);
        for event in found
            .iter()
            .filter(|event| u64::try_from(event.event_id).is_ok_and(|id| id > after))
        {
            if items.len() == limit {
                let next = items.last().map(|event: &Event| event.id.to_string());
                return Ok(Page { items, next });
            }
            items.push(brief(event));
        }
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() {
            return Ok(Page { items, next: None });
        }
    }
}

/// Why the newest failed workflow task failed, as far as the newest events tell.
pub(super) async fn last_task_failure(
    temporal: &Temporal,
    ring: &PayloadRing,
    execution: WorkflowExecution,
    id: &str,
    release: Option<Digest>,
) -> Result<Option<Failure>> {
    let request = GetWorkflowExecutionHistoryReverseRequest {
        namespace: temporal.namespace().to_owned(),
        execution: Some(execution),
        maximum_page_size: NEWEST_EVENTS,
        ..Default::default()
    };
    let read = temporal
        .service()
        .get_workflow_execution_history_reverse(Request::new(request))
        .await
        .map_err(|status| refusal(&status, id))?;
    let mut read = read.into_inner();
    codec::open_what_opens(ring, &mut read);
    let events = read.history.map_or_else(Vec::new, |history| history.events);
    Ok(events.iter().find_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
            report::task_failure(failed, release)
        }
        _ => None,
    }))
}

/// Waits for the last event of the last run of the chain, until `deadline`.
///
/// # Errors
/// Those of Temporal; `payload-key-gone` for an end that can be read no more.
pub(super) async fn outcome(
    temporal: &Temporal,
    ring: &PayloadRing,
    mut execution: WorkflowExecution,
    id: &str,
    deadline: Instant,
) -> Result<Outcome> {
    // The history of "the newest run" does not say which one that is, and another may be newer when it ends.
    if execution.run_id.is_empty() {
        execution.run_id = describe::newest_run(temporal, execution.clone(), id).await?;
    }
    for _ in 0..CHAIN_MAX {
        let Some(mut event) = close_event(temporal, &execution, id, deadline).await? else {
            break;
        };
        codec::open(ring, &mut event)?;
        match closed(&event) {
            Closed::Next(run_id) => execution.run_id = run_id,
            Closed::With {
                status,
                result,
                failure,
            } => {
                return Ok(Outcome {
                    id: id.to_owned(),
                    run_id: execution.run_id,
                    status,
                    result,
                    failure,
                });
            }
        }
    }
    Ok(Outcome {
        id: id.to_owned(),
        run_id: execution.run_id,
        status: Status::Running,
        result: None,
        failure: None,
    })
}

/// The event that closed the run, or nothing when the deadline comes first.
async fn close_event(
    temporal: &Temporal,
    execution: &WorkflowExecution,
    id: &str,
    deadline: Instant,
) -> Result<Option<HistoryEvent>> {
    let mut next_page_token = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left > WAIT_MIN;
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: temporal.namespace().to_owned(),
            execution: Some(execution.clone()),
            wait_new_event: wait,
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            next_page_token: next_page_token.clone(),
            ..Default::default()
        };
        let page = if wait {
            match tokio::time::timeout(left, read(temporal, request, id)).await {
                Ok(page) => page?,
                Err(_elapsed) => return Ok(None),
            }
        } else {
            read(temporal, request, id).await?
        };
        let last = page
            .history
            .and_then(|history| history.events.into_iter().next_back());
        if let Some(event) = last.filter(is_close) {
            return Ok(Some(event));
        }
        if !wait {
            return Ok(None);
        }
        next_page_token = page.next_page_token;
    }
}

fn is_close(event: &HistoryEvent) -> bool {
    matches!(
        event.event_type(),
        EventType::WorkflowExecutionCompleted
            | EventType::WorkflowExecutionFailed
            | EventType::WorkflowExecutionCanceled
            | EventType::WorkflowExecutionTerminated
            | EventType::WorkflowExecutionTimedOut
            | EventType::WorkflowExecutionContinuedAsNew
    )
}

enum Closed {
    Next(String),
    With {
        status: Status,
        result: Option<serde_json::Value>,
        failure: Option<Failure>,
    },
}

fn closed(event: &HistoryEvent) -> Closed {
    let with = |status| Closed::With {
        status,
        result: None,
        failure: None,
    };
    match &event.attributes {
        Some(Attributes::WorkflowExecutionCompletedEventAttributes(done)) => {
            next_run(&done.new_execution_run_id).unwrap_or_else(|| Closed::With {
                status: Status::Completed,
                result: payload::to_result(done.result.as_ref()),
                failure: None,
            })
        }
        Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) => {
            next_run(&failed.new_execution_run_id).unwrap_or_else(|| Closed::With {
                status: Status::Failed,
                result: None,
                failure: failed.failure.as_ref().map(report::failure),
            })
        }
        Some(Attributes::WorkflowExecutionTimedOutEventAttributes(timed_out)) => {
            next_run(&timed_out.new_execution_run_id).unwrap_or_else(|| with(Status::TimedOut))
        }
        Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(on)) => {
            Closed::Next(on.new_execution_run_id.clone())
        }
        Some(Attributes::WorkflowExecutionCanceledEventAttributes(canceled)) => Closed::With {
            status: Status::Canceled,
            result: payload::to_result(canceled.details.as_ref()),
            failure: None,
        },
        _ => with(Status::Terminated),
    }
}

/// Set where a retry or cron goes on as a new run.
fn next_run(run_id: &str) -> Option<Closed> {
    (!run_id.is_empty()).then(|| Closed::Next(run_id.to_owned()))
}

fn brief(event: &HistoryEvent) -> Event {
    let (name, attempt, failure) = event
        .attributes
        .as_ref()
        .map_or((None, None, None), particulars);
    Event {
        id: u64::try_from(event.event_id).unwrap_or(0),
        event_type: spelled(event.event_type()),
        time: event.event_time.map(millis),
        name,
        attempt: attempt.and_then(|attempt: i32| u32::try_from(attempt).ok()),
        failure,
    }
}

/// `EVENT_TYPE_TIMER_FIRED` as Temporal's own tools print it: `TimerFired`.
pub(crate) fn spelled(event_type: EventType) -> String {
    let words = event_type
        .as_str_name()
        .trim_start_matches("EVENT_TYPE_")
        .split('_');
    words
        .flat_map(|word| {
            word.chars()
                .take(1)
                .chain(word.chars().skip(1).map(|c| c.to_ascii_lowercase()))
        })
        .collect()
}

type Particulars = (Option<String>, Option<i32>, Option<String>);

/// What an event names, the attempt and the failure it reports.
fn particulars(attributes: &Attributes) -> Particulars {
    let named = |name: &str| (Some(name.to_owned()), None, None);
    match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(a) => (
            a.workflow_type.as_ref().map(|t| t.name.clone()),
            Some(a.attempt),
            None,
        ),
        Attributes::ActivityTaskScheduledEventAttributes(a) => {
            (a.activity_type.as_ref().map(|t| t.name.clone()), None, None)
        }
        Attributes::ActivityTaskStartedEventAttributes(a) => (
            None,
            Some(a.attempt),
            a.last_failure.as_ref().map(report::sentence),
        ),
        Attributes::ActivityTaskFailedEventAttributes(a) => {
            (None, None, a.failure.as_ref().map(report::sentence))
        }
        Attributes::ActivityTaskTimedOutEventAttributes(a) => {
            (None, None, a.failure.as_ref().map(report::sentence))
        }
        Attributes::WorkflowTaskFailedEventAttributes(a) => (None, None, report::task_sentence(a)),
        Attributes::WorkflowExecutionFailedEventAttributes(a) => {
            (None, None, a.failure.as_ref().map(report::sentence))
        }
        Attributes::WorkflowExecutionSignaledEventAttributes(a) => named(&a.signal_name),
        Attributes::TimerStartedEventAttributes(a) => named(&a.timer_id),
        Attributes::TimerFiredEventAttributes(a) => named(&a.timer_id),
        Attributes::MarkerRecordedEventAttributes(a) => named(&a.marker_name),
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
            (a.workflow_type.as_ref().map(|t| t.name.clone()), None, None)
        }
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
            let input = a
                .accepted_request
                .as_ref()
                .and_then(|request| request.input.as_ref());
            (input.map(|input| input.name.clone()), None, None)
        }
        _ => (None, None, None),
    }
}
