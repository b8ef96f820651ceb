//! The memory of all instances together: never more than it may be, and all of it comes back.

use std::sync::Arc;

use tenterhook_domain::{
    Code,
    grant::Grants,
    memory::{InstanceMemory as _, MemoryReading},
};
use tenterhook_workflow::guest::Fault;
use tokio::task::JoinSet;

use crate::{
    Place,
    activity::{Host, LONG, access, task},
    guest, limits,
};

const MIB: u64 = 1024 * 1024;
const BUDGET: u64 = 64 * MIB;
/// Together they want some times the budget.
const ATTEMPTS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn attempts_wait_for_memory_and_none_fails_for_it() {
    let place = Place::with_memory(BUDGET);
    let module = place.load(&guest("test-hostile")).await;
    let module = module.activities().unwrap();
    let mut attempts = JoinSet::new();
    for _ in 0..ATTEMPTS {
        let module = module.clone();
        attempts.spawn(async move {
            let access = access(limits(|_| {}), Grants::default());
            let host = Arc::<Host>::default();
            module
                .execute(task("Hoard", "[2, 20]"), access, host, LONG)
                .await
        });
    }
    while let Some(ended) = attempts.join_next().await {
        ended.unwrap().unwrap().unwrap();
    }
    let MemoryReading {
        bytes,
        most_bytes,
        budget_bytes,
        is_short,
    } = place.sandbox.memory().reading();
    assert_eq!((bytes, is_short), (0, false), "it comes back");
    assert!(
        (BUDGET / 2..=budget_bytes).contains(&most_bytes),
        "{most_bytes} of {budget_bytes}"
    );
}

#[tokio::test]
async fn what_would_go_over_the_budget_fails_alone_and_is_no_fault_of_the_plugin() {
    let place = Place::with_memory(BUDGET);
    let module = place.load(&guest("test-hostile")).await;
    let module = module.activities().unwrap();
    let run = async |name: &str, input: &str| {
        let granted = limits(|limits| limits.memory_bytes = 2 * BUDGET);
        let access = access(granted, Grants::default());
        let host = Arc::<Host>::default();
        module.execute(task(name, input), access, host, LONG).await
    };
    let Err(Fault::Dead { code, message }) = run("Hoard", "[70, 0]").await else {
        panic!("it had more than there is")
    };
    assert_eq!(code, Code::HostMemoryTaken, "{message}");
    assert!(message.contains("--instance-memory"), "{message}");
    assert_eq!(place.sandbox.memory().reading().bytes, 0);
    run("Innocent", "\"four\"").await.unwrap().unwrap();
}
