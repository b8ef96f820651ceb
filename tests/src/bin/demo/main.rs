//! The demo: two tenants' payments on one running host, told as a story and held against the
//! providers' books. `cargo xtask demo` prepares everything and runs this.

#![expect(clippy::print_stdout, reason = "the story is for the terminal")]

mod audit;
mod payment;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use serde_json::{Value, json};
use tenterhook_tests::host::{Api, Host, World, guest};
use tenterhook_tests::standin::StandIn;

use crate::payment::Payment;

/// The plugin that is pushed.
const PLUGIN: &str = "payment";

/// Runs payments of two tenants on a fresh host and checks the story against the providers' books.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Leave everything running at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            println!("\nThe demo broke off: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let data = tempfile::Builder::new()
        .prefix("tenterhook-demo-")
        .tempdir()?;
    let standin = StandIn::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .context("the provider stand-in does not start")?;
    println!(
        "\nStarting a host with an empty data folder, {} ...",
        data.path().display()
    );
    let begun = Instant::now();
    let mut host = Host::start(data.path()).await?;
    story::opening(&host, &standin, begun.elapsed());

    let told = tell(&host.api, &standin).await;
    let agree = told.as_ref().is_ok_and(|mismatches| mismatches.is_empty());
    if let Ok(mismatches) = &told {
        story::verdict(mismatches);
    }
    if arguments.keep {
        story::still_running(&host, &standin);
        tokio::signal::ctrl_c()
            .await
            .context("cannot wait for Ctrl-C")?;
    }
    // Where the story broke off, the host's log is the next thing to read.
    if told.is_err() || !agree {
        println!("{}", last_lines(&host.log()));
    }
    let stopped = host.stop().await;
    standin.stop().await;
    told?;
    let well = stopped.context("the host does not stop")?;
    anyhow::ensure!(
        well,
        "the host stopped with an error; its log:\n{}",
        last_lines(&host.log())
    );
    Ok(if agree {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The whole story. Answers where it and the books disagree.
async fn tell(api: &Api, standin: &StandIn) -> anyhow::Result<Vec<String>> {
    let component = guest(PLUGIN)?;
    let mut mismatches = Vec::new();
    let mut digests = Vec::new();
    for tenant in ["acme", "globex"] {
        let world = World::make(api, tenant).await?;
        let release = push(&world, tenant, component.clone(), standin).await?;
        let digest = release["digest"].as_str().unwrap_or_default().to_owned();
        story::tenant(tenant, &release);
        let payments = payment::of(tenant);
        for payment in &payments {
            mismatches.extend(run(&world, tenant, payment, &digest, standin).await?);
        }
        mismatches.extend(audit::totals(tenant, &payments, &standin.book(tenant)));
        digests.push(digest);
    }
    if digests.windows(2).any(|pair| pair[0] != pair[1]) {
        mismatches.push(format!(
            "the same component has different digests: {digests:?}"
        ));
    }
    Ok(mismatches)
}

/// Gives the tenant its own configuration and grants, and pushes the component to the running host.
async fn push(
    world: &World,
    tenant: &str,
    component: Vec<u8>,
    standin: &StandIn,
) -> anyhow::Result<Value> {
    let path = world.path(&format!("plugins/{PLUGIN}/releases"));
    let release = world
        .api
        .upload(&path, component)
        .await?
        .ok()
        .context("the push is refused")?;
    let providers = standin.base_url(tenant);
    let config = json!({
        "gateway_url": format!("{providers}/gateway"),
        "inventory_url": format!("{providers}/inventory"),
        "orders_url": format!("{providers}/orders"),
        "fulfillment_url": format!("{providers}/fulfillment"),
    });
    world
        .configure(PLUGIN, &config)
        .await
        .context("the configuration is refused")?;
    let grants = json!({
        "http": [{ "host": standin.address().to_string() }],
        "private_network": true,
        "config": true,
        "keyvalue": true,
    });
    world
        .grant(PLUGIN, &grants)
        .await
        .context("the grants are refused")?;
    Ok(release)
}

/// One payment: run, told, compared.
async fn run(
    world: &World,
    tenant: &str,
    payment: &Payment,
    digest: &str,
    standin: &StandIn,
) -> anyhow::Result<Vec<String>> {
    if let Some((operation, switch)) = payment.trouble.clone() {
        standin.switch(tenant, operation, switch);
    }
    let begun = Instant::now();
    let mut outcome = world
        .execute("payment.ProcessPayment", payment.id, payment.input())
        .await?;
    let took = begun.elapsed();
    outcome["digest"] = world.describe(payment.id).await?["digest"].take();
    let steps = audit::steps(&world.events(payment.id).await?);
    let book = standin.book(tenant);
    story::payment(payment, &outcome, &steps, &book, took);
    Ok(audit::payment(
        tenant, payment, digest, &outcome, &steps, &book,
    ))
}

/// The end of a log, for a person.
fn last_lines(log: &str) -> String {
    const LINES_MAX: usize = 40;
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

/// A file that the host keeps in its data folder, when it is there.
fn noted(data: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(data.join(name))
        .ok()
        .map(|text| text.trim().to_owned())
}
