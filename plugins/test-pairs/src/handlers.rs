//! Pairs whose steps are the same and whose doors are not.

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowResult, workflow, workflow_methods,
};

use crate::activities::{Charge, short};

#[cfg(not(feature = "v2"))]
pub(crate) use first::{QueryAdded, SignalAdded, TypeRemoved};
#[cfg(feature = "v2")]
pub(crate) use second::{QueryAdded, SignalAdded};

/// A workflow type that charges and then waits for the signal `go`, with further handlers.
macro_rules! waits {
    ($name:ident { $($handlers:tt)* }) => {
        #[workflow]
        #[derive(Default)]
        pub(crate) struct $name {
            go: bool,
        }

        #[workflow_methods]
        impl $name {
            #[run]
            pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
                ctx.execute_activity(Charge, (), short()).await?;
                ctx.wait_condition(|workflow| workflow.go).await?;
                Ok(())
            }

            #[signal]
            pub(crate) fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
                self.go = true;
            }

            $($handlers)*
        }
    };
}

#[cfg(not(feature = "v2"))]
mod first {
    use super::*;

    waits! { SignalAdded {} }
    waits! { QueryAdded {} }
    waits! { TypeRemoved {} }
}

#[cfg(feature = "v2")]
mod second {
    use super::*;
    use temporalio_workflow::WorkflowContextView;

    waits! { SignalAdded {
        #[signal]
        pub(crate) fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
            self.go |= false;
        }
    } }
    waits! { QueryAdded {
        #[query]
        pub(crate) fn gone(&self, _ctx: &WorkflowContextView) -> bool {
            self.go
        }
    } }
}
