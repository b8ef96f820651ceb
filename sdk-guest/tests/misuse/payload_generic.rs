//! A payload is one type.

use tenterhook_sdk::payload;

#[payload]
struct Page<T> {
    rows: Vec<T>,
}

fn main() {}
