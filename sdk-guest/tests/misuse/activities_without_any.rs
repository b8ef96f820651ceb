//! A group has activities.

use tenterhook_sdk::activities;

struct Gateway;

#[activities]
impl Gateway {
    fn charge(&self, amount: u64) -> u64 {
        amount
    }
}

fn main() {}
