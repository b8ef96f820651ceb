//! What goes in is described by a schema.

use serde::{Deserialize, Serialize};
use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};
use tenterhook_sdk::plugin;

#[derive(Serialize, Deserialize)]
struct Guest {
    name: String,
}

#[workflow]
#[derive(Default)]
struct Visit;

#[workflow_methods]
impl Visit {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, guest: Guest) -> WorkflowResult<String> {
        Ok(guest.name)
    }
}

plugin! {
    workflows: [Visit],
}

fn main() {}
