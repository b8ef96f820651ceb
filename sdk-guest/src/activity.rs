//! Activities: what `#[activity]` makes of a function, and how one task finds it.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_workflow::common::ActivityDefinition;

use crate::context::ActivityContext;
use crate::error::ActivityError;
use crate::generated::exports::tenterhook::plugin::activities::{Failure, Payload, Task};
use crate::metadata;
use crate::payload;
use crate::presets::{Retry, Timeout};

/// An activity that this plugin implements, by the type that stands for it. [`#[activity]`](crate::activity) makes it.
///
/// It extends Temporal's [`ActivityDefinition`], so a value of the type is also what `ctx.execute_activity` and
/// `ctx.execute_local_activity` take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no activity",
    label = "not an activity",
    note = "give its function `#[activity]`"
)]
pub trait Activity:
    ActivitySet
    + ActivityDefinition<
        Input: Serialize + DeserializeOwned + JsonSchema,
        Output: Serialize + DeserializeOwned + JsonSchema,
    > + Default
    + 'static
{
    /// The name inside the plugin: `ValidatePayment`, which Temporal knows as `payment.ValidatePayment`.
    const NAME: &'static str;
    /// What it does, for a person; empty if the author did not say.
    const DESCRIPTION: &'static str;
    /// How long one attempt may take, unless the call says otherwise.
    const TIMEOUT: Timeout = Timeout::Medium;
    /// How an attempt is repeated, unless the call says otherwise.
    const RETRY: Retry = Retry::Standard;

    /// Makes one attempt: runs the author's function.
    ///
    /// # Errors
    /// Whatever the function returns; the error says whether Temporal tries again.
    fn execute(ctx: &ActivityContext, input: Self::Input) -> Result<Self::Output, ActivityError>;
}

/// One activity, or a struct with several ([`#[activities]`](crate::activities)): what `plugin!` takes in its list.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an activity nor a group of them",
    label = "not an activity",
    note = "give its function `#[activity]`, or the `impl` of the struct `#[activities]`"
)]
pub trait ActivitySet {
    /// The rows of the plugin's table.
    #[doc(hidden)]
    const ENTRIES: &'static [ActivityEntry];
}

/// One row of a plugin's table of activities.
#[derive(Clone, Copy)]
pub struct ActivityEntry {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) input_schema: fn() -> String,
    pub(crate) result_schema: fn() -> String,
    run: fn(ActivityContext, Vec<Payload>) -> Result<Option<Payload>, ActivityError>,
}

impl ActivityEntry {
    /// The row of one activity.
    pub const fn of<A: Activity>() -> Self {
        Self {
            name: A::NAME,
            description: A::DESCRIPTION,
            input_schema: metadata::schema::<A::Input>,
            result_schema: metadata::schema::<A::Output>,
            run: run::<A>,
        }
    }
}

/// The rows of one item of `plugin!`'s list.
pub const fn entries<S: ActivitySet>() -> &'static [ActivityEntry] {
    S::ENTRIES
}

/// Stops the compiler where two rows have the same name.
pub const fn assert_distinct(sets: &[&[ActivityEntry]]) {
    let (mut set, mut row) = (0, 0);
    while set < sets.len() {
        if row == sets[set].len() {
            (set, row) = (set + 1, 0);
            continue;
        }
        assert!(
            occurrences(sets, sets[set][row].name) == 1,
            "two activities of this plugin have the same name: rename one by `#[activity(name = \"…\")]`"
        );
        row += 1;
    }
}

const fn occurrences(sets: &[&[ActivityEntry]], name: &str) -> usize {
    let (mut found, mut set) = (0, 0);
    while set < sets.len() {
        let mut row = 0;
        while row < sets[set].len() {
            if same(sets[set][row].name.as_bytes(), name.as_bytes()) {
                found += 1;
            }
            row += 1;
        }
        set += 1;
    }
    found
}

/// `==`, which cannot be called where constants are made.
const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[allow(
    clippy::result_large_err,
    reason = "the generated trait asks for this type"
)]
/// Runs a task with the function its type names.
pub fn execute(sets: &[&[ActivityEntry]], task: Task) -> Result<Option<Payload>, Failure> {
    let mut entries = sets.iter().copied().flatten();
    let outcome = match entries.find(|entry| entry.name == task.activity_type) {
        Some(entry) => {
            let ctx = ActivityContext::new(task.info, task.heartbeat_details);
            (entry.run)(ctx, task.input)
        }
        None => Err(unknown(sets, &task.activity_type)),
    };
    outcome.map_err(ActivityError::into_failure)
}

fn run<A: Activity>(
    ctx: ActivityContext,
    input: Vec<Payload>,
) -> Result<Option<Payload>, ActivityError> {
    let input = payload::decode::<A::Input>(input).map_err(|error| unfit_input(A::NAME, &error))?;
    let output = A::execute(&ctx, input)?;
    payload::encode(&output)
        .map(Some)
        .map_err(|error| unfit_output(A::NAME, &error))
}

// The words of failures stand outside of what is compiled for each activity, to keep components small.

#[inline(never)]
fn unfit_input(name: &str, error: &payload::PayloadError) -> ActivityError {
    ActivityError::validation(format!("the input of {name} does not fit it")).with_source(error)
}

#[inline(never)]
fn unfit_output(name: &str, error: &payload::PayloadError) -> ActivityError {
    ActivityError::validation(format!("the result of {name} cannot be encoded")).with_source(error)
}

fn unknown(sets: &[&[ActivityEntry]], name: &str) -> ActivityError {
    let known: Vec<&str> = sets
        .iter()
        .copied()
        .flatten()
        .map(|entry| entry.name)
        .collect();
    ActivityError::not_found(format!(
        "this release has no activity \"{name}\"; it has: {}",
        known.join(", ")
    ))
}
