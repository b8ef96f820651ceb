//! One step of a command: said before, timed, and its failure in one line.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How often a silent step says that it still runs.
const STILL_EVERY: Duration = Duration::from_secs(15);

/// Says what is done, and why where that is not plain.
pub(crate) fn say(what: &str) {
    eprintln!("==> {what}");
}

/// Runs a step whose own output shows its progress; a failed step is an error.
pub(crate) fn run(what: &str, command: &mut Command) -> anyhow::Result<()> {
    say(what);
    let begun = Instant::now();
    let status = command.status().with_context(|| not_started(command))?;
    ended(what, status, begun)
}

/// Runs a step that is silent for long, saying now and then that it still runs.
pub(crate) fn run_silent(what: &str, command: &mut Command) -> anyhow::Result<()> {
    say(what);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| not_started(command))?;
    let (ended_sender, ended_receiver) = channel();
    let status = thread::scope(|scope| {
        scope.spawn(move || {
            // A disconnected channel says that the step ended.
            while ended_receiver.recv_timeout(STILL_EVERY) == Err(RecvTimeoutError::Timeout) {
                eprintln!("    still running, {} s", begun.elapsed().as_secs());
            }
        });
        let status = child.wait();
        drop::<std::sync::mpsc::Sender<()>>(ended_sender);
        status
    });
    ended(what, status.context("cannot wait for it")?, begun)
}

/// Runs a step, passing its standard output on as it comes and handing every line to `read`.
pub(crate) fn run_read(
    what: &str,
    command: &mut Command,
    mut read: impl FnMut(&str),
) -> anyhow::Result<ExitStatus> {
    say(what);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| not_started(command))?;
    let output = child.stdout.take().context("its output is not piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read its output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        read(&line);
    }
    child.wait().context("cannot wait for it")
}

/// What a command answers on standard output; `None` when it cannot be run or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn not_started(command: &Command) -> String {
    format!("cannot run {:?}", command.get_program())
}

fn ended(what: &str, status: ExitStatus, begun: Instant) -> anyhow::Result<()> {
    if !status.success() {
        bail!("this step failed ({status}): {what}");
    }
    eprintln!("    done in {:.1} s", begun.elapsed().as_secs_f32());
    Ok(())
}
