//! Temporal's own host interface, and `wasi:logging`.

use tracing::Level;

use super::state::WorkflowState;
use crate::generated::workflow::{
    temporal::workflow_runtime::{types, workflow_host},
    wasi::logging::logging,
};

impl types::Host for WorkflowState {}

impl workflow_host::Host for WorkflowState {
    fn set_current_details(&mut self, details: String) -> wasmtime::Result<()> {
        Ok(self.set_details(details)?)
    }

    fn push_command(&mut self, command: Vec<u8>) -> wasmtime::Result<()> {
        Ok(WorkflowState::push_command(self, command)?)
    }

    /// A new run takes every patch; whether a replayed one does, Core says by `NotifyHasPatch`.
    fn patch_activation(&mut self, _patch_id: String) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

impl logging::Host for WorkflowState {
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
        self.log.line(level, &context, &message);
        Ok(())
    }
}
