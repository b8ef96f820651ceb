//! One child process that cannot outlive this one.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::{oneshot, watch};

/// How long the child may take to end by itself after SIGTERM.
const TERMINATE_WITHIN: Duration = Duration::from_secs(10);

/// A running child. Dropping it kills the process.
///
/// A thread of its own forks the child and waits for it. That is more than convenience: Linux
/// sends the parent-death signal when the *thread* that forked ends, so the child must be forked
/// by a thread that is there for as long as the child is. A thread of Tokio's gives no such promise.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// `None` once the process is reaped and its id may be another's.
    alive: Arc<Mutex<Option<Pid>>>,
    exit: watch::Receiver<Option<String>>,
}

impl Child {
    /// Runs `command` with its output going to `log`.
    pub(crate) async fn spawn(mut command: Command, log: File) -> io::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C at the terminal is for the host, which drains and then stops the child.
            .process_group(0);
        die_with_this_process(&mut command);
        let alive = Arc::new(Mutex::new(None));
        let (exit_sender, exit) = watch::channel(None);
        let (started_sender, started) = oneshot::channel();
        let shared = Arc::clone(&alive);
        std::thread::Builder::new()
            .name("temporal-child".to_owned())
            .spawn(move || run(command, &shared, started_sender, &exit_sender))?;
        let pid = started
            .await
            .map_err(|_| io::Error::other("the thread of the child ended"))??;
        Ok(Self { pid, alive, exit })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Waits until the process has ended, and says how.
    pub(crate) async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|how| how.clone())
            .unwrap_or_else(|| "its thread ended".to_owned())
    }

    /// Asks the process to end, and ends it when it has not within the time it has.
    pub(crate) async fn terminate(&self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(TERMINATE_WITHIN, self.exited())
            .await
            .is_err()
        {
            tracing::warn!(
                pid = self.id(),
                "Temporal did not end in time and is killed"
            );
            self.kill().await;
        }
    }

    /// Ends the process at once. Its file is a write-ahead log: nothing committed is lost.
    pub(crate) async fn kill(&self) {
        self.signal(Signal::KILL);
        self.exited().await;
    }

    fn signal(&self, signal: Signal) {
        // Under the lock the process is not reaped, so the id is still its own.
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *alive {
            // The only failure left is that it ended meanwhile, which is what is wanted.
            rustix::process::kill_process(pid, signal).ok();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// The thread: forks, waits, reaps.
fn run(
    mut command: Command,
    alive: &Mutex<Option<Pid>>,
    started: oneshot::Sender<io::Result<Pid>>,
    exit: &watch::Sender<Option<String>>,
) {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            // The receiver is gone only when nobody waits for the start any more.
            started.send(Err(error)).ok();
            return;
        }
    };
    let pid = Pid::from_child(&child);
    *alive.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
    if started.send(Ok(pid)).is_err() {
        // Whoever asked for the child gave up before it was there: nobody else could end it.
        child.kill().ok();
    }
    // Wait without reaping, so that the id stays the child's until signals are locked out.
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), ended) {}
    let mut alive = alive.lock().unwrap_or_else(PoisonError::into_inner);
    let how = child
        .wait()
        .map_or_else(|error| error.to_string(), describe);
    *alive = None;
    exit.send_replace(Some(how));
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}

/// Has the kernel kill the child when the thread that forks it ends, however that comes.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "pre_exec has no safe form")]
fn die_with_this_process(command: &mut Command) {
    let host = rustix::process::getpid();
    // SAFETY: between fork and exec of a process with threads only async-signal-safe calls are
    // allowed. The closure makes two plain system calls (prctl, getppid) and builds errors from
    // numbers: it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The host may have died before the line above; then the signal will never come.
            if rustix::process::getppid() != Some(host) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        });
    }
}

/// Elsewhere there is no such signal: a host that is killed leaves its server behind.
#[cfg(not(target_os = "linux"))]
fn die_with_this_process(_command: &mut Command) {}
