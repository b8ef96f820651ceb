//! The plugin `test-stamp` answers with the stamp that stands in its code. A test that replaces the stamp in the
//! component's bytes has another release, as many as it wants from one build, and each result tells which ran.

use std::{hint::black_box, time::Duration};

use temporalio_workflow::{
    ActivityOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult, workflow,
    workflow_methods,
};
use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

/// What tests look for and replace, always by as many bytes.
static STAMP: &str = "stamp:0000000000000000000000000000";

/// Read where it lies: a stamp that the compiler folded into instructions could not be replaced.
fn stamp() -> String {
    black_box(STAMP).to_owned()
}

/// Answers with the stamp of the code that runs it.
#[activity]
pub(crate) fn stamp_of(_: &ActivityContext, _input: ()) -> Result<String, ActivityError> {
    Ok(stamp())
}

/// Answers with three stamps: that of its start, its activity's, and that of its end; between them lies a wait, for
/// the signal `go` if its input says so.
#[workflow]
#[derive(Default)]
pub(crate) struct Stamped {
    go: bool,
}

#[workflow_methods]
impl Stamped {
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        waits: bool,
    ) -> WorkflowResult<Vec<String>> {
        let began = stamp();
        if waits {
            ctx.wait_condition(|workflow| workflow.go).await?;
        } else {
            ctx.timer(Duration::from_millis(200)).await;
        }
        // An attempt that died with its host is tried again after this.
        let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(5));
        let activity = ctx.execute_activity(StampOf, (), options).await?;
        Ok(vec![began, activity, stamp()])
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }
}

plugin! {
    name: "test-stamp",
    version: "1.0.0",
    workflows: [
        /// Answers with the stamps of the code that ran it.
        Stamped { signals: [go] },
    ],
    activities: [StampOf],
}
