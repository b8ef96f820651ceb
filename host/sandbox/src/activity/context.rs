//! `tenterhook:plugin/activity-context`, and tasks and results to and from the generated types.

use tenterhook_domain::Code;
use tenterhook_workflow::guest::Fault;
use wasmtime::component::{HasSelf, Linker};

use super::{
    ActivityResult,
    state::ActivityState,
    task::{ActivityFailure, ActivityTask, Cancellation, FailureLink, Payload},
    too_large,
};
use crate::{
    fault::Refusal,
    generated::activity::{
        exports::tenterhook::plugin::activities as guest,
        tenterhook::plugin::{activity_context, values},
    },
};

pub(super) fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    values::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)?;
    activity_context::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)
}

impl values::Host for ActivityState {}

impl activity_context::Host for ActivityState {
    fn heartbeat(&mut self, details: Vec<values::Payload>) -> wasmtime::Result<()> {
        let details: Vec<Payload> = details.into_iter().map(from_wit).collect();
        let bytes: u64 = details.iter().map(Payload::bytes).sum();
        let limit = self.payload_bytes_max;
        if bytes > limit {
            return Err(Refusal::new(
                Code::GuestPayloadTooLarge,
                format!(
                    "a heartbeat's details have {bytes} bytes, the limit payload_bytes is {limit}"
                ),
            )
            .into());
        }
        self.host.heartbeat(details);
        Ok(())
    }

    fn cancelled(&mut self) -> wasmtime::Result<Option<activity_context::Cancellation>> {
        Ok(self.host.cancelled().map(|reason| match reason {
            Cancellation::Requested => activity_context::Cancellation::Requested,
            Cancellation::NotFound => activity_context::Cancellation::NotFound,
            Cancellation::TimedOut => activity_context::Cancellation::TimedOut,
            Cancellation::WorkerShutdown => activity_context::Cancellation::WorkerShutdown,
            Cancellation::Paused => activity_context::Cancellation::Paused,
            Cancellation::Reset => activity_context::Cancellation::Reset,
        }))
    }
}

/// The task as the guest gets it.
pub(super) fn task(task: ActivityTask) -> guest::Task {
    let info = task.info;
    guest::Task {
        activity_type: task.activity_type,
        input: task.input.into_iter().map(to_wit).collect(),
        heartbeat_details: task.heartbeat_details.into_iter().map(to_wit).collect(),
        info: guest::TaskInfo {
            activity_id: info.activity_id,
            workflow_id: info.workflow_id,
            run_id: info.run_id,
            workflow_type: info.workflow_type,
            tenant: info.tenant,
            environment: info.environment,
            plugin: info.plugin,
            attempt: info.attempt,
            scheduled_at: info.scheduled_at,
            deadline: info.deadline,
            heartbeat_timeout: info.heartbeat_timeout,
            idempotency_key: info.idempotency_key,
            local: info.local,
        },
    }
}

/// What the guest answered, if it is not larger than `limit` bytes.
pub(super) fn result(
    result: Result<Option<values::Payload>, values::Failure>,
    limit: u64,
) -> Result<ActivityResult, Fault> {
    match result {
        Ok(payload) => {
            let payload = payload.map(from_wit);
            let bytes = payload.as_ref().map_or(0, Payload::bytes);
            if bytes > limit {
                return Err(too_large("the activity's result", bytes, limit));
            }
            Ok(Ok(payload))
        }
        Err(failure) => {
            let failure = ActivityFailure {
                error: link_from_wit(failure.error),
                causes: failure.causes.into_iter().map(link_from_wit).collect(),
                non_retryable: failure.non_retryable,
                next_retry_delay: failure.next_retry_delay,
                benign: failure.benign,
            };
            let causes: u64 = failure.causes.iter().map(FailureLink::bytes).sum();
            let bytes = failure.error.bytes().saturating_add(causes);
            if bytes > limit {
                return Err(too_large("the activity's failure", bytes, limit));
            }
            Ok(Err(failure))
        }
    }
}

fn to_wit(payload: Payload) -> values::Payload {
    values::Payload {
        metadata: payload.metadata,
        data: payload.data,
    }
}

fn from_wit(payload: values::Payload) -> Payload {
    Payload {
        metadata: payload.metadata,
        data: payload.data,
    }
}

fn link_from_wit(link: values::FailureLink) -> FailureLink {
    FailureLink {
        message: link.message,
        kind: link.kind,
        details: link.details.into_iter().map(from_wit).collect(),
        stack_trace: link.stack_trace,
    }
}
