//! The benchmark: the same workflow code run by this host and by a native worker of Temporal's Rust SDK.
//!
//! Both are processes of their own on one fresh Temporal server, driven by one [`starter`]; rounds alternate
//! between them so that what drifts on the machine drifts for both. Without a server follow the sandbox alone
//! ([`component`]) and recorded histories through Core's replay worker ([`replay`]).
//!
//! Every count and every wait is bounded by the [`Plan`] and by [`ROUND_WITHIN`].

pub mod component;
pub mod load;
pub mod native;
pub mod process;
pub mod recording;
pub mod release;
pub mod replay;
pub mod report;
pub mod sleepers;
pub mod stage;
pub mod starter;

mod machine;
mod plan;

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use machine::Cores;
pub use plan::Plan;
use report::Report;
use stage::Stage;
use starter::Workload;

/// Longest that one round may take before the bench gives up.
pub const ROUND_WITHIN: Duration = Duration::from_secs(120);

/// Measures everything that `plan` asks for.
///
/// # Errors
/// When something does not start, a workflow fails, or a round does not end in time.
pub async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut report = Report::begin(plan);
    say("start a Temporal server, the host and the native worker");
    let mut stage = Stage::set_up().await?;
    say("record histories, warm both up");
    let recordings = recording::record(&stage, plan).await?;
    // Before the rest: what others left in the server's database costs time of its own.
    say(&format!("one after another x {}", plan.sequential));
    for side in stage.sides() {
        report
            .sequential
            .push(load::round(&stage, side, Workload::One, plan.sequential, 1).await?);
    }
    report.gateway = Some(stage.over_http(plan.sequential).await?);
    say(&format!("{} sleeping workflows on each", plan.sleepers));
    for side in stage.sides() {
        report
            .sleepers
            .push(sleepers::measure(&stage, side, plan.sleepers).await?);
    }
    for (cores, rounds) in [
        (Cores::Apart, plan.rounds),
        (Cores::Shared, plan.shared_rounds),
    ] {
        stage.place(cores)?;
        for (workload, count) in [(Workload::One, plan.ones), (Workload::Ten, plan.tens)] {
            for round in 0..rounds {
                if round > 0 && began.elapsed() > plan.rounds_until {
                    say("the time for rounds is over: further ones are left out");
                    break;
                }
                let (name, cores) = (workload.name(), cores.name());
                say(&format!(
                    "{name} x {count}, cores {cores}, round {}",
                    round + 1
                ));
                // A/B, then B/A: neither always finds the machine, or the server's database, as the other left it.
                let mut sides = stage.sides();
                if round % 2 == 1 {
                    sides.reverse();
                }
                for side in sides {
                    report
                        .rounds
                        .push(load::round(&stage, side, workload, count, load::CONCURRENCY).await?);
                }
            }
        }
    }
    stage.tear_down().await;
    say("load components, start and step instances");
    report.component = Some(component::measure(plan, &recordings).await?);
    say("replay recorded histories without a server");
    report.replays = replay::measure(plan, recordings).await?;
    say(&format!(
        "upload {} releases, start hosts beside {} more",
        plan.uploads, plan.releases
    ));
    report.releases = Some(release::measure(plan).await?);
    report.end(began.elapsed());
    Ok(report)
}

/// Says on stderr what is being done: stdout is the report's.
fn say(what: &str) {
    // Nobody listens any more: the bench goes on for whoever reads its report.
    let _ = writeln!(io::stderr(), "==> {what}");
}
