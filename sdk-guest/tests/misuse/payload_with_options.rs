//! How fields are written is said below.

use tenterhook_sdk::payload;

#[payload(rename_all = "snake_case")]
struct Charge {
    order_id: String,
}

fn main() {}
