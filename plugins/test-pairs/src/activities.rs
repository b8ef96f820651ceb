//! Activities that do nothing: what matters is which of them is scheduled, and when.

use temporalio_workflow::{ActivityOptions, LocalActivityOptions};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options, local_activity_options};
use tenterhook_sdk::{ActivityContext, ActivityError, activity};

/// The first step of most workflows here.
#[activity]
pub(crate) fn charge(_: &ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

/// What `Charge` is called in the second release.
#[activity]
pub(crate) fn bill(_: &ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

/// A step that the second release adds.
#[activity]
pub(crate) fn notify(_: &ActivityContext) -> Result<(), ActivityError> {
    Ok(())
}

/// The last step.
#[activity]
pub(crate) fn ship(_: &ActivityContext) -> Result<(), ActivityError> {
    Ok(())
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
