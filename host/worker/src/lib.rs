//! Temporal's side of the host: the only crate that knows Temporal's Core.
//!
//! [`Lanes`] poll task queues and run what they are given; a [`Gateway`] starts and talks to executions, which a
//! [`Directory`] finds.
//! A [`Gate`] replays recorded histories on a release before it takes traffic, a [`VisibilityCensus`] counts
//! executions by release. All work through one [`Temporal`] connection.

mod activity;
mod census;
mod codec;
mod connection;
mod context_keys;
mod directory;
mod double_run;
mod executor;
mod fair;
mod gateway;
mod intake;
mod known;
mod lane;
mod lanes;
mod moves;
mod payload;
mod replay;
mod resolver;
mod runs;
mod shortage;

pub use census::VisibilityCensus;
pub use codec::Codec;
pub use connection::{SEARCH_ATTRIBUTES, Target, Temporal};
pub use context_keys::follow_context_keys;
pub use directory::Directory;
pub use double_run::DOUBLE_RUNS_AT_ONCE;
pub use gateway::Gateway;
pub use lane::LaneConfig;
pub use lanes::{Lanes, Means, start_lanes};
pub use replay::{
    Candidate, EXPORT_BYTES_MAX, Gate, REPLAYS_AT_ONCE, Recorded, Replayer, export_history,
};
