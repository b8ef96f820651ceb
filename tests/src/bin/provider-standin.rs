//! The provider stand-in as a program: `provider-standin --listen 127.0.0.1:8080`.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use tenterhook_tests::standin::StandIn;

/// A payment gateway, an inventory, an order and a fulfilment service that keep real books.
#[derive(Parser)]
#[command(name = "provider-standin")]
struct Arguments {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listen = arguments.listen;
    let standin = StandIn::start(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    // One line, for a person or a script to read the port from.
    writeln!(std::io::stdout(), "http://{}", standin.address())?;
    tokio::signal::ctrl_c()
        .await
        .context("cannot wait for Ctrl-C")?;
    standin.stop().await;
    Ok(())
}
