//! `analytics.DataCleanup`: nothing twice, nothing lost, nothing that was not backed up.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenterhook_tests::host::Host;
use tenterhook_tests::standin::{Book, Operation, StoredItem, Switch};

use crate::scene::{Scene, calls, failure_type};

/// Items of the test with the killed host.
const MANY: usize = 10_000;
/// Items of one batch in it.
const BATCH: usize = 100;
/// Where it is killed: well within the deletions.
const KILLED_AT: usize = 50;

/// Fills the collection `logs` with old items, and one that is new.
fn fill(scene: &Scene, old: usize) {
    let item = |changed_at: &str, number: usize| StoredItem {
        collection: "logs".to_owned(),
        changed_at: changed_at.to_owned(),
        content: json!({ "number": number }),
    };
    scene.edit(|book| {
        for number in 0..old {
            let id = format!("i-{number:05}");
            book.items
                .present
                .insert(id, item("2026-01-01T00:00:00Z", number));
        }
        book.items
            .present
            .insert("new".to_owned(), item("2026-11-01T00:00:00Z", old));
    });
}

fn cleanup() -> Value {
    json!({
        "collection": "logs",
        "older_than": "2026-06-01T00:00:00+02:00",
        "batch_size": 25,
        "retry_initial_ms": 20,
    })
}

/// The numbers of the items in all parts of all backups.
fn backed_up(book: &Book) -> BTreeSet<u64> {
    let parts = book
        .objects
        .iter()
        .filter(|(name, _)| name.starts_with("backups/logs/"));
    let items = parts.flat_map(|(_, part)| part.content.as_array().unwrap());
    items
        .map(|item| item["content"]["number"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn identify_cleanup_items_backup_data_delete_items_log_cleanup_operation() {
    let scene = Scene::open("analytics", "analytics-clean").await;
    fill(&scene, 60);
    let outcome = scene.run("DataCleanup", "c-1", cleanup()).await;
    let result = &outcome["result"];
    let counts = [
        &result["identified"],
        &result["backed_up"],
        &result["deleted"],
        &result["rounds"],
    ];
    assert_eq!(
        counts,
        [&json!(60), &json!(60), &json!(60), &json!(1)],
        "{outcome:#}"
    );
    let steps = scene.activities("c-1").await;
    assert_eq!(
        steps,
        [
            "IdentifyCleanupItems",
            "BackupData",
            "DeleteItems",
            "LogCleanupOperation"
        ]
    );
    let book = scene.book();
    assert_eq!(book.items.present.keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!(backed_up(&book), (0..60).collect());
    assert_eq!(calls(&book, Operation::Deletions), 3, "25, 25 and 10");
    assert_eq!(
        (book.log[0].kind.as_str(), &book.log[0].facts["outcome"]),
        ("cleanup", &json!("completed"))
    );
}

#[tokio::test]
async fn a_long_list_continues_as_new() {
    let scene = Scene::open("analytics", "analytics-rounds").await;
    fill(&scene, 70);
    let mut input = cleanup();
    input["round_items"] = json!(30);
    let outcome = scene.run("DataCleanup", "c-1", input).await;
    let result = &outcome["result"];
    let counts = [&result["identified"], &result["deleted"], &result["rounds"]];
    assert_eq!(counts, [&json!(70), &json!(70), &json!(3)], "{outcome:#}");
    let book = scene.book();
    assert_eq!(
        (
            book.items.deleted.len(),
            book.items.present.len(),
            book.log.len()
        ),
        (70, 1, 3)
    );
    assert_eq!(backed_up(&book).len(), 70);
}

#[tokio::test]
async fn a_dry_run_only_says_what_would_go() {
    let scene = Scene::open("analytics", "analytics-dry").await;
    fill(&scene, 70);
    let mut input = cleanup();
    input["dry_run"] = json!(true);
    input["round_items"] = json!(30);
    let outcome = scene.run("DataCleanup", "c-1", input).await;
    let result = &outcome["result"];
    let counts = [
        &result["identified"],
        &result["backed_up"],
        &result["deleted"],
    ];
    assert_eq!(counts, [&json!(70), &json!(0), &json!(0)], "{outcome:#}");
    let book = scene.book();
    assert_eq!(
        (book.items.present.len(), book.objects.len(), book.log.len()),
        (71, 0, 3)
    );
    assert_eq!(
        calls(&book, Operation::Deletions) + calls(&book, Operation::Exports),
        0
    );
}

#[tokio::test]
async fn without_a_backup_nothing_is_deleted() {
    let scene = Scene::open("analytics", "analytics-nobackup").await;
    fill(&scene, 60);
    scene.switch(Operation::Objects, Switch::failing(3, 503));
    let outcome = scene.run("DataCleanup", "c-1", cleanup()).await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "ExternalServiceError"),
        "{outcome:#}"
    );
    let book = scene.book();
    assert_eq!(
        (book.items.present.len(), calls(&book, Operation::Deletions)),
        (61, 0)
    );
    assert_eq!(book.log[0].facts["outcome"], "failed");
    let mut wrong = cleanup();
    wrong["batch_size"] = json!(24);
    let refused = scene.refused("DataCleanup", "c-2", wrong).await;
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");
}

#[tokio::test]
async fn a_cancelled_cleanup_says_so_and_deletes_nothing_more() {
    let scene = Scene::open("analytics", "analytics-stop").await;
    fill(&scene, 60);
    let slow = Switch {
        delay_ms: 5_000,
        ..Switch::default()
    };
    scene.switch(Operation::Exports, slow);
    scene.start("DataCleanup", "c-1", cleanup()).await;
    scene
        .until_book(|book| calls(book, Operation::Exports) > 0)
        .await;
    scene.world.cancel("c-1").await.unwrap();
    let outcome = scene.world.outcome("c-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    let book = scene.book();
    assert_eq!(
        (book.items.present.len(), &book.log[0].facts["outcome"]),
        (61, &json!("cancelled"))
    );
}

#[tokio::test]
async fn a_host_killed_among_ten_thousand_deletions_goes_on_where_it_stopped() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut scene = Scene::on(&host.api, "analytics", "acme").await;
    fill(&scene, MANY);
    // Slow enough that heartbeats, which the host throttles, get through on the way.
    let slow = Switch {
        delay_ms: 50,
        ..Switch::default()
    };
    scene.switch(Operation::Deletions, slow);
    let mut input = cleanup();
    input["batch_size"] = json!(BATCH);
    input["heartbeat_timeout_ms"] = json!(2_000);
    scene.start("DataCleanup", "c-1", input).await;
    scene
        .until_book(|book| book.items.deleted.len() >= KILLED_AT * BATCH)
        .await;
    host.kill().unwrap();
    let at_kill = scene.book();
    assert!(at_kill.items.deleted.len() < MANY, "the kill came too late");
    host.restart().await.unwrap();
    scene.world.api = host.api.clone();
    let outcome = scene.end_of("c-1").await;
    let result = &outcome["result"];
    let counts = [
        &result["identified"],
        &result["deleted"],
        &result["already_gone"],
    ];
    assert_eq!(
        counts,
        [&json!(MANY), &json!(MANY), &json!(0)],
        "{outcome:#}"
    );
    let resumed_from = result["resumed_from"].as_u64().unwrap();
    assert!(resumed_from > 0, "it began anew: {outcome:#}");

    let book = scene.book();
    let distinct: BTreeSet<_> = book.items.deleted.iter().collect();
    assert_eq!(
        (book.items.deleted.len(), distinct.len()),
        (MANY, MANY),
        "an item twice, or one lost"
    );
    assert_eq!(book.items.present.keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!(backed_up(&book).len(), MANY);
    // What was asked for again lies between the last heartbeat that got through and the kill, and was answered before.
    let deletions = book.counts(Operation::Deletions);
    let batches = (MANY / BATCH) as u64;
    assert_eq!(deletions.booked, batches);
    let again = at_kill.counts(Operation::Deletions).calls - resumed_from / BATCH as u64;
    assert!(
        deletions.repeated <= again,
        "{deletions:?}, {again} at most"
    );
}
