//! The context comes first, also where it is not used.

use tenterhook_sdk::{ActivityError, activity};

#[activity]
fn tick() -> Result<(), ActivityError> {
    Ok(())
}

fn main() {}
