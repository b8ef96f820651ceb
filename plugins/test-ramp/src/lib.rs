//! The plugin `test-ramp` in two releases: with the feature `v2` every second execution of `Quick` fails in the way
//! that its input names, and there is a workflow type more.

use serde::{Deserialize, Serialize};
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};
use tenterhook_sdk::{ActivityContext, ActivityError, JsonSchema, activity, plugin};

/// What this release says of itself.
const RELEASE: &str = if cfg!(feature = "v2") { "v2" } else { "v1" };

/// Answers with the release that runs it.
#[activity]
pub(crate) fn which_release(_: &ActivityContext, _input: ()) -> Result<String, ActivityError> {
    Ok(RELEASE.to_owned())
}

/// How the second release fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Failing {
    /// Not at all.
    Not,
    /// The workflow task fails, so that the execution is stuck.
    Task,
    /// The execution fails.
    Execution,
}

/// The input of [`Quick`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Quickly {
    /// Odd ones fail on the second release.
    pub(crate) number: u32,
    pub(crate) failing: Failing,
}

#[workflow]
#[derive(Default)]
pub(crate) struct Quick;

#[workflow_methods]
impl Quick {
    /// Answers at once with its release.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        input: Quickly,
    ) -> WorkflowResult<String> {
        if cfg!(feature = "v2") && input.number % 2 == 1 {
            match input.failing {
                Failing::Not => {}
                Failing::Task => ctx.force_task_fail("the second release fails half its tasks"),
                Failing::Execution => {
                    let failure = ApplicationFailure::builder("the second release fails")
                        .type_name("Fallen".to_owned())
                        .build();
                    return Err(failure.into());
                }
            }
        }
        Ok(RELEASE.to_owned())
    }
}

#[workflow]
#[derive(Default)]
pub(crate) struct Chain {
    go: bool,
}

#[workflow_methods]
impl Chain {
    /// Waits for the signal `go` in each run, continues as new `left` times, and answers with the last run's release.
    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, left: u32) -> WorkflowResult<String> {
        ctx.wait_condition(|workflow| workflow.go).await?;
        if left > 0 {
            ctx.continue_as_new(left - 1, ContinueAsNewOptions::builder().build())?;
        }
        Ok(RELEASE.to_owned())
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.go = true;
    }
}

/// A walk of so many steps gets stuck on the second release, where its history has nothing against it.
const UNLUCKY: u32 = 4;

#[workflow]
#[derive(Default)]
pub(crate) struct Walk {
    allowed: u32,
}

#[workflow_methods]
impl Walk {
    /// Takes so many steps, each after a signal `go`: an activity that says which release runs it. Answers with what
    /// they said, and at the end with its own release. Both releases do the same, but for [`UNLUCKY`] walks.
    #[run]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        steps: u32,
    ) -> WorkflowResult<Vec<String>> {
        let mut said = Vec::new();
        for step in 0..steps {
            ctx.wait_condition(move |walk| walk.allowed > step).await?;
            if cfg!(feature = "v2") && steps == UNLUCKY {
                ctx.force_task_fail("the second release cannot take this step");
            }
            let options = activity_options(Timeout::Short, Retry::Standard);
            said.push(ctx.execute_activity(WhichRelease, (), options).await?);
        }
        said.push(RELEASE.to_owned());
        Ok(said)
    }

    #[signal]
    pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.allowed += 1;
    }

    #[query]
    pub(crate) fn release(&self, _ctx: &WorkflowContextView) -> String {
        RELEASE.to_owned()
    }
}

#[cfg(feature = "v2")]
#[workflow]
#[derive(Default)]
pub(crate) struct OnlyNew;

#[cfg(feature = "v2")]
#[workflow_methods]
impl OnlyNew {
    /// Is in the second release alone.
    #[run]
    pub(crate) async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        Ok(RELEASE.to_owned())
    }
}

#[cfg(not(feature = "v2"))]
plugin! {
    name: "test-ramp",
    version: "1.0.0",
    workflows: [
        /// Answers at once with its release.
        Quick,
        /// A chain of runs.
        Chain { signals: [go] },
        /// Steps that say which release took them.
        Walk { signals: [go], queries: [release] },
    ],
    activities: [WhichRelease],
}

#[cfg(feature = "v2")]
plugin! {
    name: "test-ramp",
    version: "2.0.0",
    workflows: [
        /// Answers at once with its release, or fails.
        Quick,
        /// A chain of runs.
        Chain { signals: [go] },
        /// Steps that say which release took them.
        Walk { signals: [go], queries: [release] },
        /// Is in the second release alone.
        OnlyNew,
    ],
    activities: [WhichRelease],
}
