//! What Temporal's history keeps of a workflow task that failed.
//!
//! The host's own failures carry a stable code as their type; a guest's are passed on as they came, so
//! that nothing its author said is lost.

use temporalio_protos::{
    coresdk::workflow_completion::{
        self, WorkflowActivationCompletion, workflow_activation_completion::Status,
    },
    temporal::api::{
        enums::v1::WorkflowTaskFailedCause,
        failure::v1::{ApplicationFailureInfo, Failure, failure::FailureInfo},
    },
};
use tenterhook_domain::{Code, error::Kind};

use crate::guest::Fault;

/// The `source` of every failure the host makes.
pub(crate) const SOURCE: &str = "tenterhook";
/// What Temporal is told where no rule of its own was broken.
pub(crate) const UNHANDLED: WorkflowTaskFailedCause =
    WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;

/// The completion that fails the workflow task of `run_id`: `code` is the failure's type, `message` the
/// sentence its reader gets.
pub fn fail_task(
    run_id: &str,
    code: Code,
    message: &str,
    cause: WorkflowTaskFailedCause,
) -> WorkflowActivationCompletion {
    TaskFailure::new(code, message)
        .because(cause)
        .into_completion(run_id)
}

/// True if `completion` fails its task by a fault of the plugin's own code: not by one of the host's.
pub fn blames_plugin(completion: &WorkflowActivationCompletion) -> bool {
    let fails = matches!(completion.status, Some(Status::Failed(_)));
    fails && coded_failure(completion).is_none_or(|(code, _)| code.kind() == Kind::Plugin)
}

/// The code and the words by which `completion` fails its task, where they are the host's own and not a guest's.
pub fn coded_failure(completion: &WorkflowActivationCompletion) -> Option<(Code, &str)> {
    let Some(Status::Failed(failed)) = &completion.status else {
        return None;
    };
    let failure = failed.failure.as_ref()?;
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) if failure.source == SOURCE => {
            Some((Code::of_text(&info.r#type)?, &failure.message))
        }
        _ => None,
    }
}

/// Why one workflow task fails. Its commands are discarded and its instance is given up.
#[derive(Debug)]
pub(crate) struct TaskFailure {
    failure: Box<Failure>,
    cause: WorkflowTaskFailedCause,
}

impl TaskFailure {
    /// A failure of the host's own words.
    pub(crate) fn new(code: Code, message: impl AsRef<str>) -> Self {
        let failure = Failure {
            message: format!("[{code}] {}", message.as_ref()),
            source: SOURCE.to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(
                ApplicationFailureInfo {
                    r#type: code.as_str().to_owned(),
                    ..Default::default()
                },
            )),
            ..Default::default()
        };
        Self {
            failure: Box::new(failure),
            cause: UNHANDLED,
        }
    }

    /// What a guest handed over cannot be used: `what` says which part, `why` what is wrong with it.
    pub(crate) fn malformed(what: &str, why: impl std::fmt::Display) -> Self {
        Self::new(
            Code::GuestMalformed,
            format!("{what} from the workflow's code cannot be used: {why}"),
        )
    }

    /// What a guest handed over is larger than its limit.
    pub(crate) fn too_large(what: &str, bytes: usize, limit: u64) -> Self {
        Self::new(
            Code::GuestPayloadTooLarge,
            format!(
                "{what} has {bytes} bytes, more than payload_bytes = {limit}: make it smaller, or keep it elsewhere and pass a reference"
            ),
        )
    }

    /// A guest's own failure, word for word.
    pub(crate) fn of_guest(failure: Failure) -> Self {
        Self {
            failure: Box::new(failure),
            cause: UNHANDLED,
        }
    }

    /// How an instance failed.
    pub(crate) fn of_fault(fault: Fault, limit: u64) -> Self {
        match fault {
            Fault::Dead { code, message } => Self::new(code, message),
            Fault::Failure(bytes) => match failure("a failure", &bytes, limit) {
                Ok(failure) => Self::of_guest(failure),
                Err(unreadable) => unreadable,
            },
        }
    }

    /// The same with the cause Temporal is told.
    #[must_use]
    pub(crate) fn because(mut self, cause: WorkflowTaskFailedCause) -> Self {
        self.cause = cause;
        self
    }

    /// The host's code for it; none where it is a guest's own failure.
    pub(crate) fn code(&self) -> Option<Code> {
        match &self.failure.failure_info {
            Some(FailureInfo::ApplicationFailureInfo(info)) if self.failure.source == SOURCE => {
                Code::of_text(&info.r#type)
            }
            _ => None,
        }
    }

    /// What the reader is told.
    pub(crate) fn message(&self) -> &str {
        &self.failure.message
    }

    /// The completion that says so to Core.
    pub(crate) fn into_completion(self, run_id: &str) -> WorkflowActivationCompletion {
        WorkflowActivationCompletion {
            run_id: run_id.to_owned(),
            status: Some(Status::Failed(workflow_completion::Failure {
                failure: Some(*self.failure),
                force_cause: self.cause.into(),
            })),
            ..Default::default()
        }
    }
}

/// Reads `what`, a failure a guest handed over, of `limit` bytes at most.
pub(crate) fn failure(what: &str, bytes: &[u8], limit: u64) -> Result<Failure, TaskFailure> {
    decode(what, bytes, limit)
}

/// Reads `what`, any message a guest handed over, of `limit` bytes at most.
pub(crate) fn decode<M: prost::Message + Default>(
    what: &str,
    bytes: &[u8],
    limit: u64,
) -> Result<M, TaskFailure> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(TaskFailure::too_large(what, bytes.len(), limit));
    }
    read(what, bytes)
}

/// Reads `what`, a message whose size was looked at before.
pub(crate) fn read<M: prost::Message + Default>(
    what: &str,
    bytes: &[u8],
) -> Result<M, TaskFailure> {
    M::decode(bytes).map_err(|error| TaskFailure::malformed(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(failure: TaskFailure) -> bool {
        blames_plugin(&failure.into_completion("r"))
    }

    #[test]
    fn a_fault_of_the_host_is_not_the_plugins() {
        for code in [
            Code::GuestTrapped,
            Code::CommandRefused,
            Code::NonDeterministic,
        ] {
            assert!(blamed(TaskFailure::new(code, "x")), "{code}");
        }
        for code in [
            Code::Internal,
            Code::ComponentMissing,
            Code::StoreFailed,
            Code::StoreUnavailable,
            Code::HostStopping,
        ] {
            assert!(!blamed(TaskFailure::new(code, "x")), "{code}");
        }
        assert!(blamed(TaskFailure::of_guest(Failure::default())));
        // A guest cannot pass its fault off as the host's by its words alone.
        let words = TaskFailure::new(Code::Internal, "x").failure;
        let forged = Failure {
            source: "guest".to_owned(),
            ..*words
        };
        assert!(blamed(TaskFailure::of_guest(forged)));
        assert!(!blames_plugin(&WorkflowActivationCompletion::default()));
    }
}
