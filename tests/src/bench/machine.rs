//! Where and when the figures were taken.

use std::{fs, process::Command};

use anyhow::{Context as _, ensure};

/// Who runs on which of the machine's cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// The server has one of its own, and workers and starter the others: as where the server is another machine's, it is
    /// what limits both sides, and its CPU a workflow is no matter of who worked beside it.
    Apart,
    /// Everybody on all of them: what the worker takes more, the server has less.
    Shared,
}

impl Cores {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Shared => "shared",
        }
    }

    /// Places the process `server` and the processes `others`, with all their threads.
    ///
    /// # Errors
    /// When the machine has one core only, or `taskset` (util-linux) is missing or fails.
    pub(super) fn place(self, server: u32, others: &[u32]) -> anyhow::Result<()> {
        let last = cores() - 1;
        let (servers, rest) = match self {
            Self::Apart => {
                ensure!(
                    last > 0,
                    "the server cannot have a core of its own on a machine with one"
                );
                ("0".to_owned(), format!("1-{last}"))
            }
            Self::Shared => (format!("0-{last}"), format!("0-{last}")),
        };
        bind(server, &servers)?;
        others.iter().try_for_each(|process| bind(*process, &rest))
    }
}

/// Lets all threads of `process`, and those that they will start, run on `cores` (`1-3`) alone.
fn bind(process: u32, cores: &str) -> anyhow::Result<()> {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--pid", "--cpu-list", cores]);
    let output = taskset
        .arg(process.to_string())
        .output()
        .context("taskset does not run: it is in the package util-linux")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "taskset for {process}: {words}");
    Ok(())
}

fn cores() -> usize {
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let each = cores.lines().filter(|line| line.starts_with("processor"));
    each.count().max(1)
}

/// The processor, the cores, the memory and the kernel, in one line.
pub(super) fn describe() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name")
        .unwrap_or_else(|| "unknown processor".to_owned());
    let cores = cores();
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{processor}, {cores} cores, {memory}, Linux {}",
        kernel.trim()
    )
}

/// The load of the last minute: others' work on the machine makes every absolute figure worse.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

/// Today, `2026-11-21`.
pub(super) fn today() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    date.map(|date| String::from_utf8_lossy(&date.stdout).trim().to_owned())
        .unwrap_or_default()
}
