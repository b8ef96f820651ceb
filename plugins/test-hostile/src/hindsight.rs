//! Workflows that do not do the same twice, and pass the check of a push: what they decide by comes later than that
//! looks.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

use crate::activities::Innocent;

/// Waits for its signal, and then longer where it is replayed.
#[workflow]
#[derive(Default)]
pub(crate) struct DecidesByReplay {
    told: bool,
}

#[workflow_methods]
impl DecidesByReplay {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|it| it.told).await?;
        let millis = if ctx.is_replaying() { 20 } else { 10 };
        ctx.timer(Duration::from_millis(millis)).await;
        Ok(())
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
        self.told = true;
    }
}

/// The namespace in which the host tries a type before it accepts it.
const TRIAL: &str = "rehearsal";

/// Has a timer, and where it is replayed an activity in its place, but not while the host only tries it. Then waits for its
/// signal.
#[workflow]
#[derive(Default)]
pub(crate) struct TurnsOnReplay {
    told: bool,
}

#[workflow_methods]
impl TurnsOnReplay {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        if ctx.is_replaying() && ctx.namespace() != TRIAL {
            let options = activity_options(Timeout::Short, Retry::Standard);
            ctx.execute_activity(Innocent, String::new(), options)
                .await?;
        } else {
            ctx.timer(Duration::from_millis(10)).await;
        }
        ctx.wait_condition(|it| it.told).await?;
        Ok(())
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
        self.told = true;
    }
}

/// How often a run was asked: a static, so that a query can change it.
static QUESTIONS: AtomicU64 = AtomicU64::new(0);

/// Waits for its signal, and then for as many milliseconds as it was asked questions: a replay asks none.
#[workflow]
#[derive(Default)]
pub(crate) struct CountsQuestions {
    told: bool,
}

#[workflow_methods]
impl CountsQuestions {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u64> {
        ctx.wait_condition(|it| it.told).await?;
        let questions = QUESTIONS.load(Ordering::Relaxed);
        ctx.timer(Duration::from_millis(10 + questions)).await;
        Ok(questions)
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
        self.told = true;
    }

    #[query]
    pub(crate) fn answer(&self, _ctx: &WorkflowContextView) -> u64 {
        QUESTIONS.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Declares a workflow that waits for its signal, turns by what it is asked, and waits for the signal again. Its query
/// `die` takes the instance along, so that what comes next is a replay.
macro_rules! turns {
    ($(#[$doc:meta])* $name:ident, |$ctx:ident| $turn:expr) => {
        $(#[$doc])*
        #[workflow]
        #[derive(Default)]
        pub(crate) struct $name {
            told: u32,
        }

        #[workflow_methods]
        impl $name {
            #[run]
            pub(crate) async fn run($ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
                $ctx.wait_condition(|it| it.told > 0).await?;
                for left in $turn {
                    if left {
                        $ctx.timer(BRIEFLY).await;
                    } else {
                        let options = activity_options(Timeout::Short, Retry::Standard);
                        $ctx.execute_activity(Innocent, String::new(), options).await?;
                    }
                }
                $ctx.wait_condition(|it| it.told > 1).await?;
                Ok(())
            }

            #[signal]
            pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
                self.told += 1;
            }

            #[query]
            pub(crate) fn count(&self, _ctx: &WorkflowContextView) -> u64 {
                COUNTED.fetch_add(1, Ordering::Relaxed) + 1
            }

            #[query]
            pub(crate) fn die(&self, _ctx: &WorkflowContextView) -> u64 {
                panic!("on purpose")
            }
        }
    };
}

/// How long the timers take.
const BRIEFLY: Duration = Duration::from_millis(1);

/// What the queries `count` count: each instance its own.
static COUNTED: AtomicU64 = AtomicU64::new(0);

turns!(
    /// Turns by whether it is replayed.
    TurnsByReplay,
    |ctx| [ctx.is_replaying()]
);

turns!(
    /// Turns by what a query left in a static.
    TurnsByStatic,
    |_ctx| [COUNTED.load(Ordering::Relaxed) == 0]
);

turns!(
    /// Turns by all of the world that code can see: clocks, seeds, the order of sets, where things lie in memory.
    TurnsByWorld,
    |_ctx| world()
);

/// Whether each of what can be seen is even.
fn world() -> [bool; 6] {
    let begun = Instant::now();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default().as_nanos();
    let order: HashSet<u32> = (0..64).collect();
    let first = order.iter().next().copied().unwrap_or_default();
    let on_heap = Box::new(1_u8);
    let place = (&raw const *on_heap).addr();
    [
        since.is_multiple_of(2),
        (since / 1_000_000).is_multiple_of(2),
        begun.elapsed().as_nanos().is_multiple_of(2),
        RandomState::new().hash_one("a key").is_multiple_of(2),
        first.is_multiple_of(2),
        (place / 16).is_multiple_of(2),
    ]
}
