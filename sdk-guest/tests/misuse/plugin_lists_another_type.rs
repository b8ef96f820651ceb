//! What is listed is an activity.

use tenterhook_sdk::plugin;

struct Charge;

plugin! {
    activities: [Charge],
}

fn main() {}
