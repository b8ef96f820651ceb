//! Which release a new execution starts on: the current one, or for a share of them the one that ramps.
//!
//! [`Line`] is what is decided for one plugin, and [`Line::apply`] is the only way in which it changes: a pure
//! state machine, run by the store inside its transaction, so that every host sees whole steps only.

mod machine;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    error::Result,
    name::{PluginName, Scope},
    release::ReleaseState,
};

/// Most steps of one ramp.
pub const STEPS_MAX: usize = 20;
/// Longest that one step of a ramp lasts, in seconds: a year.
pub const BAKE_SECONDS_MAX: u64 = 365 * 86_400;
/// Most executions that a guard may be told to wait for.
pub const SAMPLE_MIN_MAX: u64 = 1_000_000_000;

/// One step of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Share of the new executions that start on the new release, 0 to 100.
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 100)]
    pub percentage: u8,
    /// How long the step lasts before the next, in seconds; 0: until somebody advances it. At most
    /// [`BAKE_SECONDS_MAX`].
    #[serde(default, deserialize_with = "crate::whole::number")]
    #[schema(maximum = 31_536_000)]
    pub bake_seconds: u64,
}

/// When a ramp stops by itself: the new release against the current one, over the time of the ramp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// False: nobody looks.
    pub enabled: bool,
    /// Fewest closed executions (for task failures: started ones) of the new release before it is judged.
    /// At most [`SAMPLE_MIN_MAX`].
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 1_000_000_000)]
    pub sample_min: u64,
    /// Failed executions of the new release may be so many more than the current one's, in percentage points.
    #[schema(minimum = 0, maximum = 100)]
    pub failure_points_max: f64,
    /// The same for executions whose workflow task fails.
    #[schema(minimum = 0, maximum = 100)]
    pub task_failure_points_max: f64,
    /// The p99 of the new release's durations may be so many times the current one's.
    #[schema(minimum = 0, maximum = 1_000)]
    pub p99_ratio_max: f64,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            enabled: true,
            sample_min: 10,
            failure_points_max: 5.0,
            task_failure_points_max: 1.0,
            p99_ratio_max: 3.0,
        }
    }
}

/// What the guard saw of one release since the ramp began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Health {
    /// Executions that were started on it.
    pub started: u64,
    /// Those that closed.
    pub closed: u64,
    /// Those that failed or timed out.
    pub failed: u64,
    /// Those with a workflow task that failed.
    pub task_failed: u64,
    /// The p99 of the closed ones' durations, in milliseconds; none without closed ones.
    pub p99_millis: Option<u64>,
}

/// What the guard last saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Comparison {
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// The release that ramps.
    pub new: Health,
    /// The current one.
    pub current: Health,
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RampPlan {
    /// The release to ramp.
    pub digest: Digest,
    /// The steps; after the last one's bake time the release becomes current. 1 to [`STEPS_MAX`].
    #[schema(min_items = 1, max_items = 20)]
    pub steps: Vec<Step>,
    /// When it stops by itself.
    #[serde(default)]
    pub guard: Guard,
}

/// A ramp under way, or one that was stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rollout {
    /// What was asked for.
    pub plan: RampPlan,
    /// The step it is at, from 0.
    pub step: usize,
    /// When it began, milliseconds since the Unix epoch.
    pub began_at: u64,
    /// When the step began, milliseconds since the Unix epoch.
    pub step_at: u64,
    /// True: it stays at its step.
    pub paused: bool,
    /// Why it was stopped, if it was. A stopped ramp sends nothing to the new release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// What the guard last saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Comparison>,
}

impl Rollout {
    /// The share of new executions that start on the new release now.
    pub fn percentage(&self) -> u8 {
        if self.halted.is_some() {
            return 0;
        }
        self.plan
            .steps
            .get(self.step)
            .map_or(0, |step| step.percentage)
    }

    /// When the step is over, milliseconds since the Unix epoch; none while somebody has to say so.
    pub fn step_ends_at(&self) -> Option<u64> {
        let step = self.plan.steps.get(self.step)?;
        if self.paused || self.halted.is_some() || step.bake_seconds == 0 {
            return None;
        }
        Some(
            self.step_at
                .saturating_add(step.bake_seconds.saturating_mul(1_000)),
        )
    }
}

/// What is decided for a plugin: which release new executions start on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The release that new executions start on; none before the first.
    pub current: Option<Digest>,
    /// The one before it: where a rollback goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The ramp under way, or the last one if it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// What can be done to a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// The component of a release is sound; its replays come next.
    Sound(Digest),
    /// A check of a release failed.
    Refuse(Digest),
    /// All checks of a release are over and it passed. The first one of a plugin becomes current.
    Admit(Digest),
    /// A release becomes current at once. A ramp of it ends; a ramp of another is refused until it is stopped.
    Promote(Digest),
    /// A release takes a share of the new executions. Replaces a ramp of the same release.
    Ramp(RampPlan),
    /// The ramp goes to its next step, or makes its release current after the last.
    Advance,
    /// The ramp stays at its step.
    Pause,
    /// It goes on.
    Resume,
    /// The ramp is stopped: nothing more starts on its release.
    Halt {
        /// What led to it.
        why: String,
    },
    /// What the guard saw.
    Observe(Comparison),
    /// A running ramp is stopped; without one, the release before the current one becomes current.
    RollBack,
    /// A release that nothing runs on is retired; its component may be removed.
    Retire(Digest),
}

/// What a move changes besides the line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moved {
    /// Releases whose state changes.
    pub states: BTreeMap<Digest, ReleaseState>,
    /// What was done, one entry each: the action's word, the release, and `from → to` for a person.
    pub audit: Vec<(&'static str, Option<Digest>, String)>,
}

impl Line {
    /// The release that an execution with this Temporal workflow id starts on. Every host and every retry decides
    /// alike: the choice hangs on the id and the ramping digest alone.
    pub fn choose(&self, temporal_id: &str) -> Option<Digest> {
        match &self.rollout {
            Some(rollout) if in_share(temporal_id, &rollout.plan.digest, rollout.percentage()) => {
                Some(rollout.plan.digest)
            }
            _ => self.current,
        }
    }

    /// Where an execution that runs on `pinned` goes if it may move: to the current release. One that a ramp under
    /// way has chosen stays where it is.
    pub fn moves_to(&self, pinned: &Digest) -> Option<Digest> {
        let ramps = self
            .rollout
            .as_ref()
            .is_some_and(|rollout| rollout.halted.is_none() && rollout.plan.digest == *pinned);
        self.current.filter(|current| current != pinned && !ramps)
    }

    /// True if both decide alike: they differ in nothing but what the guard saw.
    pub fn decides_as(&self, other: &Self) -> bool {
        let unseen = |line: &Self| {
            let mut line = line.clone();
            if let Some(rollout) = &mut line.rollout {
                rollout.seen = None;
            }
            line
        };
        unseen(self) == unseen(other)
    }

    /// Makes a move. `states` are the states of all releases of the plugin.
    ///
    /// # Errors
    /// `release-not-found` for a digest without a state, `release-state-conflict` when the state does not allow the
    /// move, `rollout-invalid` for a plan that breaks a bound, `rollout-not-running` when there is no ramp to act on.
    pub fn apply(
        &mut self,
        states: &BTreeMap<Digest, ReleaseState>,
        r#move: Move,
        now_millis: u64,
    ) -> Result<Moved> {
        machine::apply(self, states, r#move, now_millis)
    }
}

/// True for `percentage` of all ids. A growing percentage only adds ids.
fn in_share(temporal_id: &str, digest: &Digest, percentage: u8) -> bool {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    hasher.update(digest.as_bytes());
    hasher.update(temporal_id.as_bytes());
    let hash = hasher.finalize();
    let place = u64::from_be_bytes([
        hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7],
    ]);
    place % 100 < u64::from(percentage)
}

/// Counts executions by the release that they are pinned to. `worker` implements it.
///
/// # Errors
/// Every operation: `temporal-unavailable`.
#[async_trait]
pub trait Census: Send + Sync + 'static {
    /// Open executions of the plugin that are pinned to `digest`.
    async fn open(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<u64>;
    /// What became of executions that were started on `digest` since `since_millis`.
    async fn health(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: &Digest,
        since_millis: u64,
    ) -> Result<Health>;
}
