//! Asks for everything of the world that Rust's standard library can reach, one probe for each, and answers with what it
//! saw. What becomes of each is stated in `host/sandbox/tests/sandbox/standard.rs`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what no workflow should do is what this one does"
)]

mod probes;

use std::time::{Duration, Instant, SystemTime};

use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};

/// Answers with what the probe of the given name saw.
#[workflow]
#[derive(Default)]
pub(crate) struct Probe;

#[workflow_methods]
impl Probe {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
        let probe = probes::ALL.iter().find(|(known, _)| *known == name);
        Ok(probe.map_or_else(|| "no such probe".to_owned(), |(_, look)| look()))
    }
}

/// Answers with the names of all probes.
#[workflow]
#[derive(Default)]
pub(crate) struct Names;

#[workflow_methods]
impl Names {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<String>> {
        Ok(probes::ALL
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect())
    }
}

/// Computes, then waits by a timer. Answers with how far the monotonic clock moved while it computed, and how far that
/// and the system's clock moved over both, in nanoseconds.
#[workflow]
#[derive(Default)]
pub(crate) struct Elapsed;

#[workflow_methods]
impl Elapsed {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<u64>> {
        let (begun, began_at) = (Instant::now(), SystemTime::now());
        probes::compute();
        let computing = begun.elapsed();
        ctx.timer(Duration::from_secs(1)).await;
        let by_system = SystemTime::now().duration_since(began_at);
        let spans = [computing, begun.elapsed(), by_system.unwrap_or_default()];
        let nanos = spans.map(|span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        Ok(nanos.into())
    }
}

// Natively the crate is only checked: the exports' names are not for a native linker.
#[cfg(target_arch = "wasm32")]
temporalio_workflow::export_workflow_module!([Probe, Names, Elapsed]);
