//! A workflow that looks at everything around it that could differ between two replays.

use std::collections::{HashMap, HashSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::payload;
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

use crate::activities::Echo;

/// What was seen at one moment.
#[payload]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sight {
    /// Temporal's workflow time, in milliseconds since the Unix epoch.
    pub(crate) workflow_ms: u64,
    /// What `SystemTime::now` says.
    pub(crate) system_ms: u64,
    /// How far `Instant` moved since the workflow began, in nanoseconds.
    pub(crate) monotonic_ns: u64,
    pub(crate) random: u64,
    pub(crate) named_random: u32,
    pub(crate) uuid: String,
    /// The order of a `HashSet`, which std seeds by `wasi:random`.
    pub(crate) hash_order: Vec<u32>,
    /// How many environment variables and arguments there are.
    pub(crate) environment: usize,
    pub(crate) arguments: usize,
    /// Whether a file could be opened.
    pub(crate) files: bool,
    pub(crate) run_id: String,
}

#[workflow]
#[derive(Default)]
pub(crate) struct Ambient {
    go: bool,
}

#[workflow_methods]
impl Ambient {
    /// Looks, passes what it saw through an activity, waits for the signal `go`, looks again. What it saw at first
    /// must be what history says it saw, also after a replay.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
    ) -> WorkflowResult<HashMap<String, Sight>> {
        let begun = Instant::now();
        log::in_workflow(ctx, Level::Info, "looking around");
        println_once();
        let first = look(ctx, begun);
        let options = activity_options(Timeout::Short, Retry::Standard);
        let seen = serde_json::to_value(&first).unwrap_or_default();
        let recorded = ctx.execute_activity(Echo, seen, options).await?;
        ctx.wait_condition(|workflow| workflow.go).await?;
        let second = look(ctx, begun);
        let recorded = serde_json::from_value(recorded).unwrap_or_else(|_| second.clone());
        Ok(HashMap::from([
            ("first".to_owned(), first),
            ("recorded".to_owned(), recorded),
            ("second".to_owned(), second),
        ]))
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }
}

#[allow(clippy::print_stdout, reason = "the host turns it into log lines")]
fn println_once() {
    println!("a line on standard output");
}

fn look(ctx: &WorkflowContext<Ambient>, begun: Instant) -> Sight {
    let millis = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
    };
    Sight {
        workflow_ms: ctx.workflow_time().map_or(0, millis),
        system_ms: millis(SystemTime::now()),
        monotonic_ns: u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
        random: ctx.random(),
        named_random: ctx.random_stream("named").random(),
        uuid: ctx.uuid4(),
        hash_order: (0..16).collect::<HashSet<u32>>().into_iter().collect(),
        environment: std::env::vars().count(),
        arguments: std::env::args().count(),
        files: std::fs::File::open("/etc/hostname").is_ok(),
        run_id: ctx.run_id().to_owned(),
    }
}
