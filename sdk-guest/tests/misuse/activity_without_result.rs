//! An activity can fail, and says so.

use tenterhook_sdk::{ActivityContext, activity};

#[activity]
fn charge(_: &ActivityContext, amount: u64) {
    drop(amount);
}

fn main() {}
