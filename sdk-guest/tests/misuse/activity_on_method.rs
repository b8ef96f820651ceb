//! Methods need `#[activities]` around them.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

struct Gateway;

impl Gateway {
    #[activity]
    fn charge(&self, _: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
        Ok(amount)
    }
}

fn main() {}
