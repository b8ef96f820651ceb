//! Secrets are not asked for.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

plugin! {
    activities: [Charge],
    wants: {
        secrets: ["api-key"],
    },
}

fn main() {}
