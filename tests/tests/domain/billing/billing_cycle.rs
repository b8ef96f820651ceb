//! `billing.BillingCycle`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::{
    host::Host,
    standin::{Book, InvoiceStatus, Operation, Switch},
};

use super::task_processing::end_of;
use super::{APRIL, DUE_AT, MARCH, contract, furnish, scene};
use crate::scene::{Scene, calls, failure_type};
use crate::schedule::Schedule;

/// Subscriptions that are due while the host is killed again and again.
const SUBSCRIPTIONS: usize = 2_000;
const KILLS: usize = 3;

fn cycle() -> Value {
    json!({ "due_at": DUE_AT, "page_size": 10, "concurrency": 4, "retry_initial_ms": 20 })
}

fn fill(scene: &Scene, subscriptions: usize) {
    scene.edit(|book| {
        for number in 0..subscriptions {
            book.agree(contract(&format!("s-{number:05}")));
        }
    });
}

/// Every subscription of `due` has one final invoice, and its next period.
fn check(book: &Book, due: usize) {
    let mut invoices: BTreeMap<&str, usize> = BTreeMap::new();
    for invoice in &book.invoices {
        if invoice.status == InvoiceStatus::Final {
            *invoices.entry(&invoice.subscription_id).or_default() += 1;
        }
    }
    assert_eq!(invoices.len(), due, "each is invoiced");
    let twice: Vec<_> = invoices.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "each once: {twice:?}");
    let open = book
        .invoices
        .iter()
        .filter(|it| it.status == InvoiceStatus::Draft);
    assert_eq!(open.count(), 0, "no draft is left behind");
    for id in invoices.keys() {
        assert_eq!(book.contracts[*id].period.starts_on, APRIL.0, "{id}");
    }
}

#[tokio::test]
async fn list_due_subscriptions_page_by_page_and_invoice_each_once() {
    let scene = scene("bill-cycle").await;
    fill(&scene, 33);
    scene.edit(|book| {
        // Not yet over, cancelled, and not to be renewed.
        let due = |book: &mut Book, id: &str| book.contracts.get_mut(id).unwrap().due_at.take();
        let later = Some("2026-04-01T02:00:00+00:01".to_owned());
        assert!(due(book, "s-00003").is_some());
        let it = book.contracts.get_mut("s-00004").unwrap();
        it.due_at = Some("2026-04-01T02:00:01Z".to_owned());
        let it = book.contracts.get_mut("s-00005").unwrap();
        it.terms.status = "cancelled".to_owned();
        // Over a minute before in its own offset.
        book.contracts.get_mut("s-00006").unwrap().due_at = later;
    });
    let outcome = scene.run("BillingCycle", "b-1", cycle()).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(outcome["result"]["invoiced"], 30);
    assert_eq!(outcome["result"]["totals"]["EUR"], 30 * 4_200);
    check(&scene.book(), 30);
    assert_eq!(scene.activities("b-1").await, ["ListDueSubscriptions"; 4]);
    assert_eq!(scene.query("b-1", "progress").await["invoiced"], 30);
    // Nobody is due any more.
    let again = scene.run("BillingCycle", "b-2", cycle()).await;
    assert_eq!(again["result"]["invoiced"], 0, "{again:#}");
}

#[tokio::test]
async fn a_subscription_that_cannot_be_invoiced_does_not_stop_the_others() {
    let scene = scene("bill-some").await;
    fill(&scene, 12);
    scene.edit(|book| {
        book.contracts.get_mut("s-00002").unwrap().terms.plan_id = "gone".to_owned();
    });
    let outcome = scene.run("BillingCycle", "b-1", cycle()).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let result = &outcome["result"];
    assert_eq!(
        (&result["invoiced"], &result["failed"]),
        (&json!(11), &json!(1))
    );
    assert_eq!(result["failures"][0]["subscription_id"], "s-00002");
    check(&scene.book(), 11);
    // It stays due, and is invoiced once it can be.
    scene.edit(|book| {
        book.contracts.get_mut("s-00002").unwrap().terms.plan_id = "pro".to_owned();
    });
    let again = scene.run("BillingCycle", "b-2", cycle()).await;
    assert_eq!(again["result"]["invoiced"], 1, "{again:#}");
    check(&scene.book(), 12);
}

#[tokio::test]
async fn a_cycle_whose_list_is_refused_fails_and_the_log_says_why() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let scene = Scene::on(&host.api, "billing", "acme").await;
    furnish(&scene);
    fill(&scene, 12);
    // The second page: the first one is invoiced by then.
    let slow = Switch {
        delay_ms: 500,
        ..Switch::default()
    };
    scene.switch(Operation::InvoiceDrafts, slow);
    scene.start("BillingCycle", "b-1", cycle()).await;
    scene
        .until_book(|book| calls(book, Operation::InvoiceDrafts) > 0)
        .await;
    scene.switch(Operation::DueLists, Switch::failing(1, 403));
    let outcome = scene.world.outcome("b-1").await.unwrap();
    assert_eq!(failure_type(&outcome), "AuthorizationError", "{outcome:#}");
    check(&scene.book(), 10);
    let log = host.log();
    let said = format!("the billing cycle of {DUE_AT} stops: ");
    let line = log.lines().find(|line| line.contains(&said));
    assert!(line.is_some_and(|it| it.contains("403")), "{line:?}");
    // What was not listed is due still.
    let again = scene.run("BillingCycle", "b-2", cycle()).await;
    assert_eq!(again["result"]["invoiced"], 2, "{again:#}");
    check(&scene.book(), 12);
}

#[tokio::test]
async fn two_cycles_at_once_invoice_each_once() {
    let scene = scene("bill-two").await;
    fill(&scene, 40);
    scene.start("BillingCycle", "b-1", cycle()).await;
    scene.start("BillingCycle", "b-2", cycle()).await;
    let mut invoiced = 0;
    for id in ["b-1", "b-2"] {
        let outcome = end_of(&scene.world, id).await;
        assert_eq!(outcome["status"], "completed", "{outcome:#}");
        assert_eq!(outcome["result"]["failed"], 0, "{outcome:#}");
        invoiced += outcome["result"]["invoiced"].as_u64().unwrap();
    }
    assert_eq!(invoiced, 40);
    check(&scene.book(), 40);
}

#[tokio::test]
async fn a_schedule_whose_cycles_overlap_invoices_each_once() {
    let scene = scene("bill-nightly").await;
    fill(&scene, 12);
    // A cycle takes longer than it is until the next one begins.
    let slow = Switch {
        delay_ms: 500,
        ..Switch::default()
    };
    scene.switch(Operation::InvoiceDrafts, slow);
    let mut input = cycle();
    // What is due is due when a cycle begins.
    input.as_object_mut().unwrap().remove("due_at");
    input["concurrency"] = json!(2);
    let action = ("billing.BillingCycle", input);
    let every = json!({ "intervals": [{ "every": "1s" }], "overlap": "allow_all" });
    let schedule = Schedule::put(&scene, "nightly", action, every).await;
    scene
        .until_book(|book| calls(book, Operation::InvoiceFinals) > 0)
        .await;
    schedule
        .until(|seen| seen["started"].as_u64() >= Some(2))
        .await;
    schedule.ask("pause", json!({})).await;
    let paused = |seen: &Value| seen["schedule"]["paused"] == true;
    let ids = schedule.until(paused).await;
    let mut invoiced = 0;
    for id in &ids {
        let result = schedule.result_on(&scene.digest, id).await;
        assert_eq!(result["failed"], 0, "{id}: {result:#}");
        invoiced += result["invoiced"].as_u64().unwrap();
    }
    assert!(ids.len() >= 2, "{ids:?}");
    assert_eq!(invoiced, 12, "{ids:?}");
    check(&scene.book(), 12);

    // The next one begins on the release that is current by then, and finds nobody due.
    let current = scene.push_again().await;
    schedule.ask("trigger", json!({})).await;
    let ids = schedule.until_started(ids.len() + 1).await;
    let result = schedule.result_on(&current, ids.last().unwrap()).await;
    assert_eq!(result["invoiced"], 0, "{result:#}");
    check(&scene.book(), 12);
}

#[tokio::test]
async fn a_cycle_that_is_made_up_for_invoices_what_was_due_at_its_time() {
    let scene = scene("bill-then").await;
    fill(&scene, 3);
    let mut input = cycle();
    input.as_object_mut().unwrap().remove("due_at");
    let action = ("billing.BillingCycle", input);
    let monthly = json!({
        "cron": ["0 2 1 * *"], "time_zone": "UTC", "paused": true, "overlap": "allow_all",
    });
    let schedule = Schedule::put(&scene, "monthly", action, monthly).await;
    // Two months, long ago: 2026-02-15T00:00Z to 2026-04-15T00:00Z. All are due at the second.
    let (from, to) = (1_771_113_600_000_u64, 1_776_211_200_000_u64);
    schedule
        .ask("backfill", json!({ "from": from, "to": to }))
        .await;
    let ids = schedule.until_started(2).await;
    let months = ["03", "04"].map(|month| format!("monthly-2026-{month}-01T02:00:00Z"));
    assert_eq!(ids, months);
    for (id, due) in ids.iter().zip([0, 3]) {
        let result = schedule.result_on(&scene.digest, id).await;
        assert_eq!(result["invoiced"], due, "{id}: {result:#}");
    }
    check(&scene.book(), 3);
}

#[tokio::test]
async fn a_cycle_that_is_cancelled_leaves_no_invoice_half_made() {
    let scene = scene("bill-half").await;
    fill(&scene, 40);
    let slow = Switch {
        delay_ms: 500,
        ..Switch::default()
    };
    scene.switch(Operation::InvoiceDrafts, slow);
    scene.start("BillingCycle", "b-1", cycle()).await;
    let drafted = |book: &Book| !book.invoices.is_empty();
    scene.until_book(drafted).await;
    scene.world.cancel("b-1").await.unwrap();
    let outcome = scene.world.outcome("b-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    let book = scene.book();
    let finals = book
        .invoices
        .iter()
        .filter(|it| it.status == InvoiceStatus::Final);
    let finals = finals.count();
    assert!(finals < 40, "the cycle went on");
    check(&book, finals);
    let left = book
        .contracts
        .values()
        .filter(|it| it.period.starts_on == MARCH.0);
    assert_eq!(left.count(), 40 - finals);
}

#[tokio::test]
async fn a_host_killed_three_times_invoices_two_thousand_each_once() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut scene = Scene::on(&host.api, "billing", "acme").await;
    furnish(&scene);
    fill(&scene, SUBSCRIPTIONS);
    let mut input = cycle();
    input["page_size"] = json!(100);
    input["concurrency"] = json!(50);
    scene.start("BillingCycle", "b-1", input).await;
    for kill in 1..=KILLS {
        let wanted = (SUBSCRIPTIONS * kill / (KILLS + 1)) as u64;
        finals_reach(&scene, wanted).await;
        host.kill().unwrap();
        host.restart().await.unwrap();
        scene.world.api = host.api.clone();
    }
    let outcome = end_of(&scene.world, "b-1").await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let result = &outcome["result"];
    assert_eq!(result["invoiced"], json!(SUBSCRIPTIONS), "{result:#}");
    assert_eq!(
        (&result["skipped"], &result["failed"]),
        (&json!(0), &json!(0))
    );
    check(&scene.book(), SUBSCRIPTIONS);
    assert_eq!(
        scene.book().invoices.len(),
        SUBSCRIPTIONS,
        "and none was voided"
    );
    // Ten pages a run: it continued as new on the way.
    let pages = scene.activities("b-1").await.len();
    assert!(pages <= 11, "one run listed {pages} pages");
}

/// Waits until so many invoices are final.
async fn finals_reach(scene: &Scene, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while scene
        .standin
        .counts("book", Operation::InvoiceFinals)
        .booked
        < wanted
    {
        assert!(Instant::now() < deadline, "the cycle stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
