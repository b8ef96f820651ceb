//! Temporal's failures as a caller reads them.

use std::{borrow::Cow, time::Duration};

use temporalio_protos::temporal::api::{
    enums::v1::{TimeoutType, WorkflowTaskFailedCause},
    failure::v1::{Failure as ProtoFailure, failure::FailureInfo},
    history::v1::WorkflowTaskFailedEventAttributes,
};
use tenterhook_domain::{Code, Digest, execution::Failure};

use crate::{
    codec::{self, Words},
    payload,
};

/// Deepest chain of causes that is reported.
const CAUSES_MAX: usize = 20;
/// What Core begins with where a replay took another way.
const CORES_WORD: &str = "[TMPRL1100] Nondeterminism error: ";

/// The whole chain.
pub(crate) fn failure(proto: &ProtoFailure) -> Failure {
    chain(proto, CAUSES_MAX)
}

fn chain(proto: &ProtoFailure, depth: usize) -> Failure {
    let (kind, non_retryable, details) = match &proto.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => (
            info.r#type.clone(),
            info.non_retryable,
            info.details.as_ref(),
        ),
        Some(FailureInfo::TimeoutFailureInfo(info)) => {
            let kind = TimeoutType::try_from(info.timeout_type).unwrap_or_default();
            (
                format!("timeout:{}", timeout_word(kind)),
                false,
                info.last_heartbeat_details.as_ref(),
            )
        }
        Some(FailureInfo::CanceledFailureInfo(info)) => {
            ("canceled".to_owned(), true, info.details.as_ref())
        }
        Some(FailureInfo::TerminatedFailureInfo(_)) => ("terminated".to_owned(), true, None),
        Some(FailureInfo::ServerFailureInfo(info)) => {
            ("server".to_owned(), info.non_retryable, None)
        }
        Some(FailureInfo::ActivityFailureInfo(info)) => {
            let name = info
                .activity_type
                .as_ref()
                .map_or("", |activity| &activity.name);
            (format!("activity:{name}"), false, None)
        }
        Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)) => {
            let name = info
                .workflow_type
                .as_ref()
                .map_or("", |workflow| &workflow.name);
            (format!("child:{name}"), false, None)
        }
        _ => ("failure".to_owned(), false, None),
    };
    let (message, stack_trace) = said(proto);
    Failure {
        message: message.into_owned(),
        kind,
        non_retryable,
        next_retry_delay_ms: next_retry_delay(proto),
        details: details.map_or_else(Vec::new, |list| {
            list.payloads.iter().map(payload::to_json).collect()
        }),
        stack_trace: Some(stack_trace)
            .filter(|trace| !trace.is_empty())
            .map(Cow::into_owned),
        cause: proto
            .cause
            .as_ref()
            .filter(|_| depth > 0)
            .map(|cause| Box::new(chain(cause, depth - 1))),
    }
}

/// Why a workflow task failed; `release` is the one that the execution is on, where that is known.
pub(super) fn task_failure(
    failed: &WorkflowTaskFailedEventAttributes,
    release: Option<Digest>,
) -> Option<Failure> {
    let mut reported = failure(failed.failure.as_ref()?);
    if reported.kind.is_empty() && failed.cause() == WorkflowTaskFailedCause::NonDeterministicError
    {
        reported.kind = Code::NonDeterministic.as_str().to_owned();
        reported.message = parted(&reported.message, release);
    }
    Some(reported)
}

/// The same in one sentence.
pub(super) fn task_sentence(failed: &WorkflowTaskFailedEventAttributes) -> Option<String> {
    if failed.cause() != WorkflowTaskFailedCause::NonDeterministicError {
        return failed.failure.as_ref().map(sentence);
    }
    let reported = task_failure(failed, None)?;
    Some(format!("{}: {}", reported.kind, reported.message))
}

/// That a replay took another way, made ours: `said` is how, or Core's own words, which say at which event.
pub(super) fn parted(said: &str, release: Option<Digest>) -> String {
    let code = Code::NonDeterministic;
    let release = release.map_or("its release".to_owned(), |digest| {
        format!("release {digest}")
    });
    let said = said.trim_start_matches(CORES_WORD);
    format!(
        "[{code}] replayed on {release}, the workflow does not do what its history says: {said}. The code decides by \
         something that a replay does not repeat: push a release that follows this history and let the execution move there (policy `migrate`), reset the \
         execution, or terminate it"
    )
}

/// Message and stack trace, also where they were hidden.
fn said(proto: &ProtoFailure) -> (Cow<'_, str>, Cow<'_, str>) {
    match codec::words(proto) {
        Words::Plain => (
            proto.message.as_str().into(),
            proto.stack_trace.as_str().into(),
        ),
        Words::Hidden {
            message,
            stack_trace,
        } => (message.into(), stack_trace.into()),
        Words::Gone => (
            format!(
                "[{}] the words cannot be read: they were encrypted, and their key is gone",
                Code::PayloadKeyGone
            )
            .into(),
            "".into(),
        ),
    }
}

fn next_retry_delay(proto: &ProtoFailure) -> Option<u64> {
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &proto.failure_info else {
        return None;
    };
    let delay = Duration::try_from(info.next_retry_delay?).ok()?;
    u64::try_from(delay.as_millis()).ok()
}

fn timeout_word(kind: TimeoutType) -> &'static str {
    match kind {
        TimeoutType::StartToClose => "start-to-close",
        TimeoutType::ScheduleToStart => "schedule-to-start",
        TimeoutType::ScheduleToClose => "schedule-to-close",
        TimeoutType::Heartbeat => "heartbeat",
        TimeoutType::Unspecified => "unspecified",
    }
}

/// The chain in one sentence, outermost first.
pub(crate) fn sentence(proto: &ProtoFailure) -> String {
    let mut words = Vec::new();
    let mut next = Some(proto);
    while let Some(link) = next.filter(|_| words.len() < CAUSES_MAX) {
        words.push(match &link.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(info)) if !info.r#type.is_empty() => {
                format!("{}: {}", info.r#type, said(link).0)
            }
            _ => said(link).0.into_owned(),
        });
        next = link.cause.as_deref();
    }
    words.join(": ")
}
