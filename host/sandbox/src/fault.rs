//! From what wasmtime reports to the sentence a plugin's author reads.

use tenterhook_domain::{
    Code,
    limit::{Limits, STACK_BYTES},
};
use tenterhook_workflow::guest::Fault;
use wasmtime::{Trap, WasmBacktrace};

/// Most function names quoted from a backtrace.
const FRAMES_MAX: usize = 6;
/// Longest function name quoted, in characters.
const FRAME_CHARS_MAX: usize = 120;

/// A host function's refusal: it travels through the guest as a trap and comes out with its code.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// What ended, for the sentence: limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// One activation of a workflow.
    Activation,
    /// One attempt of an activity.
    Attempt,
}

/// The fault that `error` is. `last_words` is what the guest wrote to stderr before it died.
pub(crate) fn of(error: &wasmtime::Error, work: Work, limits: &Limits, last_words: &str) -> Fault {
    let (code, message) = explain(error, work, limits, last_words);
    Fault::Dead { code, message }
}

fn explain(
    error: &wasmtime::Error,
    work: Work,
    limits: &Limits,
    last_words: &str,
) -> (Code, String) {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return (refusal.code, refusal.message.clone());
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return (Code::GuestTrapped, exited(exit.0));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (
            Code::GuestFuelExhausted,
            format!(
                "the workflow used all of its {} instructions for one activation (limit activation_fuel): move the \
                 work into an activity, or have an operator raise activation_fuel in the plugin's grants",
                limits.activation_fuel
            ),
        ),
        Some(Trap::Interrupt) => match work {
            Work::Activation => (
                Code::GuestDeadlineExceeded,
                format!(
                    "the workflow took more than {} ms of processor time in one activation (limit activation_millis): move the work \
                     into an activity, or have an operator raise activation_millis in the plugin's grants",
                    limits.activation_millis
                ),
            ),
            Work::Attempt => deadline(limits.activity_millis),
        },
        Some(Trap::StackOverflow) => (
            Code::GuestTrapped,
            format!(
                "the plugin's call stack is full: it recurses too deep for its {STACK_BYTES} bytes (limit stack_bytes, the same \
                 for all plugins){}",
                place(error)
            ),
        ),
        trap => {
            let what = match (last_words.is_empty(), trap) {
                (false, _) => format!("the plugin died: {last_words}"),
                // Languages put their stack at the bottom of memory: full, it runs out of it.
                (true, Some(Trap::MemoryOutOfBounds)) => {
                    "the plugin reached outside its memory: most often its stack is full, by recursing too deep"
                        .to_owned()
                }
                (true, Some(trap)) => format!("the plugin trapped: {trap}"),
                (true, None) => format!("the plugin failed: {}", error.root_cause()),
            };
            (Code::GuestTrapped, format!("{what}{}", place(error)))
        }
    }
}

/// The fault of an attempt that ran longer than `millis`.
pub(crate) fn deadline(millis: u64) -> (Code, String) {
    (
        Code::GuestDeadlineExceeded,
        format!(
            "the activity ran longer than {millis} ms and was ended: its time-outs or the limit activity_millis allow \
             no more; split the work, set a longer time-out, or have an operator raise activity_millis in the \
             plugin's grants"
        ),
    )
}

/// What is said of a guest that called `exit`.
pub(crate) fn exited(status: i32) -> String {
    format!(
        "the plugin ended its own process with status {status}: return from workflows and activities instead"
    )
}

/// ` (in f, called by g)`, as far as the component kept its names.
fn place(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return String::new();
    };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .take(FRAMES_MAX)
        .map(|name| name.chars().take(FRAME_CHARS_MAX).collect())
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" (in {})", names.join(", called by "))
}
