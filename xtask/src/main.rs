//! `cargo xtask`: everything a newcomer or CI does with this repository, in one command each.
//!
//! Each command does its own set-up, says what it does and why, and does nothing twice. The host
//! is not a dependency: this program has to be there in seconds on a fresh clone.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod examples;
mod guests;
mod host;
mod package;
mod passed;
mod postgres;
mod registry;
mod schemathesis;
mod step;
mod temporal;
mod test;
mod tools;
mod totals;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Sets up, shows, checks and measures Tenterhook.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the host with two tenants' payments on a real Temporal server and tells the story.
    ///
    /// Ends with 0 when the story and the providers' books agree, with 1 when they do not.
    Demo {
        /// Leave host, Temporal and providers running at the end, until Ctrl-C.
        #[arg(long)]
        keep: bool,
    },
    /// Checks everything that CI checks: format, lints, licences, guests, every test, README.
    ///
    /// What passed before on the very same files is not run again. The last line is the sum of all tests: `N passed, N
    /// failed`.
    Test {
        /// Run what passed before too.
        #[arg(long)]
        again: bool,
        /// What to run of `cargo test`, such as `--test standin`; everything when left out.
        #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
        only: Vec<String>,
    },
    /// Measures this host against a native worker; results go to tests/benches/RESULTS.md.
    Bench {
        /// Arguments for the bench itself, after `--`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Builds the guest components into the target folder's `guests/`.
    Guests,
    /// Builds the example plugins in TypeScript and Python beside them, with tools from npm and PyPI.
    Examples,
    /// Finds or installs the `temporal` program and prints its path.
    Temporal,
    /// Formats all code.
    Fmt,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            // One line: what is missing or failed, and every cause.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    match command {
        Command::Demo { keep } => host::demo(&workspace, keep),
        Command::Test { again, only } => test::everything(&workspace, again, &only),
        Command::Bench { arguments } => host::bench(&workspace, &arguments),
        Command::Guests => {
            guests::build(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Examples => {
            examples::build(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Temporal => {
            host::build(&workspace)?;
            println!("{}", temporal::ensure_program(&workspace)?.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Fmt => {
            step::run("format all code", workspace.cargo().args(["fmt", "--all"]))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
