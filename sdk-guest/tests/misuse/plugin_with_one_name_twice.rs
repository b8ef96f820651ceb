//! Names are the activities' own.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

mod other {
    use super::*;

    #[activity(name = "Charge")]
    pub fn charge_again(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
        Ok(amount)
    }
}

plugin! {
    activities: [Charge, other::Charge],
}

fn main() {}
