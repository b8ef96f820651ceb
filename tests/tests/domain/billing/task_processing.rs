//! `billing.TaskProcessing`

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::{
    host::{Host, World},
    standin::{Book, Import, Operation, Switch},
};

use super::{furnish, scene};
use crate::scene::{Scene, calls, failure_type};

/// Rows of the large import; of a hundred, one is bad.
const ROWS: u64 = 100_000;
const BATCH_ROWS: u64 = 500;
const CHUNK_ROWS: u64 = 20_000;
/// Milliseconds after which a silent attempt counts as dead. It heartbeats four times in five of these.
const HEARTBEAT_MS: u64 = 2_000;

/// Batches after which the host is killed: far into the third chunk, of forty.
const KILLED_AT: u64 = 2 * (CHUNK_ROWS / BATCH_ROWS) + 35;

fn is_bad(row: u64) -> bool {
    row % 100 == 17
}

fn file(rows: u64) -> Vec<String> {
    let row = |row: u64| match is_bad(row) {
        true => format!("s-{},calls,2026-02-30,1", row % 50),
        false => format!("s-{},calls,2026-03-{:02},1", row % 50, row % 28 + 1),
    };
    (0..rows).map(row).collect()
}

fn upload(scene: &Scene, import_id: &str, rows: u64) {
    scene.edit(|book| {
        let import = Import::new(import_id, file(rows));
        book.imports.insert(import_id.to_owned(), import);
    });
}

/// Every row is recorded once, the good ones as usage, the bad ones as what they are.
fn check(book: &Book, import_id: &str, rows: u64) {
    let import = &book.imports[import_id];
    assert_eq!((import.recorded, import.twice), (rows, 0));
    let mut bad: Vec<_> = import.bad_rows.iter().map(|bad| bad.row).collect();
    bad.sort_unstable();
    let expected: Vec<_> = (0..rows).filter(|row| is_bad(*row)).collect();
    assert_eq!(bad, expected);
    let days = book.usage.values().flat_map(|days| days.values());
    let used: u64 = days.flat_map(|metrics| metrics.values()).sum();
    assert_eq!(used, rows - expected.len() as u64);
}

#[tokio::test]
async fn process_task_records_good_rows_and_bad_ones() {
    let scene = scene("bill-import").await;
    upload(&scene, "i-1", 2_345);
    // Answers that are lost are asked for again, and record nothing twice.
    let lost = Switch {
        drop_after_booking: 1,
        ..Switch::default()
    };
    scene.switch(Operation::UsageRecords, lost);
    let input = json!({
        "import_id": "i-1", "chunk_rows": 1_000, "batch_rows": 300, "retry_initial_ms": 20,
    });
    let outcome = scene.run("TaskProcessing", "t-1", input).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let result = &outcome["result"];
    let counts = ["processed", "total", "failed"].map(|it| result[it].as_u64());
    assert_eq!(counts, [Some(2_345), Some(2_345), Some(24)]);
    assert_eq!(result["bad_rows"].as_array().unwrap().len(), 24);
    let first = &result["bad_rows"][0];
    assert_eq!(first["row"], 17);
    assert!(
        first["reason"].as_str().unwrap().contains("no day"),
        "{first}"
    );
    check(&scene.book(), "i-1", 2_345);
    let progress = scene.query("t-1", "progress").await;
    assert_eq!(progress["processed"], 2_345);
    assert_eq!(scene.activities("t-1").await, ["ProcessTask"; 3]);
}

#[tokio::test]
async fn an_import_that_is_not_there_fails_at_once() {
    let scene = scene("bill-noimport").await;
    let input = json!({ "import_id": "nothing" });
    let outcome = scene.run("TaskProcessing", "t-1", input).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    assert_eq!(calls(&scene.book(), Operation::ImportRows), 1);
}

#[tokio::test]
async fn an_import_that_is_cancelled_stops_between_batches() {
    let scene = scene("bill-stop").await;
    upload(&scene, "i-1", 100_000);
    let slow = Switch {
        delay_ms: 50,
        ..Switch::default()
    };
    scene.switch(Operation::ImportRows, slow);
    let input = json!({ "import_id": "i-1", "heartbeat_timeout_ms": 1_000, "batch_rows": 100 });
    scene.start("TaskProcessing", "t-1", input).await;
    let begun = |book: &Book| calls(book, Operation::UsageRecords) > 0;
    scene.until_book(begun).await;
    scene.world.cancel("t-1").await.unwrap();
    let outcome = scene.world.outcome("t-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    let import = &scene.book().imports["i-1"];
    assert!(import.recorded < 100_000, "{} rows", import.recorded);
}

#[tokio::test]
async fn a_host_killed_in_the_middle_goes_on_where_it_stopped() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut scene = Scene::on(&host.api, "billing", "acme").await;
    furnish(&scene);
    upload(&scene, "i-1", ROWS);
    // Slow enough that a chunk takes longer than the pause between two heartbeats that are sent on.
    let slow = Switch {
        delay_ms: 100,
        ..Switch::default()
    };
    scene.switch(Operation::ImportRows, slow);
    let input = json!({
        "import_id": "i-1",
        "chunk_rows": CHUNK_ROWS,
        "batch_rows": BATCH_ROWS,
        "heartbeat_timeout_ms": HEARTBEAT_MS,
        "retry_initial_ms": 20,
    });
    scene.start("TaskProcessing", "t-1", input).await;
    batches_reach(&scene, KILLED_AT).await;
    host.kill().unwrap();
    let recorded = scene.recorded(Operation::UsageRecords);
    host.restart().await.unwrap();
    scene.world.api = host.api.clone();
    let outcome = end_of(&scene.world, "t-1").await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let result = &outcome["result"];
    let counts = ["processed", "total", "failed"].map(|it| result[it].as_u64());
    assert_eq!(counts, [Some(ROWS), Some(ROWS), Some(ROWS / 100)]);
    let listed = result["bad_rows"].as_array().unwrap();
    assert_eq!(listed.len() as u64, ROWS / 100);
    assert!(
        listed
            .iter()
            .all(|bad| is_bad(bad["row"].as_u64().unwrap()))
    );
    let book = scene.book();
    check(&book, "i-1", ROWS);
    // A batch takes a tenth of a second at least, so that in the pause between two heartbeats that are sent on there are
    // 16 at most. Those came again, and were recognised; the others of the chunk did not.
    let again = book.counts(Operation::UsageRecords).repeated;
    let of_chunk = recorded - 2 * (CHUNK_ROWS / BATCH_ROWS);
    assert!(
        again + 5 <= of_chunk,
        "{again} of {of_chunk} batches came again"
    );
}

/// Waits until so many batches are recorded.
async fn batches_reach(scene: &Scene, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while scene.recorded(Operation::UsageRecords) < wanted {
        assert!(Instant::now() < deadline, "the import stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An attempt that died with its host is tried again after its time-out, so the end may take minutes.
pub(super) async fn end_of(world: &World, id: &str) -> Value {
    for _ in 0..8 {
        let path = world.path(&format!("workflows/{id}/result?wait=60s"));
        let outcome = world.api.get(&path).await.unwrap().ok().unwrap();
        if outcome["status"] != "running" {
            return outcome;
        }
    }
    panic!("{id} does not end: {:#}", world.describe(id).await.unwrap());
}
