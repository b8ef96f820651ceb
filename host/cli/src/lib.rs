//! The `tenterhook` program: the composition root of a host (`dev`, `serve`), and a client of its API for
//! everything else.
//!
//! Data goes to stdout, all else to stderr. Exit codes: 0 done, 1 failed, 2 used wrongly.

mod arguments;
mod client;
mod column;
mod command;
mod compiler;
mod connection;
mod duration;
mod failure;
pub mod host;
pub mod host_options;
mod input;
mod key_file;
mod log;
mod output;
mod plain;
mod problem;
mod reason;
mod upload;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use crate::{arguments::Arguments, failure::Failure, output::Console};

/// Runs the program with `args`, the first of which is its name, and says what its process exits with.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => {
            // Help and version. A reader that went away has read enough.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return Console::default().fail(&Failure::of_arguments(&error)),
    };
    let console = Console::new(arguments.output);
    match command::run(arguments.command, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => console.fail(&failure),
    }
}
