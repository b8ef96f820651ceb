//! Faults that a test puts into a run, each at one step.

use std::{fmt, str::FromStr};

use crate::journal::StepKind;

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The first attempt fails before it does anything, and may be retried.
    FailsOnce,
    /// Every attempt fails before it does anything, until the retry policy gives up.
    Fails,
    /// The first attempt fails before it does anything, and is not retried; retried where the same activity id did its
    /// work before, for no provider refuses for good what it has done.
    FailsFinally,
    /// The first attempt is lost before it does anything, and times out.
    LostOnce,
    /// Every attempt is lost before it does anything.
    Lost,
    /// The first attempt does its work, and its answer is lost: it times out.
    AnswerLostOnce,
    /// Every attempt does its work, and every answer is lost.
    AnswerLost,
    /// The execution is asked to be cancelled while the step is under way.
    Cancelled,
    /// The execution is asked to be cancelled when the step has ended.
    CancelledAfter,
    /// The worker is lost while the step is under way: the instance is made again from history.
    Crash,
}

/// Attempts that a fault of every attempt spoils where the retry policy never gives up.
const ATTEMPTS_SPOILT: u32 = 12;

const NAMES: [(FaultKind, &str); 10] = [
    (FaultKind::FailsOnce, "fails-once"),
    (FaultKind::Fails, "fails"),
    (FaultKind::FailsFinally, "fails-finally"),
    (FaultKind::LostOnce, "lost-once"),
    (FaultKind::Lost, "lost"),
    (FaultKind::AnswerLostOnce, "answer-lost-once"),
    (FaultKind::AnswerLost, "answer-lost"),
    (FaultKind::Cancelled, "cancelled"),
    (FaultKind::CancelledAfter, "cancelled-after"),
    (FaultKind::Crash, "crash"),
];

impl FaultKind {
    /// Every kind that makes sense at a step of `kind`.
    pub fn all_at(kind: StepKind) -> Vec<Self> {
        let all = NAMES.iter().map(|(fault, _)| *fault);
        match kind {
            StepKind::Activity | StepKind::LocalActivity => all.collect(),
            StepKind::Child => vec![
                Self::FailsFinally,
                Self::Cancelled,
                Self::CancelledAfter,
                Self::Crash,
            ],
            StepKind::Timer => vec![Self::Cancelled, Self::CancelledAfter, Self::Crash],
        }
    }

    /// True if it spoils the attempt of this number, of `attempts_max` that there may be (0: without end).
    pub(crate) fn spoils(self, attempt: u32, attempts_max: u32) -> bool {
        match self {
            Self::FailsOnce | Self::FailsFinally | Self::LostOnce | Self::AnswerLostOnce => {
                attempt == 1
            }
            Self::Fails | Self::Lost | Self::AnswerLost => {
                attempt <= attempts_max.max(ATTEMPTS_SPOILT)
            }
            Self::Cancelled | Self::CancelledAfter | Self::Crash => false,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(kind, _)| kind == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// A fault at a step: `3:answer-lost` is the third step's, see [`FaultKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The number of the step; the first one is 1.
    pub step: usize,
    /// What goes wrong.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.step, self.kind)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || {
            let names: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
            format!(
                "{text:?} is no fault: write STEP:KIND, such as 3:{}; kinds are {}",
                NAMES[0].1,
                names.join(", ")
            )
        };
        let (step, name) = text.split_once(':').ok_or_else(invalid)?;
        let step = step.parse().map_err(|_| invalid())?;
        let kind = NAMES.iter().find(|(_, it)| *it == name);
        let (kind, _) = kind.ok_or_else(invalid)?;
        Ok(Self { step, kind: *kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_back_as_written() {
        for (kind, _) in NAMES {
            let fault = Fault { step: 7, kind };
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        for text in ["", "3", "x:fails", "3:explodes"] {
            let error = text.parse::<Fault>().expect_err(text);
            assert!(error.contains("answer-lost-once"), "{error}");
        }
    }
}
