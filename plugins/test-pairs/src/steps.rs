//! Pairs whose steps differ. Each function reads as both releases side by side.

use std::time::Duration;

use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{
    ChildWorkflowOptions, ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext,
    WorkflowResult, workflow, workflow_methods,
};

use crate::V2;
use crate::activities::{Bill, Charge, Notify, Ship, long, short};

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A workflow type without input or result that hears the signal `go`.
macro_rules! pair {
    ($(#[doc = $doc:literal])+ $name:ident($ctx:ident) $body:block) => {
        $(#[doc = $doc])+
        #[workflow]
        #[derive(Default)]
        pub(crate) struct $name {
            go: bool,
        }

        #[workflow_methods]
        impl $name {
            #[run]
            pub(crate) async fn run($ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> $body

            #[signal]
            pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
                self.go = true;
            }
        }
    };
}

pair! {
    /// One activity more, in the middle.
    ActivityAdded(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if V2 {
            ctx.execute_activity(Notify, (), short()).await?;
        }
        ctx.execute_activity(Ship, (), short()).await?;
        Ok(())
    }
}

pair! {
    /// One activity more where a running execution waits: nothing in its history stands against it.
    ActivityAppended(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if V2 {
            ctx.execute_activity(Notify, (), short()).await?;
        }
        ctx.wait_condition(|workflow| workflow.go).await?;
        Ok(())
    }
}

pair! {
    /// One activity less.
    ActivityRemoved(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if !V2 {
            ctx.execute_activity(Ship, (), short()).await?;
        }
        Ok(())
    }
}

pair! {
    /// The same activities the other way round.
    ActivitiesReordered(ctx) {
        if V2 {
            ctx.execute_activity(Ship, (), short()).await?;
            ctx.execute_activity(Charge, (), short()).await?;
        } else {
            ctx.execute_activity(Charge, (), short()).await?;
            ctx.execute_activity(Ship, (), short()).await?;
        }
        Ok(())
    }
}

pair! {
    /// The same activity under another name.
    ActivityRenamed(ctx) {
        if V2 {
            ctx.execute_activity(Bill, (), short()).await?;
        } else {
            ctx.execute_activity(Charge, (), short()).await?;
        }
        Ok(())
    }
}

pair! {
    /// The same activity with other time-outs and retries.
    ActivityOptionsChanged(ctx) {
        let options = if V2 { long() } else { short() };
        ctx.execute_activity(Charge, (), options).await?;
        Ok(())
    }
}

pair! {
    /// A timer of another length, in an execution that waits for it.
    TimerChanged(ctx) {
        ctx.timer(if V2 { FOREVER / 2 } else { FOREVER }).await;
        Ok(())
    }
}

pair! {
    /// An activity where there was a timer.
    TimerReplaced(ctx) {
        if V2 {
            ctx.execute_activity(Charge, (), short()).await?;
        } else {
            ctx.timer(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

pair! {
    /// One activity more behind a patch, which old histories do not have.
    PatchedProperly(ctx) {
        if V2 && ctx.patched("notify-first") {
            ctx.execute_activity(Notify, (), short()).await?;
        }
        ctx.execute_activity(Charge, (), short()).await?;
        ctx.wait_condition(|workflow| workflow.go).await?;
        Ok(())
    }
}

pair! {
    /// A child where the workflow ended.
    ChildAdded(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if V2 {
            ctx.start_child_workflow(CodeAdded::run, (), ChildWorkflowOptions::default()).await?;
        }
        Ok(())
    }
}

pair! {
    /// More code, the same commands.
    CodeAdded(ctx) {
        let mut words = vec!["once"];
        if V2 {
            words.push("twice");
            words.sort_unstable_by(|one, other| other.cmp(one));
        }
        if !words.is_empty() {
            ctx.execute_activity(Charge, (), short()).await?;
        }
        Ok(())
    }
}

pair! {
    /// A panic in code that running executions have behind them.
    PanicsInReplay(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if V2 {
            panic!("the second release gives up here");
        }
        ctx.wait_condition(|workflow| workflow.go).await?;
        Ok(())
    }
}

pair! {
    /// A task that the code itself fails.
    TaskForcedToFail(ctx) {
        if V2 {
            ctx.force_task_fail("the second release cannot go on");
        }
        ctx.wait_condition(|workflow| workflow.go).await?;
        Ok(())
    }
}

pair! {
    /// Another run where the workflow completed.
    ContinuesInstead(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if V2 {
            ctx.continue_as_new((), ContinueAsNewOptions::default())?;
        }
        Ok(())
    }
}

pair! {
    /// A failure where the workflow completed.
    FailsInstead(ctx) {
        ctx.execute_activity(Charge, (), short()).await?;
        if V2 {
            let failure = ApplicationFailure::builder("not any more".to_owned()).build();
            return Err(failure.into());
        }
        Ok(())
    }
}

pair! {
    /// The same commands, one of them a task too early.
    WaitRemoved(ctx) {
        if !V2 {
            ctx.wait_condition(|workflow| workflow.go).await?;
        }
        ctx.execute_activity(Charge, (), short()).await?;
        Ok(())
    }
}
