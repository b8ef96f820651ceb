//! The words of Tenterhook and the rules between them: who owns what, what a release is, what may be
//! granted, what is refused and under which code.
//!
//! Pure: no I/O, no runtime, no Temporal, no WebAssembly. Traits here (`execution`, `component`, `circuit`, `lane`, `origin`, `trust`) are the
//! doors between crates that must not know each other.

pub mod audit;
pub mod check;
pub mod circuit;
pub mod clock;
pub mod compatibility;
pub mod component;
pub mod context;
pub mod digest;
pub mod double_run;
pub mod error;
pub mod execution;
pub mod grant;
pub mod lane;
pub mod limit;
pub mod memory;
pub mod name;
pub mod origin;
pub mod payload_key;
pub mod policy;
pub mod quota;
pub mod release;
pub mod replay;
pub mod rollout;
pub mod schedule;
pub mod secret;
pub mod secret_key;
pub mod tally;
pub mod token;
pub mod trust;
pub mod whole;

pub use digest::Digest;
pub use error::{Code, Error, Result};
pub use name::{EnvironmentName, PluginName, ScheduleId, Scope, SecretName, TenantId, TypeName};
