//! Release 1 of the plugin `test-pin`: its workflow `Versioned` answers with the release that ran it. The other
//! release issues other commands, so an execution that changed releases would break.

use std::time::Duration;

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};
use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

/// What this release says of itself.
const RELEASE: &str = "v1";

/// Answers with the release that runs it.
#[activity]
pub(crate) fn which_release(_: &ActivityContext, _input: ()) -> Result<String, ActivityError> {
    Ok(RELEASE.to_owned())
}

/// Waits for the signal `go` and answers with its release and its activity's.
#[workflow]
#[derive(Default)]
pub(crate) struct Versioned {
    go: bool,
}

#[workflow_methods]
impl Versioned {
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        // Commands: timer, activity.
        ctx.timer(Duration::from_millis(1)).await;
        ctx.wait_condition(|workflow| workflow.go).await?;
        let options = activity_options(Timeout::Short, Retry::Standard);
        let activity = ctx.execute_activity(WhichRelease, (), options).await?;
        Ok(format!("{RELEASE} with activity {activity}"))
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }

    #[query]
    pub(crate) fn release(&self, _ctx: &WorkflowContextView) -> String {
        RELEASE.to_owned()
    }
}

plugin! {
    name: "test-pin",
    version: "1.0.0",
    workflows: [
        /// Answers with the release that ran it.
        Versioned { signals: [go], queries: [release] },
    ],
    activities: [WhichRelease],
}
