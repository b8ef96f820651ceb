//! Activity instances: one an attempt, a future that can be dropped at any time.

mod context;
mod ending;
mod state;
mod task;

use std::{
    fmt,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tenterhook_domain::Code;
use tenterhook_workflow::guest::Fault;
use tokio::time::{Instant, timeout_at};
use wasmtime::{
    Engine, Store,
    component::{Component, Linker},
};

use crate::{
    capability::{self, Shared},
    fault::{self, Work},
    generated::activity::{Activity, ActivityPre},
    guest_log::{GuestLog, Subject},
    memory::MemoryHold,
    meter::no_memory,
    owner::Owner,
    workflow::{HANDLES_MAX, deny},
};

pub(crate) use self::{ending::Ending, state::ActivityState};
pub use self::{
    state::ActivityAccess,
    task::{
        ActivityFailure, ActivityHost, ActivityTask, Cancellation, FailureLink, Payload, TaskInfo,
    },
};

/// What an attempt that was not ended by the host came to.
pub type ActivityResult = Result<Option<Payload>, ActivityFailure>;

/// Most bytes that the guest may hand to the host in one call.
const CALL_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Ticks that a computing guest keeps its thread for.
const TICKS_BETWEEN_YIELDS: u64 = 1;

/// The linker of every activity component: WASI, the granted capabilities, the activity's context.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<ActivityState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    capability::link(&mut linker)?;
    context::link(&mut linker)?;
    Ok(linker)
}

/// Denies what `component` imports for its workflows alone.
pub(crate) fn deny_rest(
    linker: &mut Linker<ActivityState>,
    component: &Component,
) -> wasmtime::Result<()> {
    let offered: Vec<String> = component
        .component_type()
        .imports(&linker.engine().clone())
        .map(|(name, _)| crate::outline::interface_of(name).to_owned())
        .filter(|interface| !interface.starts_with("temporal:"))
        .collect();
    let offered: Vec<&str> = offered.iter().map(String::as_str).collect();
    deny(linker, component, &offered, |name| {
        format!("an activity called {name}, which only workflow code may use")
    })
}

/// A release's activities.
pub struct ActivityModule {
    pre: ActivityPre<ActivityState>,
    shared: Arc<Shared>,
}

impl ActivityModule {
    pub(crate) fn new(pre: ActivityPre<ActivityState>, shared: Arc<Shared>) -> Self {
        Self { pre, shared }
    }

    pub(crate) fn pre(&self) -> &ActivityPre<ActivityState> {
        &self.pre
    }

    /// What instances of all components share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A store for one instance that may do what `access` allows, and has memory `held` for it.
    pub(crate) fn store(
        &self,
        access: &ActivityAccess,
        subject: Subject,
        host: Arc<dyn ActivityHost>,
        held: MemoryHold,
    ) -> Store<ActivityState> {
        let (owner, tally) = (access.owner.clone(), self.shared.tally.clone());
        let log = GuestLog::new(owner, subject, &access.limits, tally);
        let state = ActivityState::new(access, &self.shared, log, host, held);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(CALL_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store.set_epoch_deadline(TICKS_BETWEEN_YIELDS);
        store.epoch_deadline_async_yield_and_update(TICKS_BETWEEN_YIELDS);
        store
    }

    /// Runs one attempt in a fresh instance, for `within` at most and never longer than the limit
    /// `activity_millis`. Dropping the future ends the guest.
    ///
    /// # Errors
    /// [`Fault::Dead`] when the guest trapped or hit a limit. What the activity itself reports as its failure is
    /// the `Err` inside.
    pub async fn execute(
        &self,
        task: ActivityTask,
        access: ActivityAccess,
        host: Arc<dyn ActivityHost>,
        within: Duration,
    ) -> Result<ActivityResult, Fault> {
        let limits = access.limits.clone();
        let subject = Subject::Attempt {
            workflow_id: task.info.workflow_id.as_str().into(),
            run_id: task.info.run_id.as_str().into(),
            activity: task.activity_type.as_str().into(),
            attempt: task.info.attempt,
        };
        let within = within.min(Duration::from_millis(limits.activity_millis));
        let until = Instant::now() + within;
        let Ok(held) = timeout_at(until, self.shared.memory.admit()).await else {
            let refused = no_memory();
            return Err(Fault::Dead {
                code: refused.code,
                message: refused.message,
            });
        };
        let mut store = self.store(&access, subject, host, held);
        let log = store.data().log.clone();
        let ending = store.data().capabilities.http.ending();
        let task = context::task(task);
        let attempt = async {
            let guest: Activity = self.pre.instantiate_async(&mut store).await?;
            guest
                .tenterhook_plugin_activities()
                .call_execute(&mut store, &task)
                .await
        };
        let ended = timeout_at(until, ending.or(attempt)).await;
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.end();
        let result = match ended {
            Ok(Ok(result)) => context::result(result, limits.payload_bytes),
            Ok(Err(error)) => Err(fault::of(&error, Work::Attempt, &limits, &log.last_words())),
            Err(_) => {
                let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                let (code, message) = fault::deadline(millis);
                Err(Fault::Dead { code, message })
            }
        };
        if let Err(Fault::Dead { code, message }) = &result {
            let Owner { scope, plugin, .. } = &*access.owner;
            let tally = &*self.shared.tally;
            tally.failed(&scope.tenant, plugin, *code, message);
        }
        result
    }
}

impl fmt::Debug for ActivityModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityModule").finish_non_exhaustive()
    }
}

/// The fault of a value that is larger than `limit`.
fn too_large(what: &str, bytes: u64, limit: u64) -> Fault {
    Fault::Dead {
        code: Code::GuestPayloadTooLarge,
        message: format!(
            "{what} has {bytes} bytes, the limit payload_bytes is {limit}: store the value elsewhere and pass a \
             reference to it"
        ),
    }
}
