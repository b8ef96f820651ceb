//! On the functions of an `impl`, not on the `impl`.

use tenterhook_sdk::activity;

struct Gateway;

#[activity]
impl Gateway {}

fn main() {}
