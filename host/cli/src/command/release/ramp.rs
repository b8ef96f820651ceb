//! `release ramp`: the plan of a ramp.

use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::Value;
use tenterhook_domain::{
    Digest,
    rollout::{Guard, RampPlan, Step},
};

use crate::{
    duration,
    failure::{Failure, Result},
    reason::ReasonArgument,
};

/// `release ramp PLUGIN DIGEST …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("share").required(true))]
pub(crate) struct RampArguments {
    /// The plugin
    plugin: String,
    /// sha256:… as `release list` shows it
    digest: String,
    /// Share of the new executions, 0 to 100; it stays until somebody advances the ramp
    #[arg(long, value_name = "PERCENT", group = "share", value_parser = clap::value_parser!(u8).range(0..=100))]
    percentage: Option<u8>,
    /// A step and how long it lasts, as in 10=15m; once for each. Without a time it lasts until somebody advances it
    #[arg(long, value_name = "PERCENT=DURATION", group = "share", value_parser = step)]
    step: Vec<Step>,
    /// Do not stop the ramp by itself, whatever happens
    #[arg(long, conflicts_with_all = ["sample_min", "failure_points", "task_failure_points", "p99_ratio"])]
    no_guard: bool,
    /// Fewest closed executions of the release before it is judged
    #[arg(long, value_name = "COUNT")]
    sample_min: Option<u64>,
    /// Stop it when so many percentage points more of its executions fail than of the current release
    #[arg(long, value_name = "POINTS")]
    failure_points: Option<f64>,
    /// The same for executions whose workflow task fails
    #[arg(long, value_name = "POINTS")]
    task_failure_points: Option<f64>,
    /// Stop it when its p99 is so many times that of the current release
    #[arg(long, value_name = "TIMES")]
    p99_ratio: Option<f64>,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl RampArguments {
    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(super) fn reason(&self) -> &ReasonArgument {
        &self.reason
    }

    /// What the API takes.
    pub(super) fn plan(&self) -> Result<Value> {
        let digest: Digest = self.digest.parse()?;
        let held = |percentage| Step {
            percentage,
            bake_seconds: 0,
        };
        let steps = match self.percentage {
            Some(percentage) => vec![held(percentage)],
            None => self.step.clone(),
        };
        let default = Guard::default();
        let guard = Guard {
            enabled: !self.no_guard,
            sample_min: self.sample_min.unwrap_or(default.sample_min),
            failure_points_max: self.failure_points.unwrap_or(default.failure_points_max),
            task_failure_points_max: self
                .task_failure_points
                .unwrap_or(default.task_failure_points_max),
            p99_ratio_max: self.p99_ratio.unwrap_or(default.p99_ratio_max),
        };
        let plan = RampPlan {
            digest,
            steps,
            guard,
        };
        serde_json::to_value(plan)
            .map_err(|error| Failure::internal("the plan cannot be written").caused_by(&error))
    }
}

fn step(text: &str) -> Result<Step, String> {
    let (percentage, bake) = text.split_once('=').unwrap_or((text, "0s"));
    let percentage = percentage
        .parse()
        .ok()
        .filter(|percentage| *percentage <= 100)
        .ok_or_else(|| format!("{text:?} is no step: write PERCENT=DURATION, as in 10=15m"))?;
    let bake: Duration = duration::parse(bake)?;
    Ok(Step {
        percentage,
        bake_seconds: bake.as_secs(),
    })
}
