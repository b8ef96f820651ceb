//! `cargo xtask test`: everything that CI checks, cheap checks first.

use std::process::{Command, ExitCode};

use crate::totals::Totals;
use crate::workspace::Workspace;
use crate::{examples, guests, host, postgres, registry, schemathesis, step, temporal, tools};

/// The script that runs README's commands.
const README_CHECK: &str = "tests/readme";

/// Runs every check; `only` narrows what `cargo test` runs.
pub(crate) fn everything(workspace: &Workspace, only: &[String]) -> anyhow::Result<ExitCode> {
    let mut cargo = workspace.cargo();
    step::run("check the format", cargo.args(["fmt", "--all", "--check"]))?;
    tools::ensure_wasm_target(workspace)?;
    tools::ensure_c_compiler()?;
    lints(workspace)?;
    licences(workspace)?;
    guests::build(workspace)?;
    examples::build(workspace)?;
    host::build(workspace)?;
    temporal::ensure_program(workspace)?;
    postgres::ensure()?;
    registry::ensure()?;

    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(only);
    // The tests start servers of their own, kill them, and need them empty.
    cargo.env_remove(temporal::ADDRESS);
    let mut totals = Totals::default();
    let status = step::run_read("run the tests", &mut cargo, |line| totals.read(line))?;
    let mut passed = status.success() && totals.failed == 0;

    let mut check = Command::new(workspace.root.join(README_CHECK));
    check.current_dir(&workspace.root);
    let status = step::run_read("run README's commands", &mut check, |line| {
        totals.read(line)
    })?;
    passed &= status.success();

    match schemathesis::run(workspace) {
        Ok(()) => totals.passed += 1,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            totals.failed += 1;
            passed = false;
        }
    }
    println!("{totals}");
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lints(workspace: &Workspace) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]);
    step::run("check the lints", &mut cargo)
}

fn licences(workspace: &Workspace) -> anyhow::Result<()> {
    let deny = tools::ensure_cargo_deny(workspace)?;
    let mut command = Command::new(deny);
    // Crates that name their licence only by its file are no finding: the file is read.
    command.args([
        "--workspace",
        "check",
        "--allow",
        "no-license-field",
        "--hide-inclusion-graph",
    ]);
    command.args(["licenses", "bans", "sources"]);
    step::run(
        "check licences, bans and sources of all dependencies",
        command.current_dir(&workspace.root),
    )
}
