//! Compiling components: in a child process, so that one that makes the compiler eat the machine ends a child and
//! not the host.
//!
//! The child is this host's own program. It is given the component over a socket, bounds itself before it reads it
//! (`child`), and answers with the compiled code, which the host writes, hashes and loads as its own.

mod child;
mod frame;

use std::{
    ffi::OsString,
    io::{self, Read as _},
    os::{
        fd::OwnedFd,
        unix::{
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    panic::resume_unwind,
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use bytes::Bytes;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tenterhook_domain::{Code, Error, Result, limit};

pub use self::child::compile_stdin;
use self::frame::Wire;
use crate::engine::{Engines, Kind};

/// Most memory that the compiler of one component may have, in bytes.
pub const COMPILE_MEMORY_BYTES_MAX: u64 = limit::COMPILE_MEMORY_BYTES;
/// Most processor time of it, all cores together, in milliseconds.
pub const COMPILE_CPU_MILLIS_MAX: u64 = limit::COMPILE_CPU_MILLIS;
/// Most wall time of it, in milliseconds: more than its processor time, for it gives way to the host's own work.
pub const COMPILE_MILLIS_MAX: u64 = limit::COMPILE_MILLIS;
/// How often a child is started for one component when something else than its limits ends it.
const CHILDREN_MAX: usize = 2;
/// Most bytes of compiled code of one kind.
const COMPILED_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Most bytes of what a child says of itself that are read.
const WORDS_BYTES_MAX: u64 = 4096;
/// What Rust says before it ends a process that has no memory left.
const NO_MEMORY: &str = "memory allocation of";

/// Compiled code by kind.
pub(crate) type Codes = Vec<(Kind, Bytes)>;

/// The program that compiles in a child process, and what it may use.
#[derive(Debug, Clone)]
pub struct CompilerCommand {
    /// The program: one that calls [`compile_stdin`].
    pub program: PathBuf,
    /// What it is called with.
    pub arguments: Vec<OsString>,
    /// What one component may use.
    pub limits: CompileLimits,
}

/// What the compilation of one component may use.
#[derive(Debug, Clone, Copy)]
pub struct CompileLimits {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Processor time, all cores together, in milliseconds; kept to the second above.
    pub cpu_millis: u64,
    /// Wall time, in milliseconds.
    pub millis: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            memory_bytes: COMPILE_MEMORY_BYTES_MAX,
            cpu_millis: COMPILE_CPU_MILLIS_MAX,
            millis: COMPILE_MILLIS_MAX,
        }
    }
}

/// What a child is to do; the component follows.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// The process that asks: a child whose parent is another one was orphaned.
    parent: u32,
    kinds: Vec<Kind>,
    memory_bytes: u64,
    cpu_millis: u64,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// The code of each kind follows, in the order's order.
    Compiled,
    /// The component does not compile.
    Refused(String),
}

/// How a child ended.
enum Outcome {
    Answered(Codes),
    /// Something from outside ended it.
    Killed(String),
}

/// Who compiles.
#[derive(Debug)]
pub(crate) enum Compiler {
    /// This process: for tests, and for components that one trusts.
    InProcess,
    /// A child process a component.
    Child(CompilerCommand),
}

impl Compiler {
    /// Compiles `component` for each of `kinds`. Blocks.
    ///
    /// # Errors
    /// `component-compile-failed`, saying which limit where it is one; `internal` when no child can do it.
    pub(crate) fn compile(
        &self,
        engines: &Engines,
        kinds: &[Kind],
        component: &[u8],
    ) -> Result<Codes> {
        let command = match self {
            Self::InProcess => {
                let compile = |kind| engines.of(kind).precompile_component(component);
                return side_by_side(kinds, compile).map_err(|error| refused(format!("{error:#}")));
            }
            Self::Child(command) => command,
        };
        let mut how = String::new();
        for _ in 0..CHILDREN_MAX {
            match command.run(kinds, component)? {
                Outcome::Answered(codes) => return Ok(codes),
                Outcome::Killed(signal) => how = signal,
            }
            tracing::warn!(how, "a compiler was ended from outside");
        }
        Err(failed(format!(
            "{CHILDREN_MAX} compilers were ended from outside before they answered ({how})"
        )))
    }
}

/// Compiles for all `kinds` at once: a compiler works on a component's functions side by side, and before and after
/// those alone.
fn side_by_side<E: Send>(
    kinds: &[Kind],
    compile: impl Fn(Kind) -> Result<Vec<u8>, E> + Sync,
) -> Result<Codes, E> {
    let compile = &compile;
    thread::scope(|scope| {
        let threads = kinds
            .iter()
            .map(|&kind| (kind, scope.spawn(move || compile(kind))));
        let threads: Vec<_> = threads.collect();
        let codes = threads.into_iter().map(|(kind, thread)| {
            let code = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok((kind, code?.into()))
        });
        codes.collect()
    })
}

impl CompilerCommand {
    /// Starts a child, gives it the component and waits for its answer.
    ///
    /// The thread that calls this forks the child and waits for it to end: Linux takes the death of the thread that
    /// forked for the death of the parent.
    fn run(&self, kinds: &[Kind], component: &[u8]) -> Result<Outcome> {
        let not_started = |error: io::Error| {
            failed(format!(
                "no compiler can be started: {}",
                self.program.display()
            ))
            .caused_by(error)
        };
        let (ours, theirs) = UnixStream::pair().map_err(not_started)?;
        let mut child = self.spawn(theirs).map_err(not_started)?;
        let order = Order {
            parent: std::process::id(),
            kinds: kinds.to_vec(),
            memory_bytes: self.limits.memory_bytes,
            cpu_millis: self.limits.cpu_millis,
        };
        let mut wire = Wire::new(ours, Some(Duration::from_millis(self.limits.millis)));
        let answered = talk(&mut wire, &order, component);
        // What it still does after its answer, or without one, nobody waits for.
        let (status, words) = child.end().map_err(not_started)?;
        match answered {
            Ok((Answer::Compiled, codes)) => Ok(Outcome::Answered(codes)),
            Ok((Answer::Refused(why), _)) => Err(self.refusal(&why)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(refused(format!(
                "the compiler needs more than {} ms (limit compile_millis, the same for all): {SMALLER}",
                self.limits.millis
            ))),
            Err(error) => self.read_death(status, &words, error),
        }
    }

    fn spawn(&self, theirs: UnixStream) -> io::Result<Reaped> {
        Command::new(&self.program)
            .arg0("tenterhook")
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is for the host.
            .process_group(0)
            .spawn()
            .map(Reaped)
    }

    /// What it means that a child ended without an answer. Its own limits and faults come back with the same
    /// component; a signal from outside, the machine's lack of memory among them, may not.
    fn read_death(&self, status: ExitStatus, words: &str, error: io::Error) -> Result<Outcome> {
        let Some(signal) = status.signal() else {
            let detail = format!("the compiler ended without an answer ({status}): {words}");
            return Err(failed(detail).caused_by(error));
        };
        let is = |other: Signal| signal == other.as_raw();
        if is(Signal::XCPU) {
            return Err(refused(format!(
                "the compiler needs more than {} ms of processor time (limit compile_cpu_millis, the same for all): {SMALLER}",
                self.limits.cpu_millis
            )));
        }
        let own = [
            Signal::ABORT,
            Signal::SEGV,
            Signal::BUS,
            Signal::ILL,
            Signal::FPE,
        ];
        if own.into_iter().any(is) {
            return Err(self.refusal(words));
        }
        Ok(Outcome::Killed(status.to_string()))
    }

    /// The compiler gave up, for the reason `why`.
    fn refusal(&self, why: &str) -> Error {
        if why.contains(NO_MEMORY) || why.contains("Cannot allocate memory") {
            return refused(format!(
                "the compiler needs more than {} bytes of memory (limit compile_memory_bytes, the same for all): {SMALLER}",
                self.limits.memory_bytes
            ));
        }
        refused(why)
    }
}

/// What an author can do about a component that is too much for the compiler.
const SMALLER: &str = "split large functions, or leave out what the plugin does not use";

fn talk(wire: &mut Wire, order: &Order, component: &[u8]) -> io::Result<(Answer, Codes)> {
    wire.write_value(order)?;
    wire.write(component)?;
    let answer = wire.read_value()?;
    let mut codes = Codes::new();
    if matches!(answer, Answer::Compiled) {
        for &kind in &order.kinds {
            codes.push((kind, wire.read(COMPILED_BYTES_MAX)?.into()));
        }
    }
    Ok((answer, codes))
}

/// A child that does not outlive what is asked of it.
struct Reaped(Child);

impl Reaped {
    /// Ends the child, if it has not ended by itself, and reads what it said.
    fn end(&mut self) -> io::Result<(ExitStatus, String)> {
        // A child that ended is not reaped yet: it keeps its own status.
        self.0.kill()?;
        let status = self.0.wait()?;
        Ok((
            status,
            self.0.stderr.take().map_or_else(String::new, words_of),
        ))
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail only where `end` was there before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn words_of(stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    // What cannot be read is not said.
    let _ = stderr.take(WORDS_BYTES_MAX).read_to_end(&mut words);
    String::from_utf8_lossy(&words).trim().to_owned()
}

fn refused(why: impl AsRef<str>) -> Error {
    Error::new(
        Code::ComponentCompileFailed,
        format!("the component does not compile: {}", why.as_ref()),
    )
}

fn failed(detail: String) -> Error {
    Error::new(Code::Internal, detail)
}
