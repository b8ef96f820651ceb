//! What goes in has JSON all the way down.

use tenterhook_sdk::payload;

struct Money {
    cents: u64,
}

#[payload]
struct Charge {
    amount: Money,
}

fn main() {}
