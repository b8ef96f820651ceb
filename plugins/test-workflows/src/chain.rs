//! A failure as a workflow sees it, link by link, so that a test can tell whether anything was lost on the way.

use serde_json::Value;
use temporalio_workflow::common::protos::temporal::api::common::v1::Payloads;
use temporalio_workflow::common::protos::temporal::api::failure::v1::{
    Failure, failure::FailureInfo,
};
use tenterhook_sdk::payload;

/// One link of a failure's chain.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    /// `application`, `timeout`, `cancelled`, `activity`, `child`, or `other`.
    pub(crate) what: String,
    pub(crate) message: String,
    /// The type of an application failure, of an activity, or of a child workflow.
    pub(crate) kind: String,
    pub(crate) non_retryable: bool,
    pub(crate) next_retry_delay_ms: Option<i64>,
    /// The values that are JSON.
    pub(crate) details: Vec<Value>,
    pub(crate) stack_trace: String,
    /// Temporal's number for the kind of timeout, or for why there is no retry.
    pub(crate) state: i32,
}

/// The chain, the failure itself first.
pub(crate) fn chain(failure: Option<&Failure>) -> Vec<Link> {
    let mut links = Vec::new();
    let mut next = failure;
    while let Some(failure) = next {
        links.push(link(failure));
        next = failure.cause.as_deref();
    }
    links
}

fn link(failure: &Failure) -> Link {
    let mut link = Link {
        what: "other".to_owned(),
        message: failure.message.clone(),
        stack_trace: failure.stack_trace.clone(),
        ..Link::default()
    };
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            link.what = "application".to_owned();
            link.kind.clone_from(&info.r#type);
            link.non_retryable = info.non_retryable;
            link.next_retry_delay_ms = info
                .next_retry_delay
                .map(|delay| delay.seconds * 1000 + i64::from(delay.nanos) / 1_000_000);
            link.details = values(info.details.as_ref());
            link.state = info.category;
        }
        Some(FailureInfo::TimeoutFailureInfo(info)) => {
            link.what = "timeout".to_owned();
            link.state = info.timeout_type;
            link.details = values(info.last_heartbeat_details.as_ref());
        }
        Some(FailureInfo::CanceledFailureInfo(info)) => {
            link.what = "cancelled".to_owned();
            link.details = values(info.details.as_ref());
        }
        Some(FailureInfo::ActivityFailureInfo(info)) => {
            link.what = "activity".to_owned();
            link.kind = info
                .activity_type
                .as_ref()
                .map(|activity| activity.name.clone())
                .unwrap_or_default();
            link.state = info.retry_state;
        }
        Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)) => {
            link.what = "child".to_owned();
            link.kind = info
                .workflow_type
                .as_ref()
                .map(|workflow| workflow.name.clone())
                .unwrap_or_default();
            link.state = info.retry_state;
        }
        _ => {}
    }
    link
}

fn values(payloads: Option<&Payloads>) -> Vec<Value> {
    payloads
        .iter()
        .flat_map(|payloads| &payloads.payloads)
        .filter_map(|payload| serde_json::from_slice(&payload.data).ok())
        .collect()
}
