//! The plugin's component in the test kit, its activities and all, against services that keep books. `ProcessPayment` is
//! in `process`, and with mocks for its activities it is the test kit's own example: `sdk-guest/testkit/tests/kit/`. The
//! rest is of `SubscriptionPayment`.
//!
//! `cargo xtask guests` builds the component that is tested.
// What is expected is read where a test failed; sweeps say how many runs they made.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cancellation;
mod failures;
mod periods;
mod process;
mod services;
mod sweeps;
