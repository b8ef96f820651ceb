//! Each workflow where nothing goes wrong.

use serde_json::Value;
use tenterhook_testkit::Ended;

use crate::services::{
    APRIL, change, charges, creation, cycle, finals, import, open, switch_to, sync, terms,
};

/// Executions as they were when they were recorded: changed code has to replay them.
const HISTORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kit/histories");

fn records(ended: &Ended, name: &str) {
    ended.fixture(format!("{HISTORIES}/{name}.json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calculate_charges_and_subscriptions() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("CalculateCharges", &charges());
    assert_eq!(ended.result::<Value>()["total"], 4_200);
    ended.called_in_order(&["CalculateCharges", "ProcessInvoice", "ProcessInvoice"]);
    assert_eq!(finals(&bench.book(), "s-1"), 1);
    records(&ended, "calculate_charges");
    assert_eq!(bench.book().contracts["s-1"].period.starts_on, APRIL);

    let bench = services.bench();
    let ended = bench.kit.run("SubscriptionCreation", &creation("card"));
    assert_eq!(ended.result::<Value>()["total"], 1_000);
    assert_eq!(bench.book().contracts["s-9"].terms, terms("basic"));
    records(&ended, "subscription_creation");

    let bench = services.bench();
    let mut ended = bench.kit.run("SubscriptionChange", &change("card"));
    let total = (1_000 - 322) - (4_200 - 1_354);
    assert_eq!(ended.result::<Value>()["total"], total);
    assert_eq!(bench.book().contracts["s-1"].terms, terms("basic"));
    let progress: Value = ended.query("progress").unwrap();
    assert_eq!(progress["step"], "completed");
    records(&ended, "subscription_change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billing_cycle_and_price_sync() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("BillingCycle", &cycle());
    let result: Value = ended.result();
    assert_eq!(
        (&result["invoiced"], &result["totals"]["EUR"]),
        (&3.into(), &12_600.into())
    );
    for id in ["s-1", "s-2", "s-3"] {
        assert_eq!(finals(&bench.book(), id), 1, "{id}");
    }
    records(&ended, "billing_cycle");

    let bench = services.bench();
    let ended = bench.kit.run("PriceSync", &sync());
    let result: Value = ended.result();
    assert_eq!(
        (&result["synced"], &result["total"]),
        (&3.into(), &3.into())
    );
    let prices = bench.book().contracts;
    assert!(prices.values().all(|it| it.price == 4_900));
    records(&ended, "price_sync");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_processing_and_tenant_switch() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("TaskProcessing", &import());
    let result: Value = ended.result();
    assert_eq!(
        (&result["processed"], &result["failed"]),
        (&95.into(), &5.into())
    );
    assert_eq!(ended.called(), ["ProcessTask"; 3]);
    let import = &bench.book().imports["i-1"];
    assert_eq!((import.recorded, import.twice), (95, 0));
    records(&ended, "task_processing");

    let bench = services.bench();
    let ended = bench.kit.run("TenantSwitch", &switch_to("second"));
    let result: Value = ended.result();
    assert_eq!(result["previous_tenant_id"], "first");
    assert_eq!(bench.book().user_tenants["u-1"], "second");
    records(&ended, "tenant_switch");
}
