//! Building the host and running the programs that show and measure it.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::workspace::Workspace;
use crate::{guests, postgres, step, temporal, tools};

/// Builds the host and every other program of the workspace.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    tools::ensure_c_compiler()?;
    // The whole workspace at once, as the tests do: another selection would unify features
    // differently and build everything twice.
    let what =
        "build the host (the first time this takes minutes: wasmtime, Temporal's core, SQLite)";
    step::run(
        what,
        workspace.cargo().args(["build", "--workspace", "--bins"]),
    )
}

/// Sets everything up and tells the story.
pub(crate) fn demo(workspace: &Workspace, keep: bool) -> anyhow::Result<ExitCode> {
    let mut demo = prepare(workspace, "demo")?;
    if keep {
        demo.arg("--keep");
    }
    step::say("run the demo");
    finish(&mut demo)
}

/// Sets everything up and measures.
pub(crate) fn bench(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    postgres::ensure()?;
    guests::build_measured(workspace)?;
    let mut bench = prepare(workspace, "bench")?;
    bench.args(arguments);
    step::say("run the bench");
    finish(&mut bench)
}

/// All set-up for a program of `tests/src/bin`, and the command that runs it.
fn prepare(workspace: &Workspace, program: &str) -> anyhow::Result<Command> {
    guests::build(workspace)?;
    build(workspace)?;
    temporal::ensure(workspace)?;
    let mut command = Command::new(workspace.binary(program));
    command.current_dir(&workspace.root);
    Ok(command)
}

/// Passes the program's own exit code on.
fn finish(command: &mut Command) -> anyhow::Result<ExitCode> {
    let program = command.get_program().to_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
