//! What is changed is gone with the attempt.

use tenterhook_sdk::{ActivityContext, ActivityError, activities};

#[derive(Default)]
struct Gateway {
    charges: u64,
}

#[activities]
impl Gateway {
    #[activity]
    fn charge(&mut self, _: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
        self.charges += amount;
        Ok(self.charges)
    }
}

fn main() {}
