//! What the end-to-end tests, the demo and the benches share: hosts, databases, the providers that plugins talk to.

pub mod bench;
pub mod cluster;
pub mod dev_server;
pub mod echo;
pub mod host;
pub mod postgres;
pub mod proxy;
pub mod raw;
pub mod registry;
pub mod services;
pub mod signer;
pub mod standin;
pub mod temporal_cli;

/// Makes ring the TLS provider of this process, which `reqwest` needs even for plain HTTP.
/// Harmless when called again.
pub fn install_tls() {
    // An error says that one is installed already: that is what is wanted.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
