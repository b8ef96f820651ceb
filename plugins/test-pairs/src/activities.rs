//! Activities that do nothing: what matters is which of them is scheduled, and when.

use temporalio_workflow::{ActivityOptions, LocalActivityOptions};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options, local_activity_options};
use tenterhook_sdk::{ActivityContext, ActivityError, activities};

fn done(_: &ActivityContext, _input: ()) -> Result<(), ActivityError> {
    Ok(())
}

activities! {
    /// The first step of most workflows here.
    pub(crate) Charge(()) -> () = done;
    /// What `Charge` is called in the second release.
    pub(crate) Bill(()) -> () = done;
    /// A step that the second release adds.
    pub(crate) Notify(()) -> () = done;
    /// The last step.
    pub(crate) Ship(()) -> () = done;
}

pub(crate) fn short() -> ActivityOptions {
    activity_options(Timeout::Short, Retry::Standard)
}

pub(crate) fn long() -> ActivityOptions {
    activity_options(Timeout::Long, Retry::Patient)
}

pub(crate) fn local() -> LocalActivityOptions {
    local_activity_options(Timeout::Short, Retry::Standard)
}
