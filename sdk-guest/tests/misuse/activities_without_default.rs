//! Every attempt makes a value of its own.

use tenterhook_sdk::{ActivityContext, ActivityError, activities};

struct Gateway {
    url: String,
}

#[activities]
impl Gateway {
    #[activity]
    fn charge(&self, _: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
        Ok(amount + self.url.len() as u64)
    }
}

fn main() {}
