//! An attempt that the host ends for what the guest asked of a capability, under the refusal's code.

use std::sync::OnceLock;

use tokio::sync::Notify;

use crate::fault::Refusal;

/// Whether an attempt is ended, and why.
#[derive(Default)]
pub(crate) struct Ending {
    refusal: OnceLock<Refusal>,
    said: Notify,
}

impl Ending {
    /// Ends the attempt. The first reason stays.
    pub(crate) fn end(&self, refusal: Refusal) {
        // A second reason is no news.
        let _ = self.refusal.set(refusal);
        self.said.notify_one();
    }

    /// What `attempt` comes to, unless it is ended: then the refusal, whatever the guest made of it.
    pub(crate) async fn or<T>(
        &self,
        attempt: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        let ended = tokio::select! {
            biased;
            () = self.said.notified() => Err(wasmtime::Error::msg("the attempt was ended")),
            ended = attempt => ended,
        };
        match self.refusal.get() {
            Some(refusal) => Err(refusal.clone().into()),
            None => ended,
        }
    }
}
