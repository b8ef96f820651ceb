//! A grant is for a host.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

plugin! {
    activities: [Charge],
    wants: {
        http: ["https://api.example.com/charges"],
    },
}

fn main() {}
