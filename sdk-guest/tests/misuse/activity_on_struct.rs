//! A function, not a type.

use tenterhook_sdk::activity;

#[activity]
struct Charge;

fn main() {}
