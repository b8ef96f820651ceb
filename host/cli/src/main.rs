//! The `tenterhook` program.

use std::process::ExitCode;

/// The system's allocator keeps what threads let go of in so many pieces that a host's memory grows for hours.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything can open a TLS connection. It fails only where a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tenterhook_cli::run(std::env::args_os())
}
