//! Every fault at every step of every workflow, and what must hold whatever happens.

use serde_json::Value;
use tenterhook_testkit::{Ended, Sweep};
use tenterhook_tests::standin::Book;

use crate::services::{
    APRIL, change, charges, creation, cycle, finals, import, open, switch_to, sync, terms,
};

/// The rows of the import that are bad.
const BAD: &[u64] = &[7, 27, 47, 67, 87];
/// Fewer runs than this show that faults are not put in.
const RUNS_MIN: usize = 15;

/// Runs the workflow once without a fault, and then with each fault at each step that this run took.
async fn sweep(name: &str, input: Value, holds: impl Fn(&Book, &mut Ended)) {
    let services = open().await;
    let swept = Sweep::of(&services.plugin()).run(|kit| {
        let book = services.connect(kit);
        let mut ended = kit.run(name, &input);
        holds(&services.book(&book), &mut ended);
        Ok(())
    });
    let runs = swept.holds();
    println!("{name}: {runs} runs");
    assert!(runs >= RUNS_MIN, "{name}: only {runs} runs");
}

/// A subscription has its next period if, and only if, one invoice for it is final.
fn renewed_if_invoiced(book: &Book, id: &str) -> bool {
    let renewed = book.contracts[id].period.starts_on == APRIL;
    assert_eq!(finals(book, id), usize::from(renewed), "invoices of {id}");
    renewed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calculate_charges_renews_and_invoices_or_neither() {
    sweep("CalculateCharges", charges(), |book, ended| {
        assert_eq!(renewed_if_invoiced(book, "s-1"), ended.is_completed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_creation_is_active_and_paid_or_neither() {
    sweep("SubscriptionCreation", creation("card"), |book, ended| {
        let status = book.contracts.get("s-9").map(|it| it.terms.status.as_str());
        let expected = match ended.is_completed() {
            true => (Some("active"), 1),
            // One that was never made is none to cancel.
            false => (status.map(|_| "cancelled"), 0),
        };
        assert_eq!((status, finals(book, "s-9")), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_change_is_made_and_invoiced_or_neither() {
    sweep("SubscriptionChange", change("card"), |book, ended| {
        let plan = if ended.is_completed() { "basic" } else { "pro" };
        assert_eq!(book.contracts["s-1"].terms, terms(plan));
        let price = if ended.is_completed() { 1_000 } else { 4_200 };
        assert_eq!(book.contracts["s-1"].price, price);
        assert_eq!(finals(book, "s-1"), usize::from(ended.is_completed()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenant_switch_moves_and_logs_in_or_neither() {
    sweep("TenantSwitch", switch_to("second"), |book, ended| {
        let tenant = if ended.is_completed() {
            "second"
        } else {
            "first"
        };
        assert_eq!(book.user_tenants["u-1"], tenant);
        let open = book.sessions.iter().filter(|it| !it.ended).count();
        assert_eq!(open, usize::from(ended.is_completed()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_processing_records_no_row_twice_and_loses_none() {
    sweep("TaskProcessing", import(), |book, ended| {
        let import = &book.imports["i-1"];
        let bad: Vec<_> = import.bad_rows.iter().map(|it| it.row).collect();
        assert_eq!(import.twice, 0, "rows were recorded twice: {ended:?}");
        let told: Value = ended.query("progress").unwrap();
        let processed = told["processed"].as_u64().unwrap();
        let recorded = import.recorded;
        // Also of one that failed: what it has told as processed is recorded, and only bad rows are told as bad.
        assert!(
            processed <= recorded && recorded <= 95,
            "{processed} rows are told, {recorded} recorded: {ended:?}"
        );
        assert!(bad.iter().all(|row| BAD.contains(row)), "{bad:?} are bad");
        if let Ok(result) = ended.outcome() {
            assert_eq!((recorded, bad.as_slice()), (95, BAD), "recorded, bad");
            assert_eq!(result["processed"], 95, "{result:#}");
            assert_eq!(result["failed"], BAD.len(), "{result:#}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn price_sync_counts_what_it_did() {
    sweep("PriceSync", sync(), |book, ended| {
        let prices: Vec<_> = book.contracts.values().map(|it| it.price).collect();
        assert!(
            prices.iter().all(|it| [4_200, 4_900].contains(it)),
            "a price is neither the old one nor the new: {prices:?}"
        );
        let told: Value = ended.query("progress").unwrap();
        let count = |name: &str| told[name].as_u64().unwrap();
        let (synced, skipped, failed) = (count("synced"), count("skipped"), count("failed"));
        let new = prices.iter().filter(|it| **it == 4_900).count() as u64;
        // Also of one that failed or was cancelled: what it has told as synced is.
        assert!(synced <= new, "{synced} are told, {prices:?}: {ended:?}");
        if ended.is_completed() {
            let all = synced + skipped + failed;
            assert_eq!(all, 3, "not each of the three is counted once: {told:#}");
            // A batch without an answer counts as failed, and may have been synced.
            let fits = new <= synced + failed;
            assert!(fits, "{new} have the new price: {told:#}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billing_cycle_invoices_each_once_or_leaves_it_due() {
    sweep("BillingCycle", cycle(), |book, ended| {
        let ids = ["s-1", "s-2", "s-3"];
        let renewed = ids.iter().filter(|id| renewed_if_invoiced(book, id));
        let renewed = renewed.count();
        if let Ok(result) = ended.outcome() {
            assert_eq!(result["invoiced"], renewed);
            assert_eq!(result["failed"], 3 - renewed);
        }
    })
    .await;
}
