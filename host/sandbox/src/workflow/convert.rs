//! From the generated types of Temporal's workflow WIT to those of the translation.

use tenterhook_workflow::guest::{
    Completion, JobResult, PendingState, Poll, RoutineKind, Terminal,
};

use crate::generated::workflow::temporal::workflow_runtime::types as wit;

pub(super) fn job_result(result: wit::ActivationJobResult) -> JobResult {
    match result {
        wit::ActivationJobResult::None => JobResult::None,
        wit::ActivationJobResult::StartedRoutine(started) => JobResult::Started {
            routine: started.routine_id,
            kind: routine_kind(started.kind),
        },
        wit::ActivationJobResult::QueryResponse(response) => JobResult::Query(response.response),
        wit::ActivationJobResult::UpdateRejected(failure) => JobResult::UpdateRejected(failure),
    }
}

fn routine_kind(kind: wit::RoutineKind) -> RoutineKind {
    match kind {
        wit::RoutineKind::Main => RoutineKind::Main,
        wit::RoutineKind::Signal(name) => RoutineKind::Signal(name),
        wit::RoutineKind::Update(update) => RoutineKind::Update {
            name: update.name,
            update_id: update.update_id,
            protocol_instance_id: update.protocol_instance_id,
        },
    }
}

pub(super) fn poll(result: wit::RoutinePollResult) -> Poll {
    Poll {
        completion: result.completion.map(completion),
        made_progress: result.made_progress,
        pending: result.pending_state.map(|state| match state {
            wit::RoutinePendingState::Handler => PendingState::Handler,
            wit::RoutinePendingState::Interceptor => PendingState::Interceptor,
            wit::RoutinePendingState::InterceptorWithActivation => {
                PendingState::InterceptorWithActivation
            }
        }),
    }
}

fn completion(completion: wit::RoutineCompletion) -> Completion {
    use wit::{
        MainRoutineCompletion as Main, SignalRoutineCompletion as Signal,
        UpdateRoutineCompletion as Update,
    };
    match completion {
        wit::RoutineCompletion::Main(Main::Blocked) => Completion::Blocked,
        wit::RoutineCompletion::Main(Main::TaskFailed(failed)) => Completion::TaskFailed {
            failure: failed.failure,
            cause: failed.force_cause,
        },
        wit::RoutineCompletion::Main(Main::Terminal(outcome)) => {
            Completion::Terminal(terminal(outcome))
        }
        wit::RoutineCompletion::Signal(Signal::Succeeded) => Completion::Signal(Ok(())),
        wit::RoutineCompletion::Signal(Signal::Failed(failure)) => Completion::Signal(Err(failure)),
        wit::RoutineCompletion::Update(Update::Completed(success)) => Completion::UpdateCompleted {
            protocol_instance_id: success.protocol_instance_id,
            value: success.value,
        },
        wit::RoutineCompletion::Update(Update::Rejected(rejection)) => Completion::UpdateRejected {
            protocol_instance_id: rejection.protocol_instance_id,
            failure: rejection.failure,
        },
    }
}

fn terminal(outcome: wit::TerminalOutcome) -> Terminal {
    match outcome {
        wit::TerminalOutcome::Completed(payload) => Terminal::Completed(payload),
        wit::TerminalOutcome::Failed(failure) => Terminal::Failed(failure),
        wit::TerminalOutcome::Cancelled(details) => Terminal::Cancelled(details),
        wit::TerminalOutcome::ContinueAsNew(request) => Terminal::ContinueAsNew(request),
    }
}
