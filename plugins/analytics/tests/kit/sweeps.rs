//! Every fault at every step of every workflow, and what must hold whatever happens.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenterhook_testkit::{Ended, Sweep};
use tenterhook_tests::standin::Book;

use crate::services::{OLD, REPORT, backed_up, cleanup, on_record, open, reminder, report};

/// Runs the workflow once without a fault, and then with each fault at each of the `steps` that this run took.
async fn sweep(name: &str, input: Value, steps: usize, holds: impl Fn(&Book, &Ended)) {
    let services = open().await;
    let swept = Sweep::of(&services.plugin()).run(|kit| {
        let book = services.connect(kit);
        let ended = kit.run(name, &input);
        holds(&services.book(&book), &ended);
        Ok(())
    });
    let runs = swept.holds();
    println!("{name}: {runs} runs");
    assert_eq!(swept.steps, steps, "{name}");
    // Of a timer there are three faults, of an activity ten.
    assert!(runs > 3 * steps, "{name}: only {runs} runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daily_report_stores_what_is_true_and_records_what_is_stored() {
    sweep("DailyReport", report(), 5, |book, ended| {
        let stored = book.objects.get(REPORT);
        assert_eq!(book.objects.len(), usize::from(stored.is_some()));
        // The figures of the sources that it says are there, and partial if one is not.
        let sum = |report: &Value| -> i64 {
            let sources = report["sources"].as_array().unwrap().iter();
            let values = sources.map(|it| match it["source"].as_str().unwrap() {
                "shop" => 110,
                _ => 5,
            });
            values.sum()
        };
        if let Some(stored) = stored {
            let report = &stored.content;
            assert_eq!(report["totals"]["revenue_eur"], sum(report));
            let missing = report["missing"].as_array().unwrap().len();
            assert_eq!(report["partial"], missing > 0);
            assert_eq!(report["sources"].as_array().unwrap().len() + missing, 2);
            assert_eq!(stored.written, 1);
        }
        let recorded = on_record(book, "report", "partial");
        assert!(recorded.len() <= usize::from(stored.is_some()));
        if let Ok(result) = ended.outcome() {
            let report = &stored.unwrap().content;
            assert_eq!(result["totals"], report["totals"]);
            assert_eq!(result["partial"], report["partial"]);
            assert_eq!(recorded, [report["partial"].clone()]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_cleanup_deletes_nothing_twice_and_only_what_is_backed_up() {
    sweep("DataCleanup", cleanup(), 8, |book, ended| {
        let deleted: BTreeSet<u64> = book.items.deleted.iter().map(|id| number(id)).collect();
        assert_eq!(deleted.len(), book.items.deleted.len(), "an item twice");
        assert!(deleted.is_subset(&backed_up(book)), "without a backup");
        assert!(book.items.present.contains_key("new"));
        assert_eq!(deleted.len() + book.items.present.len(), OLD + 1, "lost");
        let outcomes = on_record(book, "cleanup", "outcome");
        let counted = on_record(book, "cleanup", "done");
        let counted = counted.last().map_or(0, |done| count(done, "deleted"));
        assert!(counted <= deleted.len() as u64, "more than there were");
        match ended.outcome() {
            Ok(result) => {
                assert_eq!(count(&result, "deleted"), OLD as u64);
                assert_eq!(count(&result, "already_gone"), 0);
                assert_eq!(
                    (deleted.len(), outcomes),
                    (OLD, vec![json!("completed"); 2])
                );
            }
            // Unless putting it on record is what failed.
            Err(_) if outcomes.last() == Some(&json!("completed")) => {}
            Err(_) if ended.is_cancelled() => {
                assert_eq!(outcomes.last(), Some(&json!("cancelled")));
            }
            Err(_) => assert!(outcomes.last().is_none_or(|it| it == "failed")),
        }
    })
    .await;
}

fn number(id: &str) -> u64 {
    id.strip_prefix("i-").unwrap().parse().unwrap()
}

fn count(done: &Value, name: &str) -> u64 {
    done[name].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminder_is_sent_and_marked_or_neither() {
    sweep("Reminder", reminder(), 4, |book, ended| {
        let sent = book.messages.len();
        assert!(sent <= 1, "sent twice");
        let marked = book.reminders["r-1"].sent_at.is_some();
        match ended.outcome() {
            Ok(_) => assert_eq!((sent, marked), (1, true)),
            // Who is refused the mark for good was told by another that it is there.
            Err(_) if ended.called().contains(&"MarkReminderSent") => {
                assert_eq!(sent, 1);
            }
            Err(_) => assert_eq!((sent, marked), (0, false)),
        }
    })
    .await;
}
