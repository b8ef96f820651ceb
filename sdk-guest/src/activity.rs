//! Activities: how an author declares them, and how one task finds its function.

use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_workflow::common::ActivityDefinition;

use crate::context::ActivityContext;
use crate::error::ActivityError;
use crate::generated::exports::tenterhook::plugin::activities::{Failure, Payload, Task};
use crate::payload;

/// An activity that this plugin implements. [`activities!`](crate::activities) implements it.
///
/// It extends Temporal's [`ActivityDefinition`], so a value of the type is what `ctx.execute_activity` and
/// `ctx.execute_local_activity` take.
pub trait Activity:
    ActivityDefinition<Input: DeserializeOwned, Output: Serialize> + Default
{
    /// The name inside the plugin: `ValidatePayment`, which Temporal knows as `payment.ValidatePayment`.
    const NAME: &'static str;
    /// What it does, for a person; empty if the author did not say.
    const DESCRIPTION: &'static str;

    /// Makes one attempt.
    ///
    /// # Errors
    /// Whatever the author's function returns; the error says whether Temporal tries again.
    fn execute(ctx: &ActivityContext, input: Self::Input) -> Result<Self::Output, ActivityError>;
}

/// Declares activities: for each a unit type, usable in workflows as Temporal's typed activity definition, and the
/// function behind it.
///
/// The function is plain: `fn(&ActivityContext, Input) -> Result<Output, ActivityError>`. The doc comment becomes
/// the description in the plugin's metadata.
///
/// ```ignore
/// tenterhook_sdk::activities! {
///     /// Checks what can be checked without asking anybody.
///     pub ValidatePayment(Payment) -> () = validate::validate_payment;
/// }
/// ```
#[macro_export]
macro_rules! activities {
    ($(
        $(#[doc = $doc:literal])*
        $vis:vis $name:ident($input:ty) -> $output:ty = $function:path;
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default)]
        $vis struct $name;

        impl $crate::temporalio_workflow::common::ActivityDefinition for $name {
            type Input = $input;
            type Output = $output;

            fn name(&self) -> &str {
                <Self as $crate::Activity>::NAME
            }
        }

        impl $crate::Activity for $name {
            const NAME: &'static str = ::core::stringify!($name);
            const DESCRIPTION: &'static str = ::core::concat!("", $($doc, "\n"),*);

            fn execute(
                ctx: &$crate::ActivityContext,
                input: Self::Input,
            ) -> ::core::result::Result<Self::Output, $crate::ActivityError> {
                $function(ctx, input)
            }
        }
    )*};
}

/// One row of a plugin's table of activities.
#[derive(Clone, Copy)]
pub struct ActivityEntry {
    name: &'static str,
    run: fn(ActivityContext, Vec<Payload>) -> Result<Option<Payload>, ActivityError>,
}

impl ActivityEntry {
    /// The row of one activity.
    pub const fn of<A: Activity>() -> Self {
        Self {
            name: A::NAME,
            run: run::<A>,
        }
    }
}

#[allow(
    clippy::result_large_err,
    reason = "the generated trait asks for this type"
)]
/// Runs a task with the function its type names.
pub fn execute(entries: &[ActivityEntry], task: Task) -> Result<Option<Payload>, Failure> {
    let outcome = match entries
        .iter()
        .find(|entry| entry.name == task.activity_type)
    {
        Some(entry) => {
            let ctx = ActivityContext::new(task.info, task.heartbeat_details);
            (entry.run)(ctx, task.input)
        }
        None => Err(unknown(entries, &task.activity_type)),
    };
    outcome.map_err(ActivityError::into_failure)
}

fn run<A: Activity>(
    ctx: ActivityContext,
    input: Vec<Payload>,
) -> Result<Option<Payload>, ActivityError> {
    let input = payload::decode::<A::Input>(input).map_err(|error| {
        ActivityError::validation(format!("the input of {} does not fit it", A::NAME))
            .with_source(&error)
    })?;
    let output = A::execute(&ctx, input)?;
    payload::encode(&output).map(Some).map_err(|error| {
        ActivityError::validation(format!("the result of {} cannot be encoded", A::NAME))
            .with_source(&error)
    })
}

fn unknown(entries: &[ActivityEntry], name: &str) -> ActivityError {
    let known: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
    ActivityError::not_found(format!(
        "this release has no activity \"{name}\"; it has: {}",
        known.join(", ")
    ))
}
