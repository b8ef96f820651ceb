//! Half an hour's worth of changes in one bounded test: uploads, promotions, ramps and rollbacks while load runs and
//! hosts are killed at random. What is decided by chance is repeated by its seed. A test program of its own: it takes
//! all that the machine has.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod chance;
mod line;
mod load;
mod variant;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tenterhook_tests::{
    cluster::Cluster,
    dev_server,
    host::{Fleet, Host},
    raw,
};
use tokio::sync::{Mutex, mpsc};

use self::{chance::Chance, line::Line, load::Execution, variant::PLUGINS};

const TENANTS: usize = 5;
/// Changes of all lines together, the first upload of each included.
const CHANGES: usize = 100;
/// A host is killed within this many milliseconds of every so-manieth change.
const KILL_EVERY: usize = 14;
const KILL_WITHIN_MILLIS: u64 = 1_500;

/// One test at a time.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_under_load_and_kills_break_nothing_on_one_host() {
    let _turn = TURN.lock().await;
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let host = Host::serve(data.path(), &address).await.unwrap();
    churn(vec![host], &address, Chance::seeded("one host")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_under_load_and_kills_break_nothing_on_two_hosts() {
    let _turn = TURN.lock().await;
    let cluster = Cluster::start().await.unwrap();
    let hosts = vec![
        cluster.host("one", "all").await.unwrap(),
        cluster.host("two", "all").await.unwrap(),
    ];
    churn(hosts, &cluster.temporal(), Chance::seeded("two hosts")).await;
}

async fn churn(hosts: Vec<Host>, temporal: &str, mut chance: Chance) {
    let begun = Instant::now();
    let fleet = Fleet::default();
    for (index, host) in hosts.iter().enumerate() {
        fleet.set(index, host.api.clone());
    }
    let lines = lines(&fleet, &mut chance).await;
    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = lines
        .iter()
        .map(|line| tokio::spawn(load::run(fleet.clone(), line.clone(), over.clone())))
        .collect();
    let (changed, changes) = mpsc::unbounded_channel();
    let killer = tokio::spawn(kill(hosts, fleet.clone(), changes, chance.branch()));
    // The lines of one plugin are one driver's, so that three changes are under way at once.
    let mut drivers = Vec::new();
    for plugin in PLUGINS {
        let own = lines.iter().filter(|line| line.plugin == plugin).cloned();
        drivers.push(tokio::spawn(drive(
            own.collect(),
            chance.branch(),
            changed.clone(),
        )));
    }
    drop(changed);
    let mut made = TENANTS * PLUGINS.len();
    for driver in drivers {
        made += driver.await.unwrap().unwrap();
    }
    let (hosts, kills) = killer.await.unwrap();
    over.store(true, Ordering::Relaxed);
    let mut executions: Vec<Execution> = Vec::new();
    for one in load {
        executions.extend(one.await.unwrap().unwrap());
    }
    let mut service = raw::temporal(temporal).await.unwrap();
    for execution in &executions {
        if let Err(wrong) = execution.check(&fleet, &mut service).await {
            panic!("{}\n{wrong:#}", last_words(&hosts));
        }
    }
    eprintln!(
        "{made} changes, {kills} kills, {} executions, {} requests tried again, {:?}",
        executions.len(),
        fleet.retries(),
        begun.elapsed()
    );
    assert!(
        made >= CHANGES && kills >= CHANGES / KILL_EVERY - 2,
        "{made} changes, {kills} kills"
    );
    assert!(executions.len() >= CHANGES, "too little load to tell");
}

/// Three plugins of five tenants, each with its first release.
async fn lines(fleet: &Fleet, chance: &mut Chance) -> Vec<Arc<Line>> {
    let mut lines = Vec::new();
    for tenant in 0..TENANTS {
        let base = format!("/v1/tenants/churn-{tenant}");
        for path in [base.clone(), format!("{base}/environments/production")] {
            let made = fleet.call(Method::PUT, &path, Some(&json!({}))).await;
            made.unwrap().ok().unwrap();
        }
        for plugin in PLUGINS {
            let line = Line::new(fleet, &format!("churn-{tenant}"), plugin);
            line.upload(chance).await.unwrap();
            lines.push(Arc::new(line));
        }
    }
    lines
}

/// Changes one line after another. Answers how many changes it made.
async fn drive(
    lines: Vec<Arc<Line>>,
    mut chance: Chance,
    changed: mpsc::UnboundedSender<()>,
) -> anyhow::Result<usize> {
    let changes = (CHANGES - TENANTS * PLUGINS.len()).div_ceil(PLUGINS.len());
    for _ in 0..changes {
        let at = usize::try_from(chance.below(lines.len() as u64))?;
        let line = &lines[at];
        match chance.below(4) {
            0 => line.upload(&mut chance).await?,
            1 => line.promote(&mut chance).await?,
            2 => line.ramp(&mut chance).await?,
            _ => line.roll_back().await?,
        }
        // An error says that the killer is gone, which the test's end shows.
        let _ = changed.send(());
    }
    Ok(changes)
}

/// Kills a host a moment after every so-manieth change and starts it again. Answers how often.
async fn kill(
    mut hosts: Vec<Host>,
    fleet: Fleet,
    mut changes: mpsc::UnboundedReceiver<()>,
    mut chance: Chance,
) -> (Vec<Host>, usize) {
    let (mut seen, mut kills) = (0, 0);
    while changes.recv().await.is_some() {
        seen += 1;
        if seen % KILL_EVERY != 0 {
            continue;
        }
        let moment = Duration::from_millis(chance.below(KILL_WITHIN_MILLIS));
        tokio::time::sleep(moment).await;
        let index = usize::try_from(chance.below(hosts.len() as u64)).unwrap();
        hosts[index].kill().unwrap();
        hosts[index].restart().await.unwrap();
        fleet.set(index, hosts[index].api.clone());
        kills += 1;
    }
    (hosts, kills)
}

fn last_words(hosts: &[Host]) -> String {
    let words = hosts.iter().map(|host| {
        let log = host.log();
        let lines: Vec<&str> = log.lines().rev().take(40).collect();
        format!(
            "{}\n",
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    });
    words.collect()
}
