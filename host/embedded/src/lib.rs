//! The Temporal server of one machine: Temporal's own dev server as a child process of
//! `tenterhook dev`, found, started with the settings that make it fast, watched and restarted.
//!
//! [`TemporalProgram::find`] says where the `temporal` program is; [`EmbeddedTemporal::start`]
//! runs it over one database file until [`EmbeddedTemporal::stop`]. Whether a server is to be
//! embedded at all (`TEMPORAL_ADDRESS` means no) is the caller's to decide.
//!
//! What holds whatever happens:
//! - the child never outlives the host, not even a host killed with SIGKILL (on Linux);
//! - a child that dies is started again on the same ports with the same file;
//! - started means answered: [`EmbeddedTemporal::start`] returns after the server served a call
//!   that went through to its history.

mod arguments;
mod child;
mod download;
mod log;
mod ports;
mod program;
mod ready;
mod supervisor;

pub use arguments::{Config, SearchAttribute, Ui};
pub use program::{NotFound, Places, Source, TemporalProgram, VERSION};
pub use supervisor::{EmbeddedTemporal, StartError, Status};
