//! Components from OCI registries: what may be pulled, with which credentials, and that it is what was asked for.
//!
//! A pull is a request that the host makes, to an address that a tenant's author wrote. So where it may go is the
//! operator's decision, and nothing is allowed before the operator says so.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `allowed` | the places that the operator allows |
//! | `credentials` | a Docker configuration file, read anew for each pull |
//! | `pull` | manifest and layer, each bounded and held against its digest |

mod allowed;
mod credentials;
mod pull;

pub use allowed::AllowedPlace;
pub use pull::{MANIFEST_BYTES_MAX, OciRegistries, PULL_TIMEOUT};
