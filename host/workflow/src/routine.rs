//! Drives the routines of a guest until nothing moves.

use temporalio_protos::{
    coresdk::workflow_commands::{
        CancelWorkflowExecution, CompleteWorkflowExecution, FailWorkflowExecution, WorkflowCommand,
        update_response::Response, workflow_command::Variant as Command,
    },
    temporal::api::enums::v1::WorkflowTaskFailedCause,
};
use tenterhook_domain::Code;

use crate::{
    failure::{TaskFailure, decode, failure},
    guest::{Completion, Instance, PendingState, Poll, Terminal},
    job,
};

/// The main routine's id.
const MAIN: u64 = 0;
/// Rounds of polling in one activation. Fuel and deadline end a guest long before this; it keeps the loop
/// bounded whatever stands behind [`Instance`].
const ROUNDS_MAX: u32 = 1_000_000;

/// What a live routine handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A signal.
    Signal,
    /// An update.
    Update {
        /// Core's id for it.
        protocol_instance_id: String,
    },
}

/// How the workflow ended, as far as the guest said.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A command that is complete.
    With(Box<WorkflowCommand>),
    /// Continue-as-new: encoded, and for the firewall to check and complete.
    AsNew(Vec<u8>),
}

/// What came of driving.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// Responses of updates that ended.
    pub(crate) responses: Vec<WorkflowCommand>,
    /// How the workflow ended, if it did.
    pub(crate) ended: Option<Ended>,
}

/// The live signal and update routines of one run, in the order they started.
#[derive(Debug, Default)]
pub(crate) struct Routines {
    live: Vec<(u64, Kind)>,
}

impl Routines {
    /// Adds a routine the guest started.
    ///
    /// # Errors
    /// `guest-malformed` for an id that is the main routine's or in use.
    pub(crate) fn start(&mut self, id: u64, kind: Kind) -> Result<(), TaskFailure> {
        if id == MAIN || self.live.iter().any(|(live, _)| *live == id) {
            return Err(TaskFailure::malformed(
                "the answer to an activation",
                format!("a routine started under id {id}, which is in use"),
            ));
        }
        self.live.push((id, kind));
        Ok(())
    }

    /// Polls all live routines in start order, then main, again and again while any moves, until the
    /// workflow ends or waits.
    pub(crate) fn drive(
        &mut self,
        instance: &mut dyn Instance,
        payload_bytes: u64,
    ) -> Result<Driven, TaskFailure> {
        let mut driven = Driven::default();
        for _ in 0..ROUNDS_MAX {
            let mut round = Round::default();
            let mut waiting = Vec::with_capacity(self.live.len());
            for (id, kind) in std::mem::take(&mut self.live) {
                match round.poll(instance, id, payload_bytes)? {
                    None => waiting.push((id, kind)),
                    Some(completion) => {
                        driven
                            .responses
                            .extend(settle(kind, completion, payload_bytes)?);
                    }
                }
            }
            self.live = waiting;
            let main = round.poll(instance, MAIN, payload_bytes)?;
            driven.ended = settle_main(main, payload_bytes)?;
            if driven.ended.is_some() {
                return Ok(driven);
            }
            if !round.progress {
                return round.rest().map(|()| driven);
            }
        }
        Err(TaskFailure::new(
            Code::GuestDeadlineExceeded,
            format!("the workflow's routines kept moving for {ROUNDS_MAX} rounds of polling"),
        ))
    }
}

/// One pass over all routines.
#[derive(Debug, Default)]
struct Round {
    progress: bool,
    stuck_in_interceptor: bool,
}

impl Round {
    fn poll(
        &mut self,
        instance: &mut dyn Instance,
        id: u64,
        payload_bytes: u64,
    ) -> Result<Option<Completion>, TaskFailure> {
        let Poll {
            completion,
            made_progress,
            pending,
        } = instance
            .poll_routine(id)
            .map_err(|fault| TaskFailure::of_fault(fault, payload_bytes))?;
        self.progress |= made_progress;
        self.stuck_in_interceptor |= pending == Some(PendingState::Interceptor);
        Ok(completion)
    }

    /// Nothing moved: fine, unless something waits for what no activation ever brings.
    fn rest(&self) -> Result<(), TaskFailure> {
        if !self.stuck_in_interceptor {
            return Ok(());
        }
        Err(TaskFailure::new(
            Code::NonDeterministic,
            "a workflow interceptor waits for something that no activation brings: await only its handler and what the workflow context offers",
        )
        .because(WorkflowTaskFailedCause::NonDeterministicError))
    }
}

fn settle(
    kind: Kind,
    completion: Completion,
    payload_bytes: u64,
) -> Result<Option<WorkflowCommand>, TaskFailure> {
    match (kind, completion) {
        (Kind::Signal, Completion::Signal(Ok(()))) => Ok(None),
        (Kind::Signal, Completion::Signal(Err(bytes))) => {
            let failure = failure("a signal handler's failure", &bytes, payload_bytes)?;
            Err(TaskFailure::of_guest(failure))
        }
        (
            Kind::Update {
                protocol_instance_id: asked,
            },
            Completion::UpdateCompleted {
                protocol_instance_id,
                value,
            },
        ) if asked == protocol_instance_id => {
            let value = decode("an update's result", &value, payload_bytes)?;
            Ok(Some(job::update(asked, Response::Completed(value))))
        }
        (
            Kind::Update {
                protocol_instance_id: asked,
            },
            Completion::UpdateRejected {
                protocol_instance_id,
                failure: bytes,
            },
        ) if asked == protocol_instance_id => {
            let failure = failure("an update's failure", &bytes, payload_bytes)?;
            Ok(Some(job::update(asked, Response::Rejected(failure))))
        }
        (kind, completion) => {
            let routine = match kind {
                Kind::Signal => "a signal routine",
                Kind::Update { .. } => "an update routine",
            };
            Err(TaskFailure::malformed(
                "a routine's completion",
                format!("{routine} ended as {}", name(&completion)),
            ))
        }
    }
}

fn settle_main(
    completion: Option<Completion>,
    payload_bytes: u64,
) -> Result<Option<Ended>, TaskFailure> {
    match completion {
        Some(Completion::Blocked) => Ok(None),
        Some(Completion::TaskFailed {
            failure: bytes,
            cause,
        }) => {
            let failure = failure("a task failure", &bytes, payload_bytes)?;
            let failure = TaskFailure::of_guest(failure);
            Err(match cause.and_then(known_cause) {
                Some(cause) => failure.because(cause),
                None => failure,
            })
        }
        Some(Completion::Terminal(terminal)) => end(terminal, payload_bytes).map(Some),
        Some(
            other @ (Completion::Signal(_)
            | Completion::UpdateCompleted { .. }
            | Completion::UpdateRejected { .. }),
        ) => Err(TaskFailure::malformed(
            "a routine's completion",
            format!("the main routine ended as {}", name(&other)),
        )),
        None => Err(TaskFailure::malformed(
            "a routine's completion",
            "the main routine said neither that it waits nor how it ended",
        )),
    }
}

fn end(terminal: Terminal, payload_bytes: u64) -> Result<Ended, TaskFailure> {
    let command = match terminal {
        Terminal::Completed(bytes) => {
            Command::CompleteWorkflowExecution(CompleteWorkflowExecution {
                result: Some(decode("the workflow's result", &bytes, payload_bytes)?),
            })
        }
        Terminal::Failed(bytes) => Command::FailWorkflowExecution(FailWorkflowExecution {
            failure: Some(failure("the workflow's failure", &bytes, payload_bytes)?),
        }),
        Terminal::Cancelled(bytes) => Command::CancelWorkflowExecution(CancelWorkflowExecution {
            details: bytes
                .map(|bytes| decode("the details of a cancellation", &bytes, payload_bytes))
                .transpose()?,
        }),
        Terminal::ContinueAsNew(bytes) => return Ok(Ended::AsNew(bytes)),
    };
    Ok(Ended::With(Box::new(command.into())))
}

/// A cause that Temporal knows; a guest's other numbers are as good as none.
fn known_cause(cause: u32) -> Option<WorkflowTaskFailedCause> {
    WorkflowTaskFailedCause::try_from(i32::try_from(cause).ok()?)
        .ok()
        .filter(|cause| *cause != WorkflowTaskFailedCause::Unspecified)
}

fn name(completion: &Completion) -> &'static str {
    match completion {
        Completion::Blocked | Completion::TaskFailed { .. } | Completion::Terminal(_) => {
            "a main routine does"
        }
        Completion::Signal(_) => "a signal routine does",
        Completion::UpdateCompleted { .. } | Completion::UpdateRejected { .. } => {
            "the routine of an update, or of another update, does"
        }
    }
}
