//! What a host does while memory is short: it lets go of runs that it keeps, and says that it polls for nothing new.

use std::sync::Arc;

use crate::{lanes::Rooms, resolver::Resolver};

/// Lets go of runs whenever memory becomes short, and of more while it is taken still.
pub(crate) async fn follow(rooms: Arc<Rooms>, resolver: Arc<Resolver>) {
    let memory = resolver.memory();
    let (mut watch, mut was_short) = (memory.watch(), false);
    while let Some(is_short) = watch.next().await {
        if is_short {
            let leaving = rooms.runs.shed();
            for run_id in &leaving {
                rooms.evict(run_id);
            }
            if !was_short {
                resolver.tally().polling_held();
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
