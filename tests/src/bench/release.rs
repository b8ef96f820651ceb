//! From an upload to the first execution on it, and the start of a host that finds many releases: hosts of their own on
//! one PostgreSQL database, through the HTTP API.

use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Plan, report::quantile};
use crate::{
    cluster::Cluster,
    host::{Host, World, guest},
};

/// Upload to the end of the first execution, where no host has compiled the component.
const FRESH_MILLIS_MAX: f64 = 2_000.0;
/// The same where one has, for another tenant.
const KNOWN_MILLIS_MAX: f64 = 100.0;
/// Start of a host on an empty data folder.
const COLD_MILLIS_MAX: f64 = 1_000.0;
/// What is measured: the smallest guest above 1 MiB that needs no provider.
const PLUGIN: &str = "test-workflows";
/// The least that it has to have, in bytes, for the bounds to mean what they say.
const COMPONENT_BYTES_MIN: usize = 1024 * 1024;

/// What was measured.
#[derive(Debug)]
pub struct Releases {
    bytes: usize,
    fresh: Vec<Duration>,
    known: Vec<Duration>,
    shared: Vec<Duration>,
    releases: usize,
    cold: [Vec<Duration>; 2],
}

/// Measures uploads and cold starts.
///
/// # Errors
/// When something does not start, or an execution fails.
pub async fn measure(plan: &Plan) -> anyhow::Result<Releases> {
    let cluster = Cluster::start().await?;
    let host = cluster.host("first", "all").await?;
    let component = guest(PLUGIN)?;
    anyhow::ensure!(
        component.len() >= COMPONENT_BYTES_MIN,
        "{PLUGIN} has shrunk to {} bytes: measure another",
        component.len()
    );
    let empty = cold_starts(&cluster, "empty", plan.loads).await?;
    // What a host does once in its life is not part of what an upload takes.
    first_result(&host, "warm-up", labelled(&component, usize::MAX)).await?;
    let (mut fresh, mut known) = (Vec::new(), Vec::new());
    for number in 0..plan.uploads {
        let component = labelled(&component, number);
        let tenant = format!("fresh-{number}");
        fresh.push(first_result(&host, &tenant, component.clone()).await?);
        let tenant = format!("known-{number}");
        known.push(first_result(&host, &tenant, component).await?);
    }
    // Another host, alone: what it does not find compiled it has to compile.
    drop(host);
    let host = cluster.host("second", "all").await?;
    first_result(&host, "warm-up-2", labelled(&component, usize::MAX)).await?;
    let mut shared = Vec::new();
    for number in 0..plan.uploads {
        let component = labelled(&component, number);
        let tenant = format!("shared-{number}");
        shared.push(first_result(&host, &tenant, component).await?);
    }
    for number in 0..plan.releases {
        let world = World::make(&host.api, &format!("many-{number}")).await?;
        world.push(PLUGIN, component.clone()).await?;
    }
    let full = cold_starts(&cluster, "full", plan.loads).await?;
    Ok(Releases {
        bytes: component.len(),
        fresh,
        known,
        shared,
        releases: plan.releases,
        cold: [empty, full],
    })
}

/// The time from the upload to the result of the first execution on it: it ends at its start, so that this is the time
/// until the new code serves, and not what the server takes for activities.
async fn first_result(host: &Host, tenant: &str, component: Vec<u8>) -> anyhow::Result<Duration> {
    let world = World::make(&host.api, tenant).await?;
    let begun = Instant::now();
    let digest = world.push(PLUGIN, component).await?;
    let outcome = world
        .execute(
            "test-workflows.ContinuesAsNew",
            "w",
            json!({ "remaining": 0 }),
        )
        .await?;
    let took = begun.elapsed();
    anyhow::ensure!(outcome["result"]["remaining"] == 0, "{outcome:#}");
    let seen = world.until("w", |seen| seen["digest"].is_string()).await?;
    anyhow::ensure!(seen["digest"] == json!(digest), "{seen:#}");
    Ok(took)
}

async fn cold_starts(cluster: &Cluster, name: &str, times: usize) -> anyhow::Result<Vec<Duration>> {
    let mut starts = Vec::new();
    for number in 0..times {
        let begun = Instant::now();
        let host = cluster.host(&format!("{name}-{number}"), "all").await?;
        starts.push(begun.elapsed());
        is_cold(host.data_dir())?;
    }
    Ok(starts)
}

fn is_cold(data: &Path) -> anyhow::Result<()> {
    let compiled = std::fs::read_dir(data.join("compiled")).map_or(0, Iterator::count);
    anyhow::ensure!(compiled == 0, "{compiled} components are compiled already");
    Ok(())
}

/// The component with a custom section at its end: other bytes, the same code.
fn labelled(component: &[u8], number: usize) -> Vec<u8> {
    let mut labelled = component.to_vec();
    // Id 0, size, length of the name, name, content.
    labelled.extend([0, 14, 5]);
    labelled.extend(b"label");
    labelled.extend((number as u64).to_le_bytes());
    labelled
}

impl Releases {
    /// True if every bound holds.
    pub fn holds(&self) -> bool {
        self.rows().iter().all(|(_, millis, bound)| millis < bound)
    }

    fn rows(&self) -> [(String, f64, f64); 5] {
        let kib = self.bytes / 1024;
        let upload = |what| format!("upload of {kib} KiB to the first execution, {what}");
        let cold = |releases| format!("start of a host on an empty folder, {releases} releases");
        [
            (
                upload("compiled nowhere"),
                quantile(&self.fresh, 0.5),
                FRESH_MILLIS_MAX,
            ),
            (
                upload("compiled for another tenant"),
                quantile(&self.known, 0.5),
                KNOWN_MILLIS_MAX,
            ),
            (
                upload("compiled by another host"),
                quantile(&self.shared, 0.5),
                KNOWN_MILLIS_MAX,
            ),
            (cold(0), quantile(&self.cold[0], 0.5), COLD_MILLIS_MAX),
            (
                cold(self.releases),
                quantile(&self.cold[1], 0.5),
                COLD_MILLIS_MAX,
            ),
        ]
    }
}

impl fmt::Display for Releases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## Releases\n")?;
        writeln!(f, "| | p50 ms | bound |\n| --- | --- | --- |")?;
        for (what, millis, bound) in self.rows() {
            let verdict = if millis < bound {
                "holds"
            } else {
                "**missed**"
            };
            writeln!(f, "| {what} | {millis:.0} | < {bound:.0}: {verdict} |")?;
        }
        let ratio = quantile(&self.fresh, 0.5) / quantile(&self.known, 0.5);
        writeln!(
            f,
            "\nA component that was compiled before is there {ratio:.0} times as fast."
        )
    }
}
