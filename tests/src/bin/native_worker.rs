//! The native worker that the bench measures this host against; see `tenterhook_tests::bench`.

use clap::Parser;
use tenterhook_tests::{bench::native, install_tls};

/// Works one task queue with the bench plugin's workflows, compiled natively.
#[derive(Debug, Parser)]
struct Arguments {
    /// The Temporal server, HOST:PORT.
    #[arg(long)]
    address: String,
    /// The task queue to work.
    #[arg(long)]
    task_queue: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    install_tls();
    native::work(&arguments.address, &arguments.task_queue).await
}
