//! A workflow is what Temporal's macros made one.

use tenterhook_sdk::plugin;

struct Visit;

plugin! {
    workflows: [Visit],
}

fn main() {}
