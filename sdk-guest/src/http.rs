//! HTTP to the tenant's services and providers, over `wasi:http`; for activities.
//!
//! A plugin reaches the hosts it asks for in `wants: { http: [...] }` and the operator grants. Calls block. Answers
//! are mapped to the error taxonomy by [`Response::ok`]: the plugin says what the provider's refusals mean, the
//! rest is the same for all.
//!
//! ```ignore
//! let charge: Charge = http::post(&format!("{base}/charges"))
//!     .idempotency_key(ctx.idempotency_key())
//!     .json(&request)?
//!     .send()?
//!     .ok()?
//!     .json()?;
//! ```

mod address;
mod request;
mod response;
mod retry_after;
mod secret;
mod transport;

pub use address::{encode_segment, join};
pub use request::{Method, Request, delete, get, post, put};
pub use response::Response;
pub use secret::secret;

use std::time::Duration;

/// The header by which providers recognise a repeated call.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// How long a request may wait for its connection, unless it says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request may wait for the first byte of the answer, and then between bytes, unless it says otherwise.
/// Less than the shortest preset timeout of an activity, so that the activity fails with the reason.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The most bytes of an answer's body that are read, unless the request says otherwise.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;
