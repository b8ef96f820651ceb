//! The threads that activities run on.
//!
//! A guest that computes gives its thread back every few milliseconds, which is soon enough for other guests and
//! far too late for the many small steps of polling, answering and serving: those stay on the host's own threads.

use tenterhook_domain::{Code, Error, Result};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

/// A Tokio runtime of its own. Dropping it ends what still runs on it, without waiting.
#[derive(Debug)]
pub(super) struct Threads {
    handle: Handle,
    /// Nothing only while it is dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// `internal` when the system gives none.
    pub(super) fn start(threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("activities")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(Code::Internal, "the system gives no threads for activities")
                    .caused_by(error)
            })?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs `attempt` here.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        attempt: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(attempt)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime that is dropped within another one waits for its threads, and panics for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
