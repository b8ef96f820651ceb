//! Workflows that have many things under way at once have as many as they say, and never more.
//!
//! What was open at once stands in the run's history: it grows with each activity or child that the workflow asks for,
//! and shrinks when one is over. So it holds for what was scheduled, however fast that ran.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Happening, Import, Operation, Switch};

use crate::billing::{self, contract};
use crate::scene::Scene;
use crate::user;

/// The plugins' own bounds, where an input does not say otherwise: channels of a message, sources of a report, batches
/// of a sync, children of a cycle.
const CHANNELS: usize = 3;
const SOURCES_AT_ONCE: usize = 4;
const BATCHES: usize = 4;
const CHILDREN: usize = 20;
/// What an input says here: neither the plugins' own, nor all that there is.
const SAID: usize = 7;

/// Types of events by which there is one more open, and one less.
struct Kind {
    opens: &'static str,
    ends: &'static [&'static str],
}

const ACTIVITIES: Kind = Kind {
    opens: "ActivityTaskScheduled",
    ends: &[
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskTimedOut",
        "ActivityTaskCanceled",
    ],
};
const CHILD_WORKFLOWS: Kind = Kind {
    opens: "StartChildWorkflowExecutionInitiated",
    ends: &[
        "StartChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionCompleted",
        "ChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionTimedOut",
        "ChildWorkflowExecutionCanceled",
        "ChildWorkflowExecutionTerminated",
    ],
};

/// How much of a kind a history has in all, and the most of it that was open at once.
async fn opened(scene: &Scene, id: &str, kind: &Kind) -> (usize, usize) {
    let (mut all, mut open, mut most) = (0, 0_usize, 0);
    for event in scene.world.events(id).await.unwrap() {
        let of_type = event["type"].as_str().unwrap();
        if of_type == kind.opens {
            (all, open) = (all + 1, open + 1);
            most = most.max(open);
        } else if kind.ends.contains(&of_type) {
            open = open.checked_sub(1).expect("what ends was open");
        }
    }
    assert_eq!(open, 0, "{id} has ended, and so has all that it asked for");
    (all, most)
}

/// Runs a workflow, and checks that all of `all` were asked for, and `most` at once.
async fn check(
    scene: &Scene,
    (workflow, id, input): (&str, &str, Value),
    kind: &Kind,
    (all, most): (usize, usize),
) {
    let outcome = scene.run(workflow, id, input).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(
        opened(scene, id, kind).await,
        (all, most),
        "{workflow} {id}"
    );
}

#[tokio::test]
async fn a_message_is_on_all_its_channels_at_once() {
    let scene = user::scene("fan-channels", "ada@shop.example").await;
    let input = json!({
        "notification_id": "n-1", "user_id": "u-1", "channels": ["email", "push", "in_app"],
        "subject": "Your parcel", "body": "It is on its way.", "retry_initial_ms": 20,
    });
    let run = ("SendNotification", "n-1", input);
    // One activity before, by itself, finds the channels' ways.
    check(&scene, run, &ACTIVITIES, (1 + CHANNELS, CHANNELS)).await;
}

#[tokio::test]
async fn a_report_asks_some_sources_at_once() {
    let scene = Scene::open("analytics", "fan-sources").await;
    let happened = Happening {
        at: "2026-11-21T12:00:00Z".to_owned(),
        metric: "visits".to_owned(),
        value: 1,
    };
    let mut sources: Vec<String> = (0..11).map(|number| format!("shop-{number}")).collect();
    scene.edit(|book| {
        for source in &sources {
            book.sources.insert(source.clone(), vec![happened.clone()]);
        }
    });
    // One that fails makes room for another too.
    sources.insert(2, "lost".to_owned());
    let input = json!({
        "report": "sales", "sources": sources, "date": "2026-11-21", "retry_initial_ms": 20,
    });
    let run = ("DailyReport", "d-1", input);
    // Three activities after, one by one, write the report down.
    check(&scene, run, &ACTIVITIES, (12 + 3, SOURCES_AT_ONCE)).await;
}

#[tokio::test]
async fn a_sync_of_prices_has_some_batches_at_once() {
    let scene = billing::scene("fan-batches").await;
    scene.edit(|book| {
        for number in 0..240 {
            book.agree(contract(&format!("s-{number}")));
        }
    });
    let sync = json!({ "plan_id": "pro", "batch_size": 10, "retry_initial_ms": 20 });
    let run = ("PriceSync", "p-1", sync.clone());
    check(&scene, run, &ACTIVITIES, (24, BATCHES)).await;
    let mut faster = sync;
    faster["concurrency"] = json!(SAID);
    let run = ("PriceSync", "p-2", faster);
    check(&scene, run, &ACTIVITIES, (24, SAID)).await;
}

#[tokio::test]
async fn a_billing_cycle_has_some_children_at_once() {
    let scene = billing::scene("fan-children").await;
    let due = |from: usize| {
        scene.edit(|book| {
            for number in from..from + 30 {
                book.agree(contract(&format!("s-{number:05}")));
            }
            // One that fails makes room for another too.
            let first = book.contracts.get_mut(&format!("s-{from:05}")).unwrap();
            first.terms.plan_id = "gone".to_owned();
        });
    };
    due(0);
    let cycle = json!({ "due_at": billing::DUE_AT, "retry_initial_ms": 20 });
    let run = ("BillingCycle", "b-1", cycle.clone());
    check(&scene, run, &CHILD_WORKFLOWS, (30, CHILDREN)).await;
    // Those and the one that is due still, in pages that are no multiple of what goes at once.
    due(100);
    let mut slower = cycle;
    (slower["concurrency"], slower["page_size"]) = (json!(SAID), json!(10));
    let run = ("BillingCycle", "b-2", slower);
    check(&scene, run, &CHILD_WORKFLOWS, (31, SAID)).await;
}

#[tokio::test]
async fn an_import_is_processed_chunk_by_chunk() {
    let scene = billing::scene("fan-chunks").await;
    let rows = (0..600).map(|row| format!("s-{},calls,2026-03-01,1", row % 50));
    let import = Import::new("i-1", rows.collect());
    scene.edit(|book| book.imports.insert("i-1".to_owned(), import));
    // An attempt that fails is the same activity.
    scene.switch(Operation::UsageRecords, Switch::failing(1, 503));
    let input = json!({
        "import_id": "i-1", "chunk_rows": 100, "batch_rows": 50, "retry_initial_ms": 20,
    });
    let run = ("TaskProcessing", "t-1", input);
    check(&scene, run, &ACTIVITIES, (6, 1)).await;
}
