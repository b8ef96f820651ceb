//! Each workflow where nothing goes wrong. What it did is kept as a history, which later releases must repeat.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_tests::standin::Operation;

use crate::services::{OLD, REPORT, backed_up, cleanup, on_record, open, reminder, report, run_as};

const HISTORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kit/histories");
/// From noon of 1 January until 8 o'clock of the next day.
const UNTIL_DUE: Duration = Duration::from_secs(20 * 3_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daily_report_is_of_the_day_before_from_all_sources() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("DailyReport", &report());
    let expected = json!({
        "report": "sales", "date": "2025-12-31", "partial": false, "missing": [],
        "totals": { "revenue_eur": 115 }, "location": format!("objects/{REPORT}"),
    });
    assert_eq!(ended.result::<Value>(), expected);
    let steps = [
        "GatherAnalytics",
        "GatherAnalytics",
        "GenerateReport",
        "StoreReport",
        "LogReportGeneration",
    ];
    assert_eq!(ended.called(), steps);
    let book = bench.book();
    let stored = &book.objects[REPORT].content;
    assert_eq!(stored["day"]["from"], "2025-12-30T23:00:00Z");
    let csv = "metric,source,value\nrevenue_eur,shop,110\nrevenue_eur,app,5\n";
    assert_eq!(stored["csv"], csv);
    assert_eq!(on_record(&book, "report", "partial"), [json!(false)]);
    ended.fixture(format!("{HISTORIES}/daily_report.json"));

    // A day that is named, and the day in UTC; each is a report of its own.
    let mut other = report();
    other["date"] = json!("2025-12-30");
    other.as_object_mut().unwrap().remove("utc_offset");
    let result: Value = run_as(&bench, "other", "DailyReport", &other).result();
    assert_eq!(result["totals"], json!({ "revenue_eur": 11 }));
    // The same again is stored in place of the first.
    run_as(&bench, "again", "DailyReport", &report());
    let book = bench.book();
    assert_eq!((book.objects.len(), book.objects[REPORT].written), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_cleanup_backs_up_and_deletes_round_by_round() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("DataCleanup", &cleanup());
    let result: Value = ended.result();
    for count in ["identified", "backed_up", "deleted"] {
        assert_eq!(result[count], OLD, "{count} in {result:#}");
    }
    assert_eq!((&result["rounds"], ended.runs()), (&json!(2), 2));
    let round = [
        "IdentifyCleanupItems",
        "BackupData",
        "DeleteItems",
        "LogCleanupOperation",
    ];
    assert_eq!(ended.called(), round.repeat(2));
    let book = bench.book();
    assert_eq!(book.items.present.keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!(backed_up(&book), (0..OLD as u64).collect());
    // 25 and 15, then 20.
    assert_eq!(book.counts(Operation::Deletions).calls, 3);
    assert_eq!(on_record(&book, "cleanup", "outcome"), ["completed"; 2]);
    ended.fixture(format!("{HISTORIES}/data_cleanup.json"));

    let bench = services.bench();
    let mut dry = cleanup();
    dry["dry_run"] = json!(true);
    let ended = bench.kit.run("DataCleanup", &dry);
    let result: Value = ended.result();
    assert_eq!(
        (&result["identified"], &result["deleted"]),
        (&json!(OLD), &json!(0))
    );
    ended.never_called("BackupData").never_called("DeleteItems");
    let book = bench.book();
    assert_eq!((book.items.present.len(), book.objects.len()), (OLD + 1, 0));
    assert_eq!(on_record(&book, "cleanup", "outcome").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminder_is_sent_when_it_is_due_if_it_is_wanted_and_only_once() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("Reminder", &reminder());
    let result: Value = ended.result();
    assert_eq!(result["sent"], true);
    assert_eq!(result["sent_at"], "2026-01-02T08:00:00Z");
    assert_eq!(ended.elapsed(), UNTIL_DUE);
    let steps = ["ValidateReminder", "SendReminder", "MarkReminderSent"];
    assert_eq!(ended.called(), steps);
    let book = bench.book();
    assert_eq!(
        (
            book.messages.len(),
            json!(book.reminders["r-1"].sent_at.as_deref())
        ),
        (1, result["sent_at"].clone())
    );
    ended.fixture(format!("{HISTORIES}/reminder.json"));

    let again: Value = run_as(&bench, "again", "Reminder", &reminder()).result();
    assert_eq!(again["reason"], "it was sent at 2026-01-02T08:00:00Z");
    assert_eq!(bench.book().messages.len(), 1);

    // Nobody wants it any more by the time that it is due; one whose time has passed does not wait.
    let bench = services.bench();
    bench.edit(|book| book.reminders.get_mut("r-1").unwrap().wanted = false);
    let mut late = reminder();
    late["scheduled_at"] = json!("2025-01-01T00:00:00Z");
    let ended = bench.kit.run("Reminder", &late);
    assert_eq!(ended.result::<Value>()["reason"], "it is no longer wanted");
    assert_eq!((ended.elapsed(), ended.called().len()), (Duration::ZERO, 1));
}
