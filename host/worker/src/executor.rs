//! Plain threads that run guests, and share their time fairly between tenants.
//!
//! Guests compute for a while, so they never run on a Tokio worker: polling, answering and serving are many small
//! steps that must not wait for them. Workflows are called synchronously, an activation at a time; activities are
//! futures that give the thread back at every tick, and queue again like everybody else.
//!
//! An activation cannot be interrupted, and may take seconds before its fuel is used up. So who keeps a thread for
//! more than a [`SLICE`] loses it: another thread takes its place among those that serve the queue, and the one with
//! the long job goes on at a low priority, beside them (`executor/overtime.rs`).

mod overtime;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use async_task::{FallibleTask, Runnable};
use tenterhook_domain::{Code, Error, Result};
use tenterhook_sandbox::processor;
use tokio::runtime::Handle;

use self::overtime::Overtime;
pub(crate) use self::overtime::{Priority, Thread};
use crate::fair::{FairQueue, Flow, Turn};

type Job = Box<dyn FnOnce() + Send>;

/// Guest frames live on these stacks: wasmtime's own limit plus room for the host's frames.
pub(crate) const STACK_BYTES: usize = 4 * 1024 * 1024;
/// A job that takes more processor time does not keep others from the queue any more.
const SLICE: Duration = Duration::from_millis(10);
/// A future that has taken so much processor time in all goes on in the background: a twentieth of a second.
const LONG_NANOS: u64 = 50_000_000;

struct Queue {
    name: &'static str,
    priority: Priority,
    state: Mutex<State>,
    /// There is more to do, or something is allowed now.
    more: Condvar,
    /// Something runs, and nobody watches yet.
    started: Condvar,
    /// What jobs find as the current Tokio runtime.
    runtime: Option<Handle>,
}

#[derive(Default)]
struct State {
    jobs: FairQueue<Job>,
    running: HashMap<u64, Running>,
    started: u64,
    /// The thread that looks after long jobs is up, and looks again without being told.
    watched: bool,
    overtime: Overtime,
    closed: bool,
}

/// A job under way.
struct Running {
    turn: Turn,
    began: Instant,
    /// The processor time that its thread had taken before, in nanoseconds.
    cpu_before: u64,
    thread: Thread,
    in_overtime: bool,
}

impl Queue {
    fn start(name: &'static str, threads: usize, priority: Priority) -> Result<Arc<Self>> {
        let threads = threads.max(1);
        let state = State {
            overtime: Overtime::of(threads),
            ..State::default()
        };
        let queue = Arc::new(Self {
            name,
            priority,
            state: Mutex::new(state),
            more: Condvar::new(),
            started: Condvar::new(),
            runtime: Handle::try_current().ok(),
        });
        for _ in 0..threads {
            spawn(&queue, work)?;
        }
        spawn(&queue, overtime::watch)?;
        Ok(queue)
    }

    /// Lets the threads end once they have done what is queued.
    fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
        self.started.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job. Once the threads are to end it is dropped: nobody would run it.
    fn push(&self, flow: &Flow, job: Job) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return drop(job);
        }
        state.jobs.push(flow, job);
        drop(state);
        self.more.notify_one();
    }

    /// The next job, with its number. None when there will be no more.
    fn next(&self, thread: Thread) -> Option<(u64, Job)> {
        let mut state = self.lock();
        loop {
            if let Some((turn, job)) = state.pop() {
                return Some((self.enter(&mut state, turn, thread), job));
            }
            if state.closed && state.jobs.is_empty() {
                return None;
            }
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn enter(&self, state: &mut State, turn: Turn, thread: Thread) -> u64 {
        if !state.watched {
            state.watched = true;
            self.started.notify_one();
        }
        state.started += 1;
        let number = state.started;
        let running = Running {
            turn,
            began: Instant::now(),
            cpu_before: cpu_nanos(),
            thread,
            in_overtime: false,
        };
        state.running.insert(number, running);
        number
    }

    /// Settles a job that ran on this thread. True if the thread was replaced meanwhile, and is to end.
    fn done(&self, number: u64) -> bool {
        let cpu = cpu_nanos();
        let mut state = self.lock();
        let Some(running) = state.running.remove(&number) else {
            return false;
        };
        if running.in_overtime {
            state.overtime.end(running.turn.tenant());
        }
        // What its tenant has waiting may go on now, or there is nothing more to wait for.
        if running.in_overtime || state.closed {
            self.more.notify_all();
        }
        let nanos = cpu.saturating_sub(running.cpu_before);
        state.jobs.settle(running.turn, nanos);
        running.in_overtime
    }
}

impl State {
    fn pop(&mut self) -> Option<(Turn, Job)> {
        let overtime = &self.overtime;
        self.jobs.pop(|tenant| overtime.allows(tenant))
    }
}

/// The threads. Dropping it lets them finish what is queued; futures that are not done then are dropped.
pub(crate) struct Executor {
    queue: Arc<Queue>,
    /// For futures that compute for long; where there is none they stay with the others.
    background: Option<Arc<Queue>>,
}

impl Executor {
    /// Starts `threads` threads of this name. What they run finds the Tokio runtime that this is called in, where
    /// there is one.
    ///
    /// # Errors
    /// `internal` when the system gives no thread.
    pub(crate) fn start(name: &'static str, threads: usize) -> Result<Self> {
        Ok(Self {
            queue: Queue::start(name, threads, Priority::Normal)?,
            background: None,
        })
    }

    /// The same for futures, with as many threads more, at a low priority, for those that compute for long.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_for_futures(name: &'static str, threads: usize) -> Result<Self> {
        let mut executor = Self::start(name, threads)?;
        executor.background = Some(Queue::start(name, threads, Priority::Background)?);
        Ok(executor)
    }

    /// Queues `job`. The queue is bounded by Core: one activation a run, and a fixed number of tasks at once.
    pub(crate) fn submit(&self, flow: &Flow, job: impl FnOnce() + Send + 'static) {
        self.queue.push(flow, Box::new(job));
    }

    /// Runs a future, which takes its turn each time it can go on. Dropping the task drops the future; the task is
    /// nothing when the future panicked, or the threads ended before it did.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        flow: Flow,
        future: impl Future<Output = T> + Send + 'static,
    ) -> FallibleTask<T> {
        let quick = self.queue.clone();
        let long = self.background.clone().unwrap_or_else(|| quick.clone());
        let taken = Arc::new(AtomicU64::new(0));
        let schedule = move |runnable: Runnable| {
            let quick_yet = taken.load(Ordering::Relaxed) < LONG_NANOS;
            let taken = taken.clone();
            let job = move || {
                let before = cpu_nanos();
                runnable.run();
                taken.fetch_add(cpu_nanos().saturating_sub(before), Ordering::Relaxed);
            };
            let queue = if quick_yet { &quick } else { &long };
            queue.push(&flow, Box::new(job));
        };
        let (runnable, task) = async_task::spawn(future, schedule);
        runnable.schedule();
        task.fallible()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.queue.close();
        self.background.iter().for_each(|queue| queue.close());
    }
}

/// Starts a thread that does `what` with the queue.
fn spawn(queue: &Arc<Queue>, what: fn(&Arc<Queue>)) -> Result<()> {
    let queue = queue.clone();
    let name = queue.name;
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES);
    let started = thread.spawn(move || what(&queue));
    started.map(drop).map_err(|error| {
        let message = format!("the system gives no thread for {name}");
        Error::new(Code::Internal, message).caused_by(error)
    })
}

fn work(queue: &Arc<Queue>) {
    let thread = Thread::current();
    thread.set_priority(queue.priority);
    let _within = queue.runtime.as_ref().map(Handle::enter);
    while let Some((number, job)) = queue.next(thread) {
        // A job catches its own panics and answers for them; this keeps the thread if one slips by.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!(code = %Code::Internal, "a guest's job panicked outside its guard");
        }
        if queue.done(number) {
            return;
        }
    }
}

/// Processor time that this thread has taken, in nanoseconds.
fn cpu_nanos() -> u64 {
    u64::try_from(processor::time_taken().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "executor/tests.rs"]
mod tests;
