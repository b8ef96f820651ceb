//! Each workflow, asked to end in its middle.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Message;

use crate::services::{
    OLD, REPORT, backed_up, cancel_after, cleanup, on_record, open, reminder, report,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_not_stored_any_more() {
    let services = open().await;
    for after in ["GatherAnalytics", "GenerateReport"] {
        let bench = services.bench();
        let ended = cancel_after(&bench, "DailyReport", &report(), after);
        assert!(ended.is_cancelled(), "{after}: {ended:?}");
        ended.never_called("LogReportGeneration");
        let book = bench.book();
        assert!(book.log.is_empty(), "{after}");
        // Where the wish met the storing it may have taken effect, and then it is whole.
        let stored = book.objects.get(REPORT);
        assert!(stored.is_none_or(|it| it.content["partial"] == false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cleanup_says_how_far_it_came_and_deletes_nothing_more() {
    let services = open().await;
    let bench = services.bench();
    let ended = cancel_after(&bench, "DataCleanup", &cleanup(), "IdentifyCleanupItems");
    assert!(ended.is_cancelled(), "{ended:?}");
    ended.never_called("DeleteItems");
    let book = bench.book();
    assert_eq!(book.items.present.len(), OLD + 1);
    assert_eq!(on_record(&book, "cleanup", "outcome"), ["cancelled"]);

    // Among the deletions: what is gone is backed up.
    let bench = services.bench();
    let ended = cancel_after(&bench, "DataCleanup", &cleanup(), "BackupData");
    assert!(ended.is_cancelled(), "{ended:?}");
    let book = bench.book();
    assert_eq!(on_record(&book, "cleanup", "outcome"), ["cancelled"]);
    assert!(backed_up(&book).len() >= book.items.deleted.len());

    // While it puts a round on record, with another one before it: that does not begin.
    let bench = services.bench();
    let ended = cancel_after(&bench, "DataCleanup", &cleanup(), "DeleteItems");
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!(ended.runs(), 1);
    assert_eq!(bench.book().items.deleted.len(), 40);

    // A moment later it has begun, and ends there.
    let bench = services.bench();
    let ended = cancel_after(&bench, "DataCleanup", &cleanup(), "LogCleanupOperation");
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!((ended.runs(), bench.book().items.deleted.len()), (2, 40));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_is_not_sent_and_one_that_is_sent_is_marked() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = bench.kit.start("Reminder", &reminder());
    execution.at(Duration::from_secs(3_600), Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert!(ended.called().is_empty());
    assert_eq!(ended.elapsed(), Duration::from_secs(3_600));

    let mut execution = bench.kit.start_as("late", "Reminder", &reminder());
    execution.advance(Duration::from_secs(20 * 3_600 - 1));
    assert!(execution.is_open());
    execution.crash().cancel();
    assert!(execution.finish().is_cancelled());
    assert!(bench.book().messages.is_empty());

    let bench = services.bench();
    let ended = cancel_after(&bench, "Reminder", &reminder(), "SendReminder");
    assert_eq!(ended.result::<Value>()["sent"], json!(true));
    assert!(bench.book().reminders["r-1"].sent_at.is_some());
}
