//! The workflows that go through long lists: what stops them, what does not, and what is left for the next run.

use serde_json::{Value, json};
use tenterhook_testkit::Message;
use tenterhook_tests::standin::{Operation, Switch};

use crate::services::{cycle, finals, import, open, run_as, sync};

/// Attempts of the preset `patient`.
const PATIENT: u64 = 3;

/// A sync of one batch after the other.
fn one_by_one() -> Value {
    let mut sync = sync();
    sync["concurrency"] = json!(1);
    sync
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_knows_no_plan_does_nothing() {
    let services = open().await;
    let bench = services.bench();
    let mut unknown = sync();
    unknown["plan_id"] = json!("gold");
    let ended = bench.kit.run("PriceSync", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    assert_eq!(ended.attempts("SyncPlanPrices"), 1);

    let bench = services.bench();
    bench.switch(Operation::Plans, Switch::failing(PATIENT, 503));
    let ended = bench.kit.run("PriceSync", &sync());
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    assert_eq!(ended.called(), ["SyncPlanPrices"]);
    let old = bench.book().contracts.values().all(|it| it.price == 4_200);
    assert!(old, "nobody has another price");
    let again: Value = run_as(&bench, "again", "PriceSync", &sync()).result();
    assert_eq!(again["synced"], 3, "{again:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_gets_no_answer_counts_as_failed_and_the_next_goes_on() {
    let services = open().await;
    let bench = services.bench();
    let mut syncing = bench.kit.start("PriceSync", &one_by_one());
    syncing.until_called("SyncPlanPrices");
    bench.switch(Operation::Plans, Switch::failing(PATIENT, 503));
    let ended = syncing.finish();
    let result: Value = ended.result();
    let counts = ["total", "synced", "failed"].map(|it| result[it].as_u64());
    assert_eq!(counts, [Some(3), Some(2), Some(1)], "{result:#}");
    let failure = &result["failures"][0];
    assert!(
        failure["subscription_id"]
            .as_str()
            .unwrap()
            .starts_with('#')
    );
    let new = bench.book().contracts.into_values();
    assert_eq!(new.filter(|it| it.price == 4_900).count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_sync_begins_no_further_batch() {
    let services = open().await;
    let bench = services.bench();
    let mut syncing = bench.kit.start("PriceSync", &one_by_one());
    syncing.after("SyncPlanPrices", Message::cancel());
    let ended = syncing.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!(ended.called().len(), 2, "the third is not begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_fails_goes_on_in_another_run_and_records_nothing_twice() {
    let services = open().await;
    let bench = services.bench();
    let mut unknown = import();
    unknown["import_id"] = json!("i-9");
    let ended = bench.kit.run("TaskProcessing", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    assert_eq!(ended.attempts("ProcessTask"), 1);

    let bench = services.bench();
    let mut processing = bench.kit.start("TaskProcessing", &import());
    processing.until_called("ProcessTask");
    bench.switch(Operation::UsageRecords, Switch::failing(PATIENT, 503));
    let mut ended = processing.finish();
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    let told: Value = ended.query("progress").unwrap();
    let recorded = bench.book().imports["i-1"].recorded;
    assert!(told["processed"].as_u64().unwrap() <= recorded, "{told:#}");
    // Under the same id, of which keys are made: what is recorded is recognised.
    let result: Value = bench.kit.run("TaskProcessing", &import()).result();
    assert_eq!(result["processed"], 95, "{result:#}");
    let import = &bench.book().imports["i-1"];
    assert_eq!((import.recorded, import.twice), (95, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_whose_list_cannot_be_had_fails_and_the_next_one_does_the_rest() {
    let services = open().await;
    // The first page; and the second, behind what is invoiced by then.
    for invoiced in [0, 2] {
        let bench = services.bench();
        let mut cycling = bench.kit.start("BillingCycle", &cycle());
        if invoiced > 0 {
            cycling.until_called("ListDueSubscriptions");
        }
        bench.switch(Operation::DueLists, Switch::failing(1, 403));
        let mut ended = cycling.finish();
        assert!(ended.failure().is("AuthorizationError"), "{ended:?}");
        let progress: Value = ended.query("progress").unwrap();
        assert_eq!(progress["invoiced"], invoiced, "{progress:#}");
        let again: Value = run_as(&bench, "again", "BillingCycle", &cycle()).result();
        assert_eq!(again["invoiced"], 3 - invoiced, "{again:#}");
        for id in ["s-1", "s-2", "s-3"] {
            assert_eq!(finals(&bench.book(), id), 1, "{id}");
        }
    }
}
