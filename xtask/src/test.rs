//! `cargo xtask test`: everything that CI checks, cheap checks first.

use std::process::{Command, ExitCode};
use std::thread;

use anyhow::anyhow;

use crate::passed::Passed;
use crate::totals::Totals;
use crate::workspace::Workspace;
use crate::{examples, guests, host, postgres, registry, schemathesis, step, temporal, tools};

/// The script that runs README's commands.
const README_CHECK: &str = "tests/readme";

/// Runs every check that did not pass before on the same files, or, with `again`, every one; `only` narrows what `cargo
/// test` runs, which is run always then.
pub(crate) fn everything(
    workspace: &Workspace,
    again: bool,
    only: &[String],
) -> anyhow::Result<ExitCode> {
    let passed = Passed::look(workspace, again)?;
    let free_of = |run: fn(&Workspace) -> anyhow::Result<()>| {
        move || run(workspace).map(|()| Totals::default())
    };
    passed.check("format", free_of(format))?;
    tools::ensure_wasm_target(workspace)?;
    tools::ensure_c_compiler()?;
    passed.check("lints", free_of(lints))?;
    passed.check("licences", free_of(licences))?;
    guests::build(workspace)?;
    examples::build(workspace)?;
    host::build(workspace)?;
    temporal::ensure_program(workspace)?;
    postgres::ensure()?;
    registry::ensure()?;

    let mut totals = Totals::default();
    totals.add(if only.is_empty() {
        passed.check("tests", || tests(workspace, only))?
    } else {
        tests(workspace, only)?
    });
    // The one compiles, the other has its time, most of which it waits for its host.
    thread::scope(|scope| {
        let api =
            scope.spawn(|| passed.check("schemathesis", || Ok(one(schemathesis::run(workspace)))));
        totals.add(passed.check("readme", || readme(workspace))?);
        let api = api.join();
        totals.add(api.map_err(|_| anyhow!("the check of the API panicked"))??);
        anyhow::Ok(())
    })?;
    println!("{totals}");
    Ok(if totals.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn format(workspace: &Workspace) -> anyhow::Result<()> {
    let mut cargo = workspace.cargo();
    step::run("check the format", cargo.args(["fmt", "--all", "--check"]))
}

fn tests(workspace: &Workspace, only: &[String]) -> anyhow::Result<Totals> {
    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(only);
    // The tests start servers of their own, kill them, and need them empty.
    cargo.env_remove(temporal::ADDRESS);
    read_totals("run the tests", &mut cargo)
}

fn readme(workspace: &Workspace) -> anyhow::Result<Totals> {
    let mut check = Command::new(workspace.root.join(README_CHECK));
    check.current_dir(&workspace.root);
    read_totals("run README's commands", &mut check)
}

/// Adds up what a step says of its tests. One that ends badly without a word of it has failed once.
fn read_totals(what: &str, command: &mut Command) -> anyhow::Result<Totals> {
    let mut totals = Totals::default();
    let status = step::run_read(what, command, |line| totals.read(line))?;
    if !status.success() && totals.failed == 0 {
        eprintln!("xtask: this step failed ({status}): {what}");
        totals.failed = 1;
    }
    Ok(totals)
}

/// A step that is one test.
fn one(result: anyhow::Result<()>) -> Totals {
    let failed = result
        .map_err(|error| eprintln!("xtask: {error:#}"))
        .is_err();
    Totals {
        passed: u64::from(!failed),
        failed: u64::from(failed),
    }
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
