//! Failures: what a mock answers, and what a workflow ended with.

use std::{fmt, time::Duration};

use serde_json::Value;
use temporalio_protos::temporal::api::{
    common::v1::{ActivityType, Payloads, WorkflowExecution, WorkflowType},
    enums::v1::{RetryState, TimeoutType},
    failure::v1::{
        ActivityFailureInfo, ApplicationFailureInfo, CanceledFailureInfo,
        ChildWorkflowExecutionFailureInfo, Failure as Proto, TerminatedFailureInfo,
        TimeoutFailureInfo, failure::FailureInfo,
    },
};

use crate::payload;

/// A failure, as a mock answers one and as a workflow ends with one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// What retry policies match on: a type of the error taxonomy such as `NetworkError`, or `ActivityFailure`,
    /// `ChildWorkflowFailure`, `Timeout` and `Canceled` for Temporal's own.
    pub kind: String,
    /// What went wrong, for a person.
    pub message: String,
    /// True: no further attempt, whatever the retry policy says.
    pub non_retryable: bool,
    /// When the next attempt is due, where the failure says so.
    pub next_retry_delay: Option<Duration>,
    /// Further values, as JSON.
    pub details: Vec<Value>,
    /// What caused it.
    pub cause: Option<Box<Failure>>,
}

impl Failure {
    /// One that the retry policy decides about.
    pub fn retryable(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// One that is not retried.
    pub fn permanent(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            non_retryable: true,
            ..Self::retryable(kind, message)
        }
    }

    /// The same, with the next attempt after `delay`.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self {
            next_retry_delay: Some(delay),
            ..self
        }
    }

    /// The innermost cause: what really happened.
    pub fn root(&self) -> &Self {
        self.cause.as_deref().map_or(self, Self::root)
    }

    /// True if it or one of its causes is of `kind`.
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind || self.cause.as_deref().is_some_and(|cause| cause.is(kind))
    }

    pub(crate) fn of_proto(failure: &Proto) -> Self {
        let details = match &failure.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(it)) => it.details.as_ref(),
            Some(FailureInfo::CanceledFailureInfo(it)) => it.details.as_ref(),
            _ => None,
        };
        let (kind, non_retryable, next_retry_delay) = match &failure.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(it)) => (
                it.r#type.as_str(),
                it.non_retryable,
                payload::span(it.next_retry_delay),
            ),
            Some(FailureInfo::ActivityFailureInfo(_)) => ("ActivityFailure", false, None),
            Some(FailureInfo::ChildWorkflowExecutionFailureInfo(_)) => {
                ("ChildWorkflowFailure", false, None)
            }
            Some(FailureInfo::TimeoutFailureInfo(_)) => (TIMEOUT, false, None),
            Some(FailureInfo::CanceledFailureInfo(_)) => (CANCELED, true, None),
            Some(FailureInfo::TerminatedFailureInfo(_)) => ("Terminated", true, None),
            _ => ("", false, None),
        };
        Self {
            kind: kind.to_owned(),
            message: failure.message.clone(),
            non_retryable,
            next_retry_delay,
            details: details.map(payload::all_json).unwrap_or_default(),
            cause: failure.cause.as_deref().map(Self::of_proto).map(Box::new),
        }
    }

    pub(crate) fn into_proto(self) -> Proto {
        let info = ApplicationFailureInfo {
            r#type: self.kind,
            non_retryable: self.non_retryable,
            next_retry_delay: self
                .next_retry_delay
                .and_then(|delay| delay.try_into().ok()),
            details: payload::payloads(self.details.iter().map(payload::of).collect()),
            ..Default::default()
        };
        Proto {
            message: self.message,
            cause: self.cause.map(|cause| Box::new(cause.into_proto())),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
            ..Default::default()
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

pub(crate) const TIMEOUT: &str = "Timeout";
pub(crate) const CANCELED: &str = "Canceled";

/// Where an activity is in its run's history.
pub(crate) struct Place<'a> {
    pub(crate) activity_type: &'a str,
    pub(crate) activity_id: &'a str,
    pub(crate) scheduled: i64,
    pub(crate) started: i64,
}

/// What the workflow is told of an activity: `cause` in Temporal's wrapping.
pub(crate) fn of_activity(
    message: &str,
    place: &Place<'_>,
    state: RetryState,
    cause: Proto,
) -> Proto {
    Proto {
        message: message.to_owned(),
        cause: Some(Box::new(cause)),
        failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
            scheduled_event_id: place.scheduled,
            started_event_id: place.started,
            activity_type: Some(ActivityType {
                name: place.activity_type.to_owned(),
            }),
            activity_id: place.activity_id.to_owned(),
            retry_state: state.into(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// What the workflow is told of a child: `cause` in Temporal's wrapping.
pub(crate) fn of_child(
    message: &str,
    execution: WorkflowExecution,
    workflow_type: &str,
    cause: Proto,
) -> Proto {
    let info = ChildWorkflowExecutionFailureInfo {
        workflow_execution: Some(execution),
        workflow_type: Some(WorkflowType {
            name: workflow_type.to_owned(),
        }),
        ..Default::default()
    };
    Proto {
        message: message.to_owned(),
        cause: Some(Box::new(cause)),
        failure_info: Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)),
        ..Default::default()
    }
}

pub(crate) fn timeout(kind: TimeoutType, heartbeat: Option<Payloads>) -> Proto {
    let name = match kind {
        TimeoutType::StartToClose => "StartToClose",
        TimeoutType::ScheduleToStart => "ScheduleToStart",
        TimeoutType::ScheduleToClose => "ScheduleToClose",
        TimeoutType::Heartbeat => "Heartbeat",
        TimeoutType::Unspecified => "",
    };
    Proto {
        message: format!("activity {name} timeout"),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: kind.into(),
            last_heartbeat_details: heartbeat,
        })),
        ..Default::default()
    }
}

/// Of a run that took too long.
pub(crate) fn run_timeout() -> Proto {
    Proto {
        message: "Timed out".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: TimeoutType::StartToClose.into(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

pub(crate) fn canceled(message: &str, details: Option<Payloads>) -> Proto {
    let info = CanceledFailureInfo {
        details,
        ..Default::default()
    };
    Proto {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::CanceledFailureInfo(info)),
        ..Default::default()
    }
}

pub(crate) fn terminated() -> Proto {
    Proto {
        message: "Terminated".to_owned(),
        failure_info: Some(FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo {
            ..Default::default()
        })),
        ..Default::default()
    }
}
