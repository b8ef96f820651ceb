//! Runs that are repeated on a fresh instance while a release serves: which, and what is kept of a difference.

use serde::{Deserialize, Serialize};

use crate::{Code, digest::Digest};

/// What a double run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The same commands both times.
    Same,
    /// Other commands.
    Differs,
    /// It could not be told: the host was short of time or memory.
    Unknown,
    /// It was not repeated: as many waited as may, or there was no room to keep what the run did.
    Dropped,
}

impl Outcome {
    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Unknown => "unknown",
            Self::Dropped => "dropped",
        }
    }
}

/// A run of a release that came to other commands when a fresh instance was given the same: the first that was found.
/// Nothing of what payloads say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DoubleRunFinding {
    /// Always `component-not-deterministic`.
    pub code: String,
    /// When it was found, milliseconds since the Unix epoch.
    pub found_at: u64,
    /// The workflow's type, as the plugin calls it.
    pub workflow_type: String,
    /// What its caller calls the execution.
    pub workflow_id: String,
    /// The run.
    pub run_id: String,
    /// In which activation of the run, from 1.
    pub activation: u64,
    /// At which command of that activation, from 1.
    pub command: u64,
    /// What the run did there.
    pub expected: String,
    /// What its repetition did.
    pub actual: String,
}

impl DoubleRunFinding {
    /// The code of all findings.
    pub const CODE: Code = Code::ComponentNotDeterministic;

    /// The difference in words, for a person.
    pub fn detail(&self) -> String {
        let Self {
            workflow_type,
            activation,
            command,
            expected,
            actual,
            ..
        } = self;
        format!(
            "workflow {workflow_type:?}: in activation {activation}, command {command} is {expected} the first time and \
             {actual} when it is repeated"
        )
    }
}

/// True if the run is one of the share of `percentage` in a hundred that is repeated: the same answer on every host.
pub fn is_sampled(run_id: &str, percentage: u8) -> bool {
    if percentage == 0 {
        return false;
    }
    let hash = Digest::of(run_id.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(first) % 100 < u64::from(percentage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_about_what_it_says_and_grows_by_adding() {
        let sampled = |percentage| {
            let runs = (0..2_000).map(|number| format!("run-{number}"));
            runs.filter(|run| is_sampled(run, percentage))
                .collect::<Vec<_>>()
        };
        assert!(sampled(0).is_empty());
        assert_eq!(sampled(100).len(), 2_000);
        let (few, more) = (sampled(5), sampled(25));
        assert!((60..=140).contains(&few.len()), "{}", few.len());
        assert!((420..=580).contains(&more.len()), "{}", more.len());
        assert!(few.iter().all(|run| more.contains(run)));
    }
}
