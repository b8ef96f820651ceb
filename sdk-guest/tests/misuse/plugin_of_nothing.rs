//! A plugin does something.

use tenterhook_sdk::plugin;

plugin! {
    name: "nothing",
}

fn main() {}
