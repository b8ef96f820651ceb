//! Shows that a host survives malformed bytes: this component exports Temporal's workflow contract by hand, and each
//! workflow type breaks it in one place. It has no metadata and no activities.

#![cfg(target_arch = "wasm32")]
#![allow(
    unsafe_code,
    reason = "the export macro expands to the canonical ABI's loads and stores"
)]

/// The bindings of Temporal's workflow world.
mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

    wit_bindgen::generate!({
        path: "../../wit/deps/temporal-workflow-runtime.wit",
        world: "workflow-module",
        generate_all,
    });
}

use std::cell::Cell;

use generated::exports::temporal::workflow_runtime::workflow_guest::{
    ActivationResult, Failure, Guest, GuestWorkflowInstance, RoutineId, RoutinePollResult,
    WorkflowActivation, WorkflowDefinition, WorkflowInit, WorkflowInstance,
};
use generated::temporal::workflow_runtime::types::{
    ActivationJobResult, MainRoutineCompletion, QueryResponse, RoutineCompletion, RoutineKind,
    RoutinePendingState, StartedRoutine, TaskFailure, TerminalOutcome, UpdateRoutineCompletion,
    UpdateRoutineSuccess,
};
use generated::temporal::workflow_runtime::workflow_host;

/// A tag of wire type 7, which protobuf does not have.
const GARBAGE: &[u8] = &[0xff, 0xff, 0xff, 0xff];
/// A length that promises more bytes than come.
const CUT_SHORT: &[u8] = &[0x0a, 0x7f, 0x01];
/// How many results [`Breach::CountTooHigh`] answers with, whatever it was given.
const RESULTS: usize = 1000;
/// A routine that nobody started.
const UNKNOWN_ROUTINE: RoutineId = 4711;

/// The namespace in which the host tries a type before it accepts it.
const TRIAL: &str = "rehearsal";

/// One way to break the contract each; the workflow types have these names.
#[derive(Clone, Copy, Debug)]
enum Breach {
    /// Refuses to be instantiated, with a failure that is none.
    InstantiateGarbage,
    /// Answers an activation with a failure that is none.
    ActivateGarbage,
    /// Pushes a command that is none.
    CommandGarbage,
    /// Pushes a command that ends in the middle.
    CommandCutShort,
    /// Pushes an empty command.
    CommandEmpty,
    /// Completes with a payload that is none.
    ResultGarbage,
    /// Fails with a failure that is none.
    FailureGarbage,
    /// Fails its task with a failure that is none.
    TaskFailureGarbage,
    /// Continues as new with a request that is none.
    ContinueGarbage,
    /// Answers with too few job results.
    CountTooLow,
    /// Answers with too many job results.
    CountTooHigh,
    /// Answers its start as if it were a query.
    KindWrong,
    /// Says that a routine nobody asked for has started.
    RoutineUnknown,
    /// Answers the poll of its main routine as if it were an update's.
    CompletionWrong,
    /// Says that an interceptor waits, and makes no progress.
    InterceptorStuck,
    /// Says that it makes progress, for ever.
    ProgressForever,
    /// Traps while it is instantiated, but not while the host only tries it.
    InstantiateTraps,
}

const BREACHES: &[Breach] = &[
    Breach::InstantiateGarbage,
    Breach::ActivateGarbage,
    Breach::CommandGarbage,
    Breach::CommandCutShort,
    Breach::CommandEmpty,
    Breach::ResultGarbage,
    Breach::FailureGarbage,
    Breach::TaskFailureGarbage,
    Breach::ContinueGarbage,
    Breach::CountTooLow,
    Breach::CountTooHigh,
    Breach::KindWrong,
    Breach::RoutineUnknown,
    Breach::CompletionWrong,
    Breach::InterceptorStuck,
    Breach::ProgressForever,
    Breach::InstantiateTraps,
];

struct Garbage;

impl Guest for Garbage {
    type WorkflowInstance = Instance;

    fn list_workflows() -> Vec<WorkflowDefinition> {
        BREACHES
            .iter()
            .map(|breach| WorkflowDefinition {
                workflow_type: format!("{breach:?}"),
                has_init: false,
                init_takes_input: false,
                signals: Vec::new(),
                queries: Vec::new(),
                updates: Vec::new(),
            })
            .collect()
    }

    fn instantiate_workflow(init: WorkflowInit) -> Result<WorkflowInstance, Failure> {
        let breach = breach_of(&init.initialize_workflow).ok_or_else(|| GARBAGE.to_vec())?;
        match breach {
            Breach::InstantiateGarbage => Err(GARBAGE.to_vec()),
            Breach::InstantiateTraps if init.namespace != TRIAL => std::process::abort(),
            _ => Ok(WorkflowInstance::new(Instance {
                breach,
                pushed: Cell::new(false),
            })),
        }
    }
}

/// The type is field 1 of the message: a tag, a length below 128, the name (after `plugin.`, if it has one).
fn breach_of(initialize: &[u8]) -> Option<Breach> {
    let (&[0x0a, length], rest) = initialize.split_first_chunk::<2>()? else {
        return None;
    };
    let name = std::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
    let name = name.rsplit('.').next()?;
    BREACHES
        .iter()
        .copied()
        .find(|breach| format!("{breach:?}") == name)
}

struct Instance {
    breach: Breach,
    /// Its one command is out.
    pushed: Cell<bool>,
}

impl GuestWorkflowInstance for Instance {
    fn activate(&self, _activation: WorkflowActivation) -> Result<ActivationResult, Failure> {
        let job_results = match self.breach {
            Breach::ActivateGarbage => return Err(GARBAGE.to_vec()),
            Breach::CountTooLow => Vec::new(),
            Breach::CountTooHigh => (0..RESULTS).map(|_| ActivationJobResult::None).collect(),
            Breach::KindWrong => vec![ActivationJobResult::QueryResponse(QueryResponse {
                response: Ok(GARBAGE.to_vec()),
            })],
            Breach::RoutineUnknown => {
                vec![ActivationJobResult::StartedRoutine(StartedRoutine {
                    routine_id: UNKNOWN_ROUTINE,
                    kind: RoutineKind::Signal("nobody-sent".to_owned()),
                })]
            }
            // An honest answer to the one job of a first activation.
            _ => vec![ActivationJobResult::None],
        };
        Ok(ActivationResult { job_results })
    }

    fn poll_routine(&self, _routine_id: RoutineId) -> Result<RoutinePollResult, Failure> {
        Ok(match self.breach {
            Breach::CommandGarbage => self.pushing(GARBAGE),
            Breach::CommandCutShort => self.pushing(CUT_SHORT),
            Breach::CommandEmpty => self.pushing(&[]),
            Breach::ResultGarbage => ending(TerminalOutcome::Completed(GARBAGE.to_vec())),
            Breach::FailureGarbage => ending(TerminalOutcome::Failed(GARBAGE.to_vec())),
            Breach::ContinueGarbage => ending(TerminalOutcome::ContinueAsNew(GARBAGE.to_vec())),
            Breach::TaskFailureGarbage => main(MainRoutineCompletion::TaskFailed(TaskFailure {
                failure: GARBAGE.to_vec(),
                force_cause: Some(u32::MAX),
            })),
            Breach::CompletionWrong => polled(Some(RoutineCompletion::Update(
                UpdateRoutineCompletion::Completed(UpdateRoutineSuccess {
                    protocol_instance_id: "nobody-asked".to_owned(),
                    value: GARBAGE.to_vec(),
                }),
            ))),
            Breach::InterceptorStuck => waiting(false, RoutinePendingState::Interceptor),
            Breach::ProgressForever => waiting(true, RoutinePendingState::Handler),
            _ => waiting(false, RoutinePendingState::Handler),
        })
    }
}

impl Instance {
    /// Pushes the command once, and waits.
    fn pushing(&self, command: &[u8]) -> RoutinePollResult {
        let made_progress = !self.pushed.replace(true);
        if made_progress {
            workflow_host::push_command(command);
        }
        waiting(made_progress, RoutinePendingState::Handler)
    }
}

fn waiting(made_progress: bool, pending_state: RoutinePendingState) -> RoutinePollResult {
    RoutinePollResult {
        completion: Some(RoutineCompletion::Main(MainRoutineCompletion::Blocked)),
        made_progress,
        pending_state: Some(pending_state),
    }
}

fn ending(outcome: TerminalOutcome) -> RoutinePollResult {
    main(MainRoutineCompletion::Terminal(outcome))
}

fn main(completion: MainRoutineCompletion) -> RoutinePollResult {
    polled(Some(RoutineCompletion::Main(completion)))
}

fn polled(completion: Option<RoutineCompletion>) -> RoutinePollResult {
    RoutinePollResult {
        completion,
        made_progress: true,
        pending_state: None,
    }
}

generated::export!(Garbage with_types_in generated);
