//! Tests Tenterhook plugins: the real component, in process, without a server.
//!
//! A test names its plugin, says what stands in for the world, and runs a workflow. What runs are the bytes that ship, in
//! the sandbox and by the translation that a host uses; in place of Temporal's server stands a simulation of it for one
//! tree of executions. Time skips: a workflow that waits for thirty days is tested in milliseconds.
//!
//! A test of a plugin's crate stands in its `tests/` folder. It needs two lines in `Cargo.toml` beside the plugin's own
//! (`tenterhook-testkit` and `serde_json` under `[dev-dependencies]`), and runs with `cargo test`:
//!
//! ```no_run
//! use std::{sync::{Arc, Mutex}, time::Duration};
//!
//! use serde_json::{Value, json};
//! use tenterhook_testkit::{Call, Failure, Kit, Message, Plugin, Sweep};
//!
//! /// The plugin of this crate, built by cargo once for all tests.
//! fn plugin() -> Plugin {
//!     Plugin::of(env!("CARGO_MANIFEST_DIR"))
//! }
//!
//! fn order() -> Value {
//!     json!({ "order_id": "o-1", "amount": 4200 })
//! }
//!
//! /// The provider, as small as the tests need it.
//! #[derive(Default)]
//! struct Bank {
//!     charged: Vec<String>,
//!     refunded: Vec<String>,
//! }
//!
//! fn bank(kit: &mut Kit) -> Arc<Mutex<Bank>> {
//!     let bank = Arc::new(Mutex::new(Bank::default()));
//!     let books = bank.clone();
//!     // Inputs and results are whatever serde reads and writes; the plugin's own types, where its crate is an `rlib` too.
//!     kit.mock_call("Charge", move |call: &Call<Value>| {
//!         let key = call.idempotency_key.clone();
//!         books.lock().unwrap().charged.push(key.clone());
//!         Ok(json!({ "charge_id": key }))
//!     });
//!     let books = bank.clone();
//!     kit.mock("Refund", move |charge: Value| {
//!         books.lock().unwrap().refunded.push(charge["charge_id"].to_string());
//!         Ok(())
//!     });
//!     kit.mock("Ship", |_: Value| Ok(json!({ "shipment_id": "s-1" })));
//!     bank
//! }
//!
//! #[test]
//! fn an_order_is_charged_and_shipped() {
//!     let mut kit = Kit::new(&plugin());
//!     let bank = bank(&mut kit);
//!     let ended = kit.run("ProcessOrder", &order());
//!     assert_eq!(ended.result::<Value>()["shipment_id"], "s-1");
//!     assert_eq!(ended.called(), ["Charge", "Ship"]);
//!     ended.never_called("Refund");
//!     assert_eq!(bank.lock().unwrap().charged.len(), 1);
//! }
//!
//! #[test]
//! fn what_cannot_be_shipped_is_refunded() {
//!     let mut kit = Kit::new(&plugin());
//!     bank(&mut kit);
//!     kit.mock("Ship", |_: Value| -> Result<Value, _> {
//!         Err(Failure::permanent("Conflict", "out of stock"))
//!     });
//!     let ended = kit.run("ProcessOrder", &order());
//!     assert!(ended.failure().is("Conflict"));
//!     ended.called_in_order(&["Charge", "Ship", "Refund"]);
//! }
//!
//! #[test]
//! fn an_order_can_be_asked_and_spoken_to() {
//!     let mut kit = Kit::new(&plugin());
//!     bank(&mut kit);
//!     let mut order = kit.start("ProcessOrder", &order());
//!     order.at(Duration::from_secs(3600), Message::signal("hurry", &()));
//!     order.until_called("Charge");
//!     assert_eq!(order.query::<String>("state", &()).unwrap(), "charging");
//!     let refused = order.update::<()>("cancel", &()).unwrap_err();
//!     assert!(refused.message.contains("too late"));
//!     assert!(order.finish().is_completed());
//! }
//!
//! #[test]
//! fn money_and_goods_agree_whatever_goes_wrong() {
//!     let swept = Sweep::of(&plugin()).run(|kit| {
//!         let bank = bank(kit);
//!         let ended = kit.run("ProcessOrder", &order());
//!         let bank = bank.lock().unwrap();
//!         let kept = bank.charged.len() - bank.refunded.len();
//!         if kept == usize::from(ended.is_completed()) {
//!             return Ok(());
//!         }
//!         Err(format!("{kept} charges are kept, and the order is {:?}", ended.outcome()))
//!     });
//!     println!("{} runs", swept.holds());
//! }
//!
//! #[test]
//! fn orders_that_are_under_way_go_on() {
//!     let mut kit = Kit::new(&plugin());
//!     bank(&mut kit);
//!     // Recorded by `TENTERHOOK_REWRITE=1 cargo test`, and replayed by all later runs.
//!     kit.run("ProcessOrder", &order()).fixture("tests/histories/order.json");
//! }
//! # fn main() {}
//! ```
//!
//! # What is as on a server, and what is not
//! - **Activities** are mocked ([`Kit::mock`], [`Kit::mock_call`]) or run for real ([`Kit::real`], [`Kit::all_real`]) with
//!   what the kit grants: [`Kit::grant_http`], [`Kit::configure`], [`Kit::secret`], [`Kit::grant_keyvalue`]. Retry
//!   policies, all time-outs, failures that are not retried or say when, heartbeats' details and cancellation are Temporal's.
//!   An activity without a mock that is not run for real fails the test.
//! - **Time** passes only where everything waits. A mock takes none, unless [`Mock::takes`] says so. The code of an activity
//!   that runs for real sees the machine's clock, and takes no workflow time. So does the sandbox: a destination that fails
//!   seven times in a row is left alone for a real second and more, in which an activity without end is tried in vain. Have
//!   the service fail less often than that, or the step by [`Kit::inject`].
//! - **Children** run for real, of the same plugin or another one ([`Kit::with`]), or are mocked ([`Kit::mock_child`]).
//! - **Determinism**: everything that a test ran is run a second time as a replay, on a fresh instance. Another command is a
//!   panic that says which; [`Kit::once`] leaves it out.
//! - **A task that fails** (a trap, a limit, a refused command) ends the test; on a host it would be tried until somebody
//!   mends the code.
//! - **Not simulated**: schedules and cron, Nexus, resets, worker versions, search by visibility. A local activity's pauses
//!   pass at once, without anything else happening in them.

mod activities;
mod agenda;
mod asking;
mod attempt;
mod cargo;
mod child_mock;
mod children;
mod close;
mod command;
mod ended;
mod episode;
mod execution;
mod failure;
mod fault;
mod history;
mod journal;
mod kit;
mod lab;
mod local;
mod message;
mod mock;
mod others;
mod outside;
mod payload;
mod plugin;
mod real;
mod replay;
mod retry;
mod setup;
mod sweep;
mod tape;
mod target;
mod task;
mod world;

pub use ended::Ended;
pub use execution::Execution;
pub use failure::Failure;
pub use fault::{Fault, FaultKind};
pub use journal::{Attempt, Step, StepKind};
pub use kit::Kit;
pub use message::Message;
pub use mock::{Call, Mock};
pub use plugin::Plugin;
pub use sweep::{Sweep, Swept, Violation};
