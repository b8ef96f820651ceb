//! Signatures of components: sigstore bundles, verified offline.
//!
//! The only crate that knows sigstore. Nothing is fetched: keys come from a tenant's trust policy, authorities and logs
//! from the trust root that the operator gives.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `verifier` | a bundle held against a policy |
//! | `provider` | the cryptography, on ring and p256 |

mod provider;
mod verifier;

pub use verifier::{SigstoreSignatures, TRUST_ROOT_BYTES_MAX};
