//! Each workflow, asked to end in its middle. The wish arrives when the next step is under way already, and no step is
//! interrupted.

use serde_json::Value;
use tenterhook_testkit::{Ended, Message};
use tenterhook_tests::services::Bench;

use crate::services::{
    change, charges, creation, cycle, finals, import, open, switch_to, sync, terms,
};

/// Runs a workflow that is asked to end when its step `after` has ended.
fn cancel(bench: &Bench<'_>, name: &str, input: &Value, after: &str) -> Ended {
    let mut execution = bench.kit.start(name, input);
    execution.after(after, Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{name}: {ended:?}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_are_undone() {
    let services = open().await;
    let bench = services.bench();
    cancel(&bench, "CalculateCharges", &charges(), "CalculateCharges");
    assert_eq!(finals(&bench.book(), "s-1"), 0);

    let bench = services.bench();
    let input = creation("card");
    cancel(&bench, "SubscriptionCreation", &input, "CreateSubscription");
    assert_eq!(bench.book().contracts["s-9"].terms.status, "cancelled");

    let bench = services.bench();
    let input = change("card");
    cancel(
        &bench,
        "SubscriptionChange",
        &input,
        "ApplySubscriptionChange",
    );
    assert_eq!(bench.book().contracts["s-1"].terms, terms("pro"));
    assert_eq!(finals(&bench.book(), "s-1"), 0);

    let bench = services.bench();
    let input = switch_to("second");
    cancel(&bench, "TenantSwitch", &input, "ValidateTenantAccess");
    assert_eq!(bench.book().user_tenants["u-1"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_ones_stop_and_keep_what_is_done() {
    let services = open().await;
    let bench = services.bench();
    cancel(&bench, "TaskProcessing", &import(), "ProcessTask");
    assert_eq!(bench.book().imports["i-1"].recorded, 80);

    let bench = services.bench();
    cancel(&bench, "PriceSync", &sync(), "SyncPlanPrices");

    let bench = services.bench();
    cancel(&bench, "BillingCycle", &cycle(), "ListDueSubscriptions");
    for id in ["s-1", "s-2", "s-3"] {
        let renewed = bench.book().contracts[id].renews_to.is_none();
        assert_eq!(finals(&bench.book(), id), usize::from(renewed), "{id}");
    }
}
