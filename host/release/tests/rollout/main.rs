//! Ramps, guard, retirement and sweep against a real store, with executions and a clock that the test sets.
#![allow(clippy::unwrap_used)]

mod ramps;
mod retiring;
mod stage;
mod sweeping;
