//! WASI as workflow code sees it: workflow time, seeded randomness, no environment, output to the log.
//!
//! Nothing here waits. What would have to wait traps, because waiting inside an activation stops a thread and
//! cannot be repeated; a workflow waits by Temporal's timers.

mod streams;

use tenterhook_domain::Code;
use tracing::Level;
use wasmtime::component::Resource;

use super::state::WorkflowState;
use crate::{
    fault::{self, Refusal},
    generated::workflow::wasi::{
        cli::{
            environment, exit, stderr, stdin, stdout, terminal_input, terminal_output,
            terminal_stderr, terminal_stdin, terminal_stdout,
        },
        clocks::{monotonic_clock, wall_clock},
        io::{
            error::{self, Error as IoError},
            poll::{self, Pollable},
            streams::{InputStream, OutputStream},
        },
        random::{insecure, insecure_seed, random},
    },
};

/// Bytes of randomness a guest may ask for at once.
const RANDOM_BYTES_MAX: u64 = 1024 * 1024;
/// Nanoseconds in a second.
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Resources here have no state of their own: what they are is their number.
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const READY: u32 = 0;
const NEVER_READY: u32 = 1;

/// What waiting comes to.
fn waiting(what: &str) -> wasmtime::Error {
    Refusal::new(
        Code::GuestCapabilityDenied,
        format!(
            "workflow code called {what}, which would block: sleep and wait by the workflow SDK's timers and \
             conditions instead of std::thread::sleep or blocking I/O, or do it in an activity"
        ),
    )
    .into()
}

impl error::Host for WorkflowState {}

impl error::HostError for WorkflowState {
    fn to_debug_string(&mut self, _: Resource<IoError>) -> wasmtime::Result<String> {
        Ok("an I/O error".to_owned())
    }

    fn drop(&mut self, _: Resource<IoError>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl poll::Host for WorkflowState {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        let ready: Vec<u32> = (0_u32..)
            .zip(&pollables)
            .filter(|(_, pollable)| pollable.rep() == READY)
            .map(|(index, _)| index)
            .collect();
        if ready.is_empty() {
            return Err(waiting("wasi:io/poll#poll"));
        }
        Ok(ready)
    }
}

impl poll::HostPollable for WorkflowState {
    fn ready(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        Ok(pollable.rep() == READY)
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        if pollable.rep() == READY {
            return Ok(());
        }
        Err(waiting("wasi:io/poll#[method]pollable.block"))
    }

    fn drop(&mut self, _: Resource<Pollable>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl environment::Host for WorkflowState {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for WorkflowState {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        self.exit_with_code(u8::from(status.is_err()))
    }

    fn exit_with_code(&mut self, status: u8) -> wasmtime::Result<()> {
        Err(Refusal::new(Code::GuestTrapped, fault::exited(i32::from(status))).into())
    }
}

impl stdin::Host for WorkflowState {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<InputStream>> {
        Ok(Resource::new_own(STDIN))
    }
}

impl stdout::Host for WorkflowState {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<OutputStream>> {
        Ok(Resource::new_own(STDOUT))
    }
}

impl stderr::Host for WorkflowState {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<OutputStream>> {
        Ok(Resource::new_own(STDERR))
    }
}

impl terminal_input::Host for WorkflowState {}

impl terminal_input::HostTerminalInput for WorkflowState {
    fn drop(&mut self, _: Resource<terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl terminal_output::Host for WorkflowState {}

impl terminal_output::HostTerminalOutput for WorkflowState {
    fn drop(&mut self, _: Resource<terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl terminal_stdin::Host for WorkflowState {
    fn get_terminal_stdin(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for WorkflowState {
    fn get_terminal_stdout(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for WorkflowState {
    fn get_terminal_stderr(
        &mut self,
    ) -> wasmtime::Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl monotonic_clock::Host for WorkflowState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.moment.time_nanos)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        let past = when <= self.moment.time_nanos;
        Ok(Resource::new_own(if past { READY } else { NEVER_READY }))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<Pollable>> {
        Ok(Resource::new_own(if duration == 0 {
            READY
        } else {
            NEVER_READY
        }))
    }
}

impl wall_clock::Host for WorkflowState {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let nanos = self.moment.time_nanos;
        Ok(wall_clock::Datetime {
            seconds: nanos / NANOS_PER_SECOND,
            nanoseconds: u32::try_from(nanos % NANOS_PER_SECOND)?,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1,
        })
    }
}

impl WorkflowState {
    fn random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES_MAX {
            self.log.line(
                Level::WARN,
                "host",
                "the guest asked for too much randomness at once",
            );
            return Err(Refusal::new(
                Code::GuestCapabilityDenied,
                format!("workflow code asked for {len} random bytes, {RANDOM_BYTES_MAX} are allowed at once"),
            )
            .into());
        }
        Ok(self.randomness.bytes(usize::try_from(len)?))
    }
}

impl random::Host for WorkflowState {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.randomness.next())
    }
}

impl insecure::Host for WorkflowState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.randomness.next())
    }
}

impl insecure_seed::Host for WorkflowState {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok(self.randomness.hash_seed())
    }
}
