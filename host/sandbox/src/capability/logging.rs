//! `wasi:logging`: lines with a level, into the host's log under the attempt's labels. Needs no grant.

use std::sync::{Arc, PoisonError};

use tracing::Level;
use wasmtime::component::{HasSelf, Linker};

use super::{Capability, Shared, SharedLog};
use crate::{
    activity::{ActivityAccess, ActivityState},
    generated::activity::wasi::logging::logging,
};

/// The log of one attempt.
pub(crate) struct Logging {
    log: SharedLog,
}

impl Capability for Logging {
    fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
        logging::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)
    }

    fn instance_state(_: &ActivityAccess, _: &Arc<Shared>, log: &SharedLog) -> Self {
        Self { log: log.clone() }
    }
}

impl logging::Host for ActivityState {
    fn log(
        &mut self,
        level: logging::Level,
        context: String,
        message: String,
    ) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => Level::TRACE,
            logging::Level::Debug => Level::DEBUG,
            logging::Level::Info => Level::INFO,
            logging::Level::Warn => Level::WARN,
            logging::Level::Error | logging::Level::Critical => Level::ERROR,
        };
        self.capabilities
            .logging
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .line(level, &context, &message);
        Ok(())
    }
}
