//! What goes wrong for good, and what is left of it.

use serde_json::{Value, json};
use tenterhook_testkit::Ended;
use tenterhook_tests::services::Bench;
use tenterhook_tests::standin::{Book, Happening, Operation, Switch};

use crate::services::{OLD, REPORT, backed_up, cleanup, on_record, open, reminder, report, run_as};

/// Attempts of the presets `standard`, `patient`, `database` and `external service`.
const ATTEMPTS: u64 = 3;
/// Attempts of the preset `network`.
const NETWORK_ATTEMPTS: u64 = 5;

fn down() -> Switch {
    Switch::failing(ATTEMPTS, 503)
}

/// Runs `input` with the field `field` wrong: it is refused before any step that does something.
#[track_caller]
fn refused(bench: &Bench<'_>, name: &str, mut input: Value, field: &str, wrong: Value) -> Ended {
    input[field] = wrong;
    let ended = bench.kit.run(name, &input);
    assert!(ended.failure().is("ValidationError"), "{field}: {ended:?}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_source_makes_a_partial_report_and_none_makes_no_report() {
    let services = open().await;
    let bench = services.bench();
    let mut lost = report();
    lost["sources"] = json!(["shop", "lost", "app"]);
    let result: Value = bench.kit.run("DailyReport", &lost).result();
    assert_eq!(
        (&result["partial"], &result["totals"]["revenue_eur"]),
        (&json!(true), &json!(115))
    );
    assert_eq!(result["missing"][0]["source"], "lost");
    let book = bench.book();
    assert_eq!(book.objects[REPORT].content["partial"], true);
    assert_eq!(on_record(&book, "report", "missing"), [json!(["lost"])]);

    // One that does not answer is asked three times, the other once.
    let bench = services.bench();
    bench.switch(Operation::SourceReads, Switch::failing(1, 500));
    let ended = bench.kit.run("DailyReport", &report());
    assert_eq!(ended.result::<Value>()["partial"], false);
    assert_eq!(ended.attempts("GatherAnalytics"), 3);

    let bench = services.bench();
    bench.switch(Operation::SourceReads, Switch::failing(2 * ATTEMPTS, 503));
    let ended = bench.kit.run("DailyReport", &report());
    assert!(ended.failure().is("NoData"), "{ended:?}");
    ended.never_called("GenerateReport");
    assert!(nothing_stored(&bench.book()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_cannot_be_made_stored_or_recorded_fails() {
    let services = open().await;
    let bench = services.bench();
    bench.edit(|book| {
        for source in ["shop", "app"] {
            let most = Happening {
                at: "2025-12-31T12:00:00Z".to_owned(),
                metric: "visits".to_owned(),
                value: i64::MAX,
            };
            book.sources.insert(source.to_owned(), vec![most]);
        }
    });
    let ended = bench.kit.run("DailyReport", &report());
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    assert_eq!(ended.called().last(), Some(&"GenerateReport"));

    let bench = services.bench();
    bench.switch(Operation::Objects, down());
    let ended = bench.kit.run("DailyReport", &report());
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    ended.never_called("LogReportGeneration");
    assert!(nothing_stored(&bench.book()));

    let bench = services.bench();
    bench.switch(Operation::LogEntries, down());
    let ended = bench.kit.run("DailyReport", &report());
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    // What is stored is whole; the same report again puts it on record.
    assert_eq!(bench.book().objects[REPORT].content["partial"], false);
    let again = run_as(&bench, "again", "DailyReport", &report());
    assert!(again.is_completed());
    assert_eq!(on_record(&bench.book(), "report", "date"), ["2025-12-31"]);

    for (field, wrong) in [
        ("report", json!("")),
        ("sources", json!([])),
        ("sources", json!(["shop", "shop"])),
        ("date", json!("2026-02-30")),
        ("utc_offset", json!("CET")),
    ] {
        let ended = refused(&bench, "DailyReport", report(), field, wrong);
        assert!(ended.called().is_empty(), "{field}");
    }
}

fn nothing_stored(book: &Book) -> bool {
    book.objects.is_empty() && book.log.is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cleanup_that_fails_is_on_record_and_deletes_nothing_without_a_backup() {
    let services = open().await;
    for (operation, last) in [
        (Operation::ItemLists, "IdentifyCleanupItems"),
        (Operation::Exports, "BackupData"),
        (Operation::Objects, "BackupData"),
        (Operation::Deletions, "DeleteItems"),
    ] {
        let bench = services.bench();
        bench.switch(operation, down());
        let ended = bench.kit.run("DataCleanup", &cleanup());
        assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
        let called = ended.called();
        assert_eq!(called[called.len() - 2..], [last, "LogCleanupOperation"]);
        let book = bench.book();
        assert_eq!(on_record(&book, "cleanup", "outcome"), ["failed"]);
        assert_eq!(book.items.present.len(), OLD + 1, "{operation:?}");
        assert!(book.items.deleted.is_empty(), "{operation:?}");
        // Whoever cleans up later finds all of it.
        let again: Value = run_as(&bench, "again", "DataCleanup", &cleanup()).result();
        assert_eq!(
            (&again["deleted"], &again["already_gone"]),
            (&json!(OLD), &json!(0))
        );
        assert_eq!(backed_up(&bench.book()).len(), OLD);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_without_an_answer_are_not_made_twice_and_others_are_counted() {
    let services = open().await;
    let bench = services.bench();
    let lost = Switch {
        drop_after_booking: 1,
        ..Switch::default()
    };
    bench.switch(Operation::Deletions, lost);
    let ended = bench.kit.run("DataCleanup", &cleanup());
    let result: Value = ended.result();
    assert_eq!(
        (&result["deleted"], &result["already_gone"]),
        (&json!(OLD), &json!(0))
    );
    let deletions = bench.book().counts(Operation::Deletions);
    assert_eq!((deletions.booked, deletions.repeated), (3, 1));

    // Somebody else deletes an item after it was identified.
    let bench = services.bench();
    let mut execution = bench.kit.start("DataCleanup", &cleanup());
    execution.until_called("IdentifyCleanupItems");
    bench.edit(|book| book.items.present.remove("i-00007"));
    let result: Value = execution.finish().result();
    assert_eq!(
        (&result["deleted"], &result["already_gone"]),
        (&json!(OLD - 1), &json!(1))
    );

    for (field, wrong) in [
        ("collection", json!("")),
        ("older_than", json!("2026-02-30T00:00:00Z")),
        ("batch_size", json!(24)),
        ("round_items", json!(0)),
    ] {
        let ended = refused(&bench, "DataCleanup", cleanup(), field, wrong);
        assert!(ended.called().is_empty(), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_that_cannot_be_sent_is_not_marked_and_one_that_is_sent_is() {
    let services = open().await;
    let bench = services.bench();
    bench.edit(|book| book.reminders.get_mut("r-1").unwrap().to = "ada@bounce.example".to_owned());
    let ended = bench.kit.run("Reminder", &reminder());
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    ended.never_called("MarkReminderSent");
    assert_eq!(bench.book().reminders["r-1"].sent_at, None);

    let bench = services.bench();
    bench.switch(Operation::RemindersSent, Switch::failing(5, 503));
    let ended = bench.kit.run("Reminder", &reminder());
    assert_eq!(ended.result::<Value>()["sent"], true);
    assert_eq!(ended.attempts("MarkReminderSent"), 6);
    assert_eq!(bench.book().messages.len(), 1);

    // Another has marked it meanwhile.
    let bench = services.bench();
    let mut execution = bench.kit.start("Reminder", &reminder());
    execution.until_called("SendReminder");
    let at = Some("2026-01-02T07:00:00Z".to_owned());
    bench.edit(|book| book.reminders.get_mut("r-1").unwrap().sent_at = at);
    assert!(execution.finish().failure().is("Conflict"));

    let bench = services.bench();
    bench.switch(
        Operation::ReminderReads,
        Switch::failing(NETWORK_ATTEMPTS, 503),
    );
    let ended = bench.kit.run("Reminder", &reminder());
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    assert_eq!(ended.called(), ["ValidateReminder"]);

    let mut unknown = reminder();
    unknown["reminder_id"] = json!("r-9");
    let ended = run_as(&bench, "unknown", "Reminder", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    for (field, wrong) in [
        ("reminder_id", json!("")),
        ("scheduled_at", json!("2026-02-30T00:00:00Z")),
    ] {
        let ended = refused(&bench, "Reminder", reminder(), field, wrong);
        assert!(ended.steps().is_empty(), "{field}");
    }
}
