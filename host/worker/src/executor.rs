//! Plain threads that run workflow code. Guests are called synchronously and may compute for a while, so they
//! never run on a Tokio worker.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use tenterhook_domain::{Code, Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Guest frames live on these stacks: wasmtime's own limit plus room for the host's frames.
const STACK_BYTES: usize = 4 * 1024 * 1024;

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads. Dropping it lets them finish what is queued.
pub(crate) struct Executor {
    queue: Arc<Queue>,
}

impl Executor {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// `internal` when the system gives no thread.
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let queue = Arc::new(Queue::default());
        let executor = Self {
            queue: queue.clone(),
        };
        for number in 0..threads {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("workflow-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&queue))
                .map_err(|error| {
                    Error::new(Code::Internal, "the system gives no thread for workflows")
                        .caused_by(error)
                })?;
        }
        Ok(executor)
    }

    /// Queues `job`. The queue is bounded by Core: one activation a run, and a fixed number of tasks at once.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        self.queue.lock().jobs.push_back(Box::new(job));
        self.queue.more.notify_one();
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.more.notify_all();
    }
}

fn work(queue: &Queue) {
    while let Some(job) = queue.next() {
        // A job catches its own panics and answers for them; this keeps the thread if one slips by.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!(code = %Code::Internal, "a workflow job panicked outside its guard");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panicking_job_costs_no_thread() {
        let executor = Executor::start(1).expect("threads");
        let (sender, receiver) = mpsc::channel();
        executor.submit(|| panic!("on purpose"));
        executor.submit(move || sender.send(1).expect("the test listens"));
        assert_eq!(receiver.recv(), Ok(1));
    }
}
