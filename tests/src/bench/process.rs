//! Worker processes under measurement, and what the kernel knows of a process.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use crate::host;

/// Ticks a second in `/proc/PID/stat`: `USER_HZ`, which Linux shows as 100 on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that ends with this one. Dropping it kills it.
#[derive(Debug)]
pub struct WorkerProcess {
    child: Child,
    log: PathBuf,
}

impl WorkerProcess {
    /// Starts `command` with its output in `log`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(log).with_context(|| format!("{} cannot be made", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        host::die_with_us(&mut command);
        let program = command.get_program().to_owned();
        let child = host::spawn_from_lasting_thread(command)
            .with_context(|| format!("{} does not start", program.display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Nothing while it runs.
    ///
    /// # Errors
    /// Its log, once it ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            anyhow::bail!("a worker ended ({status}):\n{log}");
        }
        Ok(())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU that a process used so far, user and system, in milliseconds; exact to 10.
///
/// # Errors
/// When there is no such process.
pub fn cpu_millis(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything, spaces and brackets too.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("/proc/PID/stat has another form")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || -> anyhow::Result<f64> {
        Ok(fields.next().context("/proc/PID/stat is short")?.parse()?)
    };
    Ok((ticks()? + ticks()?) * 1_000.0 / TICKS_PER_SECOND)
}

/// Memory that is a process's own, in KiB: pages it wrote and shares with nobody. Pages of code and of
/// the shared memory image of a component are not counted, however many instances show them.
///
/// # Errors
/// When there is no such process.
pub fn private_dirty_kib(pid: u32) -> anyhow::Result<f64> {
    of_rollup(pid, "Private_Dirty:")
}

/// Resident memory of a process in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_kib(pid: u32) -> anyhow::Result<f64> {
    of_rollup(pid, "Rss:")
}

fn of_rollup(pid: u32, field: &str) -> anyhow::Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.starts_with(field));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(value
        .with_context(|| format!("/proc/PID/smaps_rollup has no {field}"))?
        .parse()?)
}
