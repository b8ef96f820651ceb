//! How much is measured.

use std::time::Duration;

/// Counts and bounds of one run of the bench.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name in the report.
    pub name: &'static str,
    /// Sleeping workflows on each side.
    pub sleepers: usize,
    /// One-activity workflows of a round.
    pub ones: usize,
    /// Ten-activity workflows of a round.
    pub tens: usize,
    /// Rounds of each workload on each side while the server has a core of its own.
    pub rounds: usize,
    /// And while all share all cores.
    pub shared_rounds: usize,
    /// No further round is begun after this much of the whole run.
    pub rounds_until: Duration,
    /// One-activity workflows one after another.
    pub sequential: usize,
    /// Activities of the long recorded history.
    pub long_activities: u64,
    /// Replays of the short history in a round; the long one's are fewer by its length.
    pub replays: usize,
    /// Rounds of replays.
    pub replay_rounds: usize,
    /// Loads of the component, cold and from compiled code each.
    pub loads: usize,
    /// Instances started and stepped through the short history.
    pub instances: usize,
    /// Uploads, each of a component that no host has seen, then of the same for another tenant.
    pub uploads: usize,
    /// Releases that there are when a cold host starts.
    pub releases: usize,
}

impl Plan {
    /// The whole bench: seven to ten minutes on two cores. Rounds of one side differ on a shared machine, so there are several.
    pub fn full() -> Self {
        Self {
            name: "full",
            sleepers: 2_000,
            ones: 400,
            tens: 60,
            rounds: 8,
            shared_rounds: 3,
            rounds_until: Duration::from_secs(540),
            sequential: 100,
            long_activities: 200,
            replays: 1_000,
            replay_rounds: 3,
            loads: 3,
            instances: 500,
            uploads: 5,
            releases: 200,
        }
    }

    /// A look in a minute; its figures are rough.
    pub fn quick() -> Self {
        Self {
            name: "quick",
            sleepers: 200,
            ones: 120,
            tens: 20,
            rounds: 1,
            shared_rounds: 1,
            rounds_until: Duration::from_secs(40),
            sequential: 20,
            long_activities: 50,
            replays: 400,
            replay_rounds: 1,
            loads: 1,
            instances: 100,
            uploads: 1,
            releases: 20,
        }
    }
}
