//! The `tenterhook` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything can open a TLS connection. It fails only where a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tenterhook_cli::run(std::env::args_os())
}
