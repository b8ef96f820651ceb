//! Workflow instances: what a guest's workflow code runs in, and all that it can see.
//!
//! Everything here is synchronous and runs on plain threads. Between two activations an instance is nothing but
//! memory, and there are thousands of them: what an activation needs in buffers is given back at its end.

mod convert;
mod denied;
mod host;
mod state;
mod wasi;

use std::sync::Arc;

use tenterhook_domain::{Code, limit::Limits};
use tenterhook_workflow::guest::{Fault, Init, Instance, JobResult, Module, Moment, Poll};
use wasmtime::{
    Engine, Store, UpdateDeadline,
    component::{HasSelf, Linker, ResourceAny},
};

use crate::{
    capability::Shared,
    engine,
    fault::{self, Work},
    generated::workflow::{Workflow, WorkflowPre, temporal::workflow_runtime::types::WorkflowInit},
    guest_log::Subject,
    owner::Owner,
};

pub(crate) use self::denied::{deny, deny_rest};
pub(crate) use self::state::WorkflowState;

/// Most handles (streams, pollables, the workflow itself) that one instance may hold.
pub(crate) const HANDLES_MAX: usize = 10_000;
/// Most bytes that the guest may hand to the host in one call, above its largest payload.
const CALL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The linker of every workflow component: WASI as workflows see it, and Temporal's host interface.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<WorkflowState>> {
    let mut linker = Linker::new(engine);
    Workflow::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut WorkflowState| state)?;
    denied::add_preopens(&mut linker)?;
    Ok(linker)
}

/// A store for one instance, with a full tank, at `moment`.
pub(crate) fn store(
    engine: &Engine,
    limits: &Arc<Limits>,
    owner: &Arc<Owner>,
    shared: &Shared,
    subject: Subject,
    moment: Moment,
) -> wasmtime::Result<Store<WorkflowState>> {
    let state = WorkflowState::new(limits.clone(), owner.clone(), shared, subject, moment);
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(CALL_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    store.set_fuel(limits.activation_fuel)?;
    store.set_epoch_deadline(engine::ticks(limits.activation_millis));
    store.epoch_deadline_callback(|context| {
        Ok(match context.data().millis_left() {
            0 => UpdateDeadline::Interrupt,
            left => UpdateDeadline::Continue(engine::ticks(left)),
        })
    });
    Ok(store)
}

/// A release's workflows, for one owner and its limits.
pub(crate) struct WorkflowModule {
    pre: WorkflowPre<WorkflowState>,
    limits: Arc<Limits>,
    owner: Arc<Owner>,
    shared: Arc<Shared>,
}

impl WorkflowModule {
    pub(crate) fn new(
        pre: WorkflowPre<WorkflowState>,
        limits: Arc<Limits>,
        owner: Arc<Owner>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            pre,
            limits,
            owner,
            shared,
        }
    }
}

impl Module for WorkflowModule {
    fn instantiate(&self, init: &Init, moment: Moment) -> Result<Box<dyn Instance>, Fault> {
        let mut store = store(
            self.pre.engine(),
            &self.limits,
            &self.owner,
            &self.shared,
            Subject::Run(init.run_id.as_str().into()),
            moment,
        )
        .map_err(|error| fault::of(&error, Work::Activation, &self.limits, ""))?;
        let init = WorkflowInit {
            namespace: init.namespace.clone(),
            task_queue: init.task_queue.clone(),
            run_id: init.run_id.clone(),
            initialize_workflow: init.initialize_workflow.clone(),
        };
        let made = self.pre.instantiate(&mut store).and_then(|guest| {
            let interface = guest.temporal_workflow_runtime_workflow_guest();
            let made = interface.call_instantiate_workflow(&mut store, &init)?;
            Ok((guest, made))
        });
        store.data_mut().log.end();
        match made {
            Ok((guest, Ok(workflow))) => Ok(Box::new(WorkflowInstance {
                store,
                guest,
                workflow,
                dead: false,
            })),
            Ok((_, Err(failure))) => Err(Fault::Failure(failure)),
            Err(error) => Err(died(&error, &store)),
        }
    }
}

/// The instance of one run.
struct WorkflowInstance {
    store: Store<WorkflowState>,
    guest: Workflow,
    workflow: ResourceAny,
    dead: bool,
}

impl WorkflowInstance {
    /// Refuses to enter an instance that trapped before.
    fn alive(&self) -> Result<(), Fault> {
        if self.dead {
            return Err(Fault::Dead {
                code: Code::GuestTrapped,
                message: "the instance died before and cannot be used again".to_owned(),
            });
        }
        Ok(())
    }

    /// What a call into the guest came to: the instance is dead after a trap, alive after a failure.
    fn outcome<T>(&mut self, called: wasmtime::Result<Result<T, Vec<u8>>>) -> Result<T, Fault> {
        self.store.data_mut().log.end();
        match called {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(Fault::Failure(failure)),
            Err(error) => {
                self.dead = true;
                Err(died(&error, &self.store))
            }
        }
    }

    fn refill(&mut self, moment: Moment) -> Result<(), Fault> {
        let limits = self.store.data_mut().begin(moment);
        self.store
            .set_epoch_deadline(engine::ticks(limits.activation_millis));
        self.store
            .set_fuel(limits.activation_fuel)
            .map_err(|error| fault::of(&error, Work::Activation, &limits, ""))
    }
}

impl Instance for WorkflowInstance {
    fn activate(&mut self, activation: &[u8], moment: Moment) -> Result<Vec<JobResult>, Fault> {
        self.alive()?;
        self.refill(moment)?;
        let before = self.store.data().randomness.clone();
        let called = self
            .guest
            .temporal_workflow_runtime_workflow_guest()
            .workflow_instance()
            .call_activate(&mut self.store, self.workflow, &activation.to_vec());
        let results: Vec<JobResult> = self
            .outcome(called)?
            .job_results
            .into_iter()
            .map(convert::job_result)
            .collect();
        // A query, or an update that was rejected, is no part of the history: what it drew from the randomness must
        // not be missing afterwards, or a replay without it would draw other values.
        let leaves_no_trace = results
            .iter()
            .all(|result| matches!(result, JobResult::Query(_) | JobResult::UpdateRejected(_)));
        if leaves_no_trace && !results.is_empty() {
            self.store.data_mut().randomness = before;
        }
        Ok(results)
    }

    fn poll_routine(&mut self, routine: u64) -> Result<Poll, Fault> {
        self.alive()?;
        let called = self
            .guest
            .temporal_workflow_runtime_workflow_guest()
            .workflow_instance()
            .call_poll_routine(&mut self.store, self.workflow, routine);
        self.outcome(called).map(convert::poll)
    }

    fn take_commands(&mut self) -> Vec<Vec<u8>> {
        self.store.data_mut().take_commands()
    }

    fn current_details(&self) -> Option<&str> {
        self.store.data().details.as_deref()
    }

    fn memory_bytes(&self) -> u64 {
        self.store.data().meter.memory_bytes()
    }
}

fn died(error: &wasmtime::Error, store: &Store<WorkflowState>) -> Fault {
    let state = store.data();
    fault::of(
        error,
        Work::Activation,
        state.meter.limits(),
        &state.log.last_words(),
    )
}
