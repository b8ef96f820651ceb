//! Runs that are repeated on a fresh instance while their release serves, off the way of their tasks.
//!
//! A share of the runs keeps on a tape what it is given and what it does. Once the tape is full, or its run ends or
//! leaves memory, it waits for the one thread that repeats tapes, at a low priority, one after another; where too many
//! wait it is dropped. A difference is a finding that is kept with the release: its plugin's owner is to know that a
//! replay would fail.

mod waiting;

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use tenterhook_domain::{
    Code, Error, Result, Scope,
    audit::Author,
    clock::{Clock as _, SystemClock},
    double_run::{DoubleRunFinding, Outcome, is_sampled},
};
use tenterhook_sandbox::processor;
use tenterhook_store::ReleaseKey;
use tenterhook_workflow::{Difference, Repeated, Run, Shelf, Tape};
use tokio::{runtime::Handle, time::timeout};

use self::waiting::Waiting;
use crate::{
    executor::{Priority, STACK_BYTES, Thread},
    resolver::Resolver,
};

/// Runs that are repeated at once; each holds one workflow instance.
pub const DOUBLE_RUNS_AT_ONCE: usize = 1;
/// What the tapes of all runs may hold together, in bytes.
const TAPES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Processor time for the repetition of one tape.
const REPETITION: Duration = Duration::from_secs(10);
/// How long a finding may take to be written down.
const NOTE: Duration = Duration::from_secs(10);
/// Releases of which this host remembers that it told; one above it forgets all, and each is told of once more.
const TOLD_MAX: usize = 1_000;

/// Keeps tapes of a share of the runs, and has them repeated.
pub(crate) struct DoubleRuns {
    percentage: u8,
    shelf: Arc<Shelf>,
    waiting: Arc<Waiting<Recorded>>,
    resolver: Arc<Resolver>,
}

/// A tape, and whose it is.
struct Recorded {
    tape: Tape,
    release: ReleaseKey,
    temporal_id: String,
    run_id: String,
}

impl DoubleRuns {
    /// For so many in a hundred runs; with none there is no thread. `host` is who finds. Must be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// `internal` when the system gives no thread.
    pub(crate) fn start(percentage: u8, resolver: &Arc<Resolver>, host: &str) -> Result<Self> {
        let waiting = Arc::new(Waiting::default());
        if percentage > 0 {
            let repeater = Repeater {
                waiting: waiting.clone(),
                resolver: resolver.clone(),
                runtime: Handle::current(),
                host: host.to_owned(),
                told: HashSet::new(),
            };
            let thread = thread::Builder::new()
                .name("double-runs".to_owned())
                .stack_size(STACK_BYTES);
            thread.spawn(move || repeater.work()).map_err(|error| {
                let message = "the system gives no thread for double runs";
                Error::new(Code::Internal, message).caused_by(error)
            })?;
        }
        Ok(Self {
            percentage,
            shelf: Shelf::new(TAPES_BYTES_MAX),
            waiting,
            resolver: resolver.clone(),
        })
    }

    /// Has `run`, which is about to begin, keep a tape if it is of the share.
    pub(crate) fn begin(&self, run: &mut Run) {
        if is_sampled(&run.identity().run_id, self.percentage) {
            run.record(self.shelf.clone());
        }
    }

    /// Takes the tape of `run` where nothing more comes onto it.
    pub(crate) fn collect(&self, run: &mut Run) {
        if let Some(tape) = run.take_full_tape() {
            self.queue(run, tape);
        }
    }

    /// Takes the tape of a run that leaves memory.
    pub(crate) fn collect_rest(&self, run: &mut Run) {
        if let Some(tape) = run.take_tape() {
            self.queue(run, tape);
        }
    }

    fn queue(&self, run: &Run, tape: Tape) {
        let of = run.identity();
        let recorded = Recorded {
            release: ReleaseKey {
                scope: of.scope.clone(),
                plugin: of.plugin.clone(),
                digest: of.digest,
            },
            temporal_id: of.temporal_id.clone(),
            run_id: of.run_id.clone(),
            tape,
        };
        let dropped = recorded.tape.is_empty() || !self.waiting.push(&of.into(), recorded);
        if dropped {
            let tally = self.resolver.tally();
            tally.double_run(&of.scope.tenant, &of.plugin, Outcome::Dropped);
        }
    }

    /// Lets the thread end: what waits is not repeated.
    pub(crate) fn stop(&self) {
        self.waiting.close();
    }
}

impl Drop for DoubleRuns {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread that repeats tapes.
struct Repeater {
    waiting: Arc<Waiting<Recorded>>,
    resolver: Arc<Resolver>,
    runtime: Handle,
    host: String,
    told: HashSet<ReleaseKey>,
}

impl Repeater {
    fn work(mut self) {
        Thread::current().set_priority(Priority::Spare);
        while let Some((turn, recorded)) = self.waiting.next() {
            let before = processor::time_taken();
            let repeat = AssertUnwindSafe(|| self.repeat(&recorded, before));
            let repeated = catch_unwind(repeat).unwrap_or_else(|_panic| {
                tracing::error!(code = %Code::Internal, "repeating a run panicked");
                Repeated::Unknown("the host failed".to_owned())
            });
            let took = processor::time_taken().saturating_sub(before);
            self.waiting.settle(turn, took);
            self.resolver.tally().double_runs_took(took);
            self.conclude(&recorded, repeated);
        }
    }

    fn repeat(&self, recorded: &Recorded, before: Duration) -> Repeated {
        let memory = self.resolver.memory();
        recorded.tape.repeat(|| {
            let took = processor::time_taken().saturating_sub(before);
            took < REPETITION && !memory.is_short() && !self.waiting.is_closed()
        })
    }

    fn conclude(&mut self, recorded: &Recorded, repeated: Repeated) {
        let ReleaseKey { scope, plugin, .. } = &recorded.release;
        let outcome = match &repeated {
            Repeated::Same => Outcome::Same,
            Repeated::Unknown(_) => Outcome::Unknown,
            Repeated::Differs(_) => Outcome::Differs,
        };
        let tally = self.resolver.tally();
        tally.double_run(&scope.tenant, plugin, outcome);
        match repeated {
            Repeated::Same => {}
            Repeated::Unknown(why) => {
                let run_id = &recorded.run_id;
                tracing::debug!(%scope, %plugin, run_id, why, "a double run says nothing");
            }
            Repeated::Differs(difference) => self.tell(recorded, difference),
        }
    }

    /// Tells of a difference, of each release once.
    fn tell(&mut self, recorded: &Recorded, difference: Difference) {
        if self.told.contains(&recorded.release) {
            return;
        }
        let finding = recorded.finding(difference);
        let ReleaseKey {
            scope,
            plugin,
            digest,
        } = &recorded.release;
        tracing::warn!(
            code = finding.code, %scope, %plugin, %digest,
            workflow_id = finding.workflow_id, run_id = finding.run_id,
            "a run does not do the same when it is repeated, so that a replay of it would fail: {}", finding.detail()
        );
        let author = Author {
            who: "host:double-run".to_owned(),
            from: self.host.clone(),
            why: String::new(),
        };
        let releases = &self.resolver.store().releases;
        let noted = releases.note_double_run(&recorded.release, &finding, &author);
        let noted = self
            .runtime
            .block_on(async move { timeout(NOTE, noted).await });
        match noted {
            Ok(Ok(_)) => {
                if self.told.len() >= TOLD_MAX {
                    self.told.clear();
                }
                self.told.insert(recorded.release.clone());
            }
            Ok(Err(error)) => tracing::warn!(
                code = %error.code(), cause = error.source_text(),
                "what a double run found is not kept with the release: {error}"
            ),
            Err(_elapsed) => tracing::warn!(
                code = %Code::StoreFailed,
                "what a double run found is not kept with the release: the store did not answer in time"
            ),
        }
    }
}

impl Recorded {
    fn finding(&self, difference: Difference) -> DoubleRunFinding {
        let id = &self.temporal_id;
        let callers = Scope::of_temporal_id(id).map_or(id.as_str(), |(_, id)| id);
        DoubleRunFinding {
            code: DoubleRunFinding::CODE.as_str().to_owned(),
            found_at: SystemClock.now_millis(),
            workflow_type: self.tape.workflow_type(),
            workflow_id: callers.to_owned(),
            run_id: self.run_id.clone(),
            activation: difference.activation,
            command: difference.command,
            expected: difference.expected,
            actual: difference.actual,
        }
    }
}
