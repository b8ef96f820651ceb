//! What a lane does while memory is short: it lets go of runs that it keeps, and says that it polls for nothing new.

use std::sync::Arc;

use super::Shared;

/// Lets go of runs whenever memory becomes short, and of more while it is taken still.
pub(super) async fn follow(shared: Arc<Shared>) {
    let memory = shared.resolver.memory();
    let (mut watch, mut was_short) = (memory.watch(), false);
    while let Some(is_short) = watch.next().await {
        if is_short {
            let leaving = shared.runs.shed();
            for run_id in &leaving {
                shared.core.request_workflow_eviction(run_id);
            }
            if !was_short {
                shared.resolver.tally().polling_held();
                tracing::warn!(
                    excess_bytes = memory.excess(),
                    runs_let_go = leaving.len(),
                    "instances hold nearly all the memory that they may: no new work is polled for until there is room"
                );
            }
        } else if was_short {
            tracing::info!("there is memory for instances again: new work is polled for");
        }
        was_short = is_short;
    }
}
