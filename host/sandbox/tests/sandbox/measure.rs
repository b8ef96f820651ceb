//! Measurements, not checks: `cargo test --workspace --test sandbox -- --ignored --nocapture measure`.

#![allow(clippy::print_stdout, reason = "a measurement says what it measured")]

use std::{sync::Arc, time::Instant};

use crate::{
    Place, guest, owner,
    workflow::{NOON, init, start},
};

/// Sleeping instances that are held at once.
const INSTANCES: u32 = 1_000;

fn private_dirty_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Private_Dirty:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn sleeping_instances() {
    let place = Place::new();
    let component = place.load(&guest("test-native-sdk")).await;
    let module = component
        .workflows(Arc::default(), owner(component.digest()))
        .unwrap();
    let sleep = || {
        let mut instance = module
            .instantiate(&init("TimerThenSignal", "1000"), NOON)
            .unwrap();
        instance.activate(&start(), NOON).unwrap();
        instance.poll_routine(0).unwrap();
        instance.take_commands();
        instance
    };
    let warm = sleep();
    let before = private_dirty_kib();
    let began = Instant::now();
    let instances: Vec<_> = (0..INSTANCES).map(|_| sleep()).collect();
    let took = began.elapsed();
    let after = private_dirty_kib();
    println!(
        "{} KiB of its own and {:?} to start an instance that sleeps; linear memory {} KiB",
        (after - before) / u64::from(INSTANCES),
        took / INSTANCES,
        warm.memory_bytes() / 1024
    );
    drop(instances);
}

#[tokio::test]
#[ignore = "a measurement"]
async fn compiling() {
    let bytes = guest("payment");
    let dir = tempfile::TempDir::new().unwrap();
    for round in 0..3 {
        let at = |name: &str| dir.path().join(format!("{name}-{round}"));
        let began = Instant::now();
        Place::at(&at("here")).load(&bytes).await;
        let here = began.elapsed();
        let began = Instant::now();
        let command = crate::compiler::command(|_| {});
        Place::with_compiler(&at("child"), Some(command))
            .load(&bytes)
            .await;
        let child = began.elapsed();
        println!(
            "{} bytes: {here:?} in this process, {child:?} in a child",
            bytes.len()
        );
    }
}
