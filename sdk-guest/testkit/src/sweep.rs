//! The fault sweep: a test again and again, with something going wrong at each of its steps in turn.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    fault::{Fault, FaultKind},
    journal::{Step, StepKind},
    kit::Kit,
    plugin::Plugin,
};

/// Most runs of one sweep. A test with more steps is better cut in two.
const RUNS_MAX: usize = 100_000;

/// What the last execution of a kit did, for the sweep to see.
pub(crate) type Seen = Arc<Mutex<Vec<(StepKind, String)>>>;

/// Writes down what an execution did.
pub(crate) fn see(seen: Option<&Seen>, steps: &[Step]) {
    if let Some(seen) = seen {
        let steps = steps.iter().map(|step| (step.kind, step.name.clone()));
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = steps.collect();
    }
}

/// Runs a test again and again, with a fault at each of its steps in turn, of each [`FaultKind`] that makes sense there.
///
/// See [the crate's documentation](crate) for an example.
#[derive(Debug, Clone)]
pub struct Sweep {
    plugin: Plugin,
    only: Option<Vec<Fault>>,
    except: Vec<Fault>,
    at_once: usize,
}

/// What a sweep came to.
#[derive(Debug, Clone)]
pub struct Swept {
    /// Runs that were made, the one without any fault included.
    pub runs: usize,
    /// Steps that the run without any fault took.
    pub steps: usize,
    /// The first violation. Nothing was run after it.
    pub violation: Option<Violation>,
}

/// A run that broke the invariant.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What went wrong in it.
    pub faults: Vec<Fault>,
    /// Where: the names of the steps.
    pub names: Vec<String>,
    /// What the invariant says, or why the run did not end.
    pub why: String,
}

impl Sweep {
    /// Of a test of `plugin`.
    pub fn of(plugin: &Plugin) -> Self {
        Self {
            plugin: plugin.clone(),
            only: None,
            except: Vec::new(),
            at_once: 1,
        }
    }

    /// With a second fault too, at each later step of each run with one: so compensations fail as well.
    #[must_use]
    pub fn pairs(self) -> Self {
        Self { at_once: 2, ..self }
    }

    /// Leaves out runs with this fault: one that the workflow is known not to stand, so that the test says so.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn except(mut self, fault: &str) -> Self {
        let fault = fault.parse();
        self.except
            .push(fault.unwrap_or_else(|error: String| panic!("{error}")));
        self
    }

    /// Makes one run alone, with these faults: what a violation says to reproduce it by, `"3:answer-lost"` or
    /// `"3:answer-lost 5:crash"`.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn only(self, faults: &str) -> Self {
        let read = faults.split_whitespace().map(|fault| {
            fault
                .parse()
                .unwrap_or_else(|error: String| panic!("{error}"))
        });
        Self {
            only: Some(read.collect()),
            ..self
        }
    }

    /// Makes all runs. Each is a call of `round` with a fresh kit that has its faults: it mocks, runs one execution to its
    /// end, and answers what is wrong with what came of it. A run that panics is a violation too.
    pub fn run(&self, round: impl Fn(&mut Kit) -> Result<(), String>) -> Swept {
        let mut swept = Swept {
            runs: 0,
            steps: 0,
            violation: None,
        };
        let first = self.only.clone().unwrap_or_default();
        let mut waiting = VecDeque::from([first]);
        while let Some(faults) = waiting.pop_front() {
            assert!(
                swept.runs < RUNS_MAX,
                "a sweep of more than {RUNS_MAX} runs"
            );
            let (steps, verdict) = self.once(&faults, &round);
            swept.runs += 1;
            if faults.is_empty() {
                swept.steps = steps.len();
            }
            if let Err(why) = verdict {
                let names = faults.iter().map(|fault| {
                    let step = fault.step.checked_sub(1).and_then(|at| steps.get(at));
                    step.map_or_else(String::new, |(_, name)| name.clone())
                });
                swept.violation = Some(Violation {
                    names: names.collect(),
                    faults,
                    why,
                });
                return swept;
            }
            if self.only.is_none() && faults.len() < self.at_once {
                let further = further(&faults, &steps).into_iter();
                let stood = |run: &Vec<Fault>| !run.iter().any(|it| self.except.contains(it));
                waiting.extend(further.filter(stood));
            }
        }
        swept
    }

    fn once(
        &self,
        faults: &[Fault],
        round: &impl Fn(&mut Kit) -> Result<(), String>,
    ) -> (Vec<(StepKind, String)>, Result<(), String>) {
        let seen = Seen::default();
        let mut kit = Kit::new(&self.plugin);
        kit.watch(seen.clone());
        for fault in faults {
            kit.inject(*fault);
        }
        let verdict = catch_unwind(AssertUnwindSafe(|| round(&mut kit)));
        let verdict = verdict.unwrap_or_else(|panic| Err(words(&*panic)));
        let steps = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        (steps, verdict)
    }
}

/// The runs that have one fault more than `faults`, at a later one of `steps`.
fn further(faults: &[Fault], steps: &[(StepKind, String)]) -> Vec<Vec<Fault>> {
    let last = faults.last().map_or(0, |fault| fault.step);
    let later = steps.iter().zip(1..).filter(|(_, number)| *number > last);
    let runs = later.flat_map(|((kind, _), step)| {
        let kinds: Vec<FaultKind> = FaultKind::all_at(*kind);
        kinds.into_iter().map(move |kind| Fault { step, kind })
    });
    runs.map(|fault| {
        let mut run = faults.to_vec();
        run.push(fault);
        run
    })
    .collect()
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the run panicked").to_owned()
}

impl Swept {
    /// Holds that no run broke the invariant, and answers how many there were.
    ///
    /// # Panics
    /// With the first violation and how to reproduce it.
    #[track_caller]
    pub fn holds(&self) -> usize {
        if let Some(violation) = &self.violation {
            panic!("after {} runs, {violation}", self.runs);
        }
        self.runs
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return write!(f, "the run without any fault: {}", self.why);
        }
        let places = self.faults.iter().zip(&self.names);
        let places =
            places.map(|(fault, name)| format!("step {} ({name}) {}", fault.step, fault.kind));
        let places: Vec<String> = places.collect();
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        write!(
            f,
            "the run where {}: {}\nreproduce it with Sweep::of(&plugin).only({:?})",
            places.join(" and "),
            self.why,
            faults.join(" ")
        )
    }
}
