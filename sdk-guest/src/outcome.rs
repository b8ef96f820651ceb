//! What a workflow can tell from an activity's failure, and how it fails for the same reason.

use temporalio_workflow::common::data_converters::RawValue;
use temporalio_workflow::common::error::{ApplicationFailure, IncomingError};
use temporalio_workflow::{ActivityExecutionError, WorkflowTermination};

use crate::payload::{self, Payload};

/// What workflows ask of an activity's failure.
pub trait ActivityOutcome: Sized {
    /// The failure's type, for example `ValidationError`; `None` for a timeout or a cancellation.
    fn type_name(&self) -> Option<&str>;

    /// Whether the activity itself said that no further attempt can help. Otherwise its attempts are used up, it
    /// timed out or was cancelled, and whether it took effect is not known.
    fn is_final(&self) -> bool;

    /// Fails the workflow with an application failure of the same type, message, details and retryability, so that
    /// callers can match on it; the activity's failure is its cause. A timeout or a cancellation stays what it is.
    fn into_workflow_failure(self) -> WorkflowTermination;
}

impl ActivityOutcome for ActivityExecutionError {
    fn type_name(&self) -> Option<&str> {
        application(self)?.type_name()
    }

    fn is_final(&self) -> bool {
        application(self).is_some_and(ApplicationFailure::is_non_retryable)
    }

    fn into_workflow_failure(self) -> WorkflowTermination {
        failure_of(self, None)
    }
}

/// The workflow's failure for an activity's, with a detail behind those that the activity gave.
pub(crate) fn failure_of(
    error: ActivityExecutionError,
    detail: Option<Payload>,
) -> WorkflowTermination {
    let ActivityExecutionError::Failed(activity) = error else {
        return error.into();
    };
    let Some(IncomingError::Application(reason)) = activity.cause() else {
        return ActivityExecutionError::Failed(activity).into();
    };
    let given = reason.raw_details().map(<[_]>::to_vec);
    let details = match detail {
        None => given,
        Some(detail) => {
            let mut details = given.unwrap_or_default();
            details.extend(payload::wire(detail).payloads);
            Some(details)
        }
    };
    let failure = ApplicationFailure::builder(reason.to_string())
        .maybe_type_name(reason.type_name().map(str::to_owned))
        .non_retryable(reason.is_non_retryable())
        .category(reason.category())
        .maybe_details(details.map(RawValue::new))
        .cause(Box::new(IncomingError::Activity(activity)))
        .build();
    WorkflowTermination::failed_application(failure)
}

fn application(error: &ActivityExecutionError) -> Option<&ApplicationFailure> {
    match error.reason()? {
        IncomingError::Application(failure) => Some(failure),
        _ => None,
    }
}
