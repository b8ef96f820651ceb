//! Workflows that misbehave, and one that does not.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use temporalio_workflow::common::UntypedActivity;
use temporalio_workflow::common::data_converters::{PayloadConverter, RawValue};
use temporalio_workflow::{
    ChildWorkflowOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};

use crate::activities::Innocent;
use crate::misdeeds;

/// The timers of [`FloodsCommands`] are never waited for.
const LONG: Duration = Duration::from_secs(3600);

/// How much the workflows do: more than any host allows.
const COMMANDS: u64 = 20_000;
const LINES: u64 = 200_000;
const SLEEP: Duration = Duration::from_secs(60);
const PAYLOAD_BYTES: usize = 3 * 1024 * 1024;

/// An activity of another plugin.
const STRANGER: &str = "payment.RefundPayment";

/// A marker that only the host may emit, with a digest of nothing.
const FORGED_PIN: &str = "tenterhook:release@sha256:\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Declares a workflow that only runs.
macro_rules! runs {
    ($(#[$doc:meta])* $name:ident, |$ctx:ident, $input:ident: $input_type:ty| -> $output:ty $body:block) => {
        $(#[$doc])*
        #[workflow]
        #[derive(Default)]
        pub(crate) struct $name;

        #[workflow_methods]
        impl $name {
            #[run]
            pub(crate) async fn run(
                $ctx: &mut WorkflowContext<Self>,
                $input: $input_type,
            ) -> WorkflowResult<$output> $body
        }
    };
}

runs!(Behaves, |ctx, input: String| -> usize {
    let options = activity_options(Timeout::Short, Retry::Standard);
    Ok(ctx.execute_activity(Innocent, input, options).await?)
});

runs!(Computes, |_ctx, turns: u64| -> u64 {
    Ok(misdeeds::compute(turns))
});

runs!(FansOut, |ctx, work: (String, usize, Value)| -> usize {
    let (activity, number, input) = work;
    let input = || RawValue::from_value(&input, &PayloadConverter::default());
    let options = || activity_options(Timeout::Long, Retry::None);
    let attempts = (0..number)
        .map(|_| ctx.execute_activity(UntypedActivity::new(&activity), input(), options()));
    let attempts: Vec<_> = attempts.collect();
    for attempt in attempts {
        attempt.await?;
    }
    Ok(number)
});

runs!(Panics, |_ctx, _input: ()| -> () { panic!("on purpose") });

runs!(Spins, |_ctx, _input: ()| -> () { misdeeds::spin() });

runs!(Grows, |_ctx, _input: ()| -> () { misdeeds::grow() });

runs!(Hoards, |ctx, how: (usize, u64)| -> usize {
    let (mebibytes, millis) = how;
    let hoard = misdeeds::hoard(mebibytes);
    ctx.timer(Duration::from_millis(millis)).await;
    Ok(hoard.len())
});

runs!(Overflows, |_ctx, _input: ()| -> u64 {
    Ok(misdeeds::overflow(0))
});

runs!(Descends, |_ctx, depth: u64| -> u64 {
    Ok(misdeeds::descend(depth))
});

runs!(FloodsCommands, |ctx, _input: ()| -> () {
    let timers: Vec<_> = (0..COMMANDS).map(|_| ctx.timer(LONG)).collect();
    for timer in timers {
        timer.await;
    }
    Ok(())
});

runs!(PilesUpTimers, |ctx, count: u64| -> () {
    let timers: Vec<_> = (0..count).map(|_| ctx.timer(LONG)).collect();
    for timer in timers {
        timer.await;
    }
    Ok(())
});

runs!(PilesUpActivities, |ctx, count: usize| -> () {
    let run = |number| {
        let options = activity_options(Timeout::Short, Retry::Standard);
        ctx.execute_activity(Innocent, format!("{number}"), options)
    };
    let activities: Vec<_> = (0..count).map(run).collect();
    for activity in activities {
        activity.await?;
    }
    Ok(())
});

runs!(PilesUpChildren, |ctx, count: usize| -> () {
    let run =
        |_| ctx.start_child_workflow(Behaves::run, String::new(), ChildWorkflowOptions::default());
    let children: Vec<_> = (0..count).map(run).collect();
    for child in children {
        child.await?;
    }
    Ok(())
});

runs!(NeverEnds, |ctx, _input: ()| -> () {
    loop {
        ctx.timer(Duration::from_millis(1)).await;
    }
});

runs!(Swells, |ctx, bytes: usize| -> () {
    loop {
        let options = activity_options(Timeout::Short, Retry::Standard);
        let input = "x".repeat(bytes);
        ctx.execute_activity(Innocent, input, options).await?;
    }
});

runs!(FloodsLog, |ctx, _input: ()| -> () {
    for line in 0..LINES / 2 {
        log::in_workflow(ctx, Level::Info, &format!("line {line} of a flood"));
        print_line(line);
    }
    Ok(())
});

runs!(Sleeps, |_ctx, _input: ()| -> () {
    std::thread::sleep(SLEEP);
    Ok(())
});

runs!(HugePayload, |ctx, _input: ()| -> usize {
    let options = activity_options(Timeout::Short, Retry::None);
    let input = "x".repeat(PAYLOAD_BYTES);
    Ok(ctx.execute_activity(Innocent, input, options).await?)
});

runs!(ForgesPin, |ctx, _input: ()| -> bool {
    Ok(ctx.patched(FORGED_PIN))
});

runs!(CallsStranger, |ctx, _input: ()| -> () {
    let mut options = activity_options(Timeout::Short, Retry::None);
    options.task_queue = Some("somebody-elses-queue".to_owned());
    let input = RawValue::from_value(&"hello".to_owned(), &PayloadConverter::default());
    ctx.execute_activity(UntypedActivity::new(STRANGER), input, options)
        .await?;
    Ok(())
});

#[allow(clippy::print_stdout, reason = "the host turns it into log lines")]
fn print_line(line: u64) {
    println!("line {line} of a flood on standard output");
}

#[workflow]
#[derive(Default)]
pub(crate) struct PanicsOnSignal;

#[workflow_methods]
impl PanicsOnSignal {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|_| false).await?;
        Ok(())
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>, _input: ()) {
        panic!("on purpose")
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct PanicsInQuery {
    finished: bool,
}

#[workflow_methods]
impl PanicsInQuery {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|workflow| workflow.finished).await?;
        Ok(())
    }

    #[signal]
    pub(crate) fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    #[query]
    pub(crate) fn answer(&self, _ctx: &WorkflowContextView) -> u32 {
        panic!("no answer")
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct SpinsInQuery {
    finished: bool,
}

#[workflow_methods]
impl SpinsInQuery {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|workflow| workflow.finished).await?;
        Ok(())
    }

    #[signal]
    pub(crate) fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    #[query]
    pub(crate) fn answer(&self, _ctx: &WorkflowContextView) -> u32 {
        misdeeds::spin()
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct PanicsInValidator {
    finished: bool,
}

#[workflow_methods]
impl PanicsInValidator {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|workflow| workflow.finished).await?;
        Ok(())
    }

    #[signal]
    pub(crate) fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }

    #[update]
    pub(crate) fn change(&mut self, _ctx: &mut SyncWorkflowContext<Self>, by: u32) -> u32 {
        by
    }

    #[update_validator(change)]
    fn validate_change(
        &self,
        _ctx: &WorkflowContextView,
        _by: &u32,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        panic!("no verdict")
    }
}
