//! `billing.PriceSync`

use serde_json::{Value, json};
use tenterhook_tests::standin::{Book, Operation, Plan, Switch};

use super::{contract, scene};
use crate::scene::{Scene, calls, failure_type};

/// Two hundred and fifty subscriptions of `pro`: every tenth is cancelled, the seventh's price is under negotiation.
async fn crowd(tenant: &str) -> Scene {
    let scene = scene(tenant).await;
    scene.edit(|book| {
        for number in 0..250 {
            let mut contract = contract(&format!("s-{number}"));
            contract.terms.status = match number {
                7 => "locked",
                _ if number % 10 == 0 => "cancelled",
                _ => "active",
            }
            .to_owned();
            book.agree(contract);
        }
        let plan: &mut Plan = book.plans.get_mut("pro").unwrap();
        (plan.price, plan.price_version) = (4_900, 2);
    });
    scene
}

fn sync() -> Value {
    json!({ "plan_id": "pro", "batch_size": 20, "concurrency": 5, "retry_initial_ms": 20 })
}

#[tokio::test]
async fn sync_plan_prices_counts_synced_skipped_and_failed() {
    let scene = crowd("bill-prices").await;
    // Answers that are lost are asked for again, and count as they did.
    let lost = Switch {
        drop_after_booking: 2,
        ..Switch::default()
    };
    scene.switch(Operation::Prices, lost);
    let outcome = scene.run("PriceSync", "p-1", sync()).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let counts = |result: &Value| {
        ["total", "synced", "skipped", "failed"].map(|it| result[it].as_u64().unwrap())
    };
    assert_eq!(counts(&outcome["result"]), [250, 224, 25, 1]);
    let failure = &outcome["result"]["failures"][0];
    assert_eq!(failure["subscription_id"], "s-7");
    let book = scene.book();
    let synced = book.contracts.values().filter(|it| it.price == 4_900);
    assert_eq!(synced.count(), 224);
    let batches = scene.activities("p-1").await;
    assert_eq!(batches.len(), 13, "250 in batches of 20");
    assert_eq!(scene.query("p-1", "progress").await["synced"], 224);

    let again = scene.run("PriceSync", "p-2", sync()).await;
    assert_eq!(counts(&again["result"]), [250, 0, 249, 1]);
}

#[tokio::test]
async fn a_batch_that_gets_no_answer_fails_and_the_others_go_on() {
    let scene = crowd("bill-batch").await;
    // While the first of two batches sets prices, the plans service fails: the second begins by asking it.
    let mut input = sync();
    input["batch_size"] = json!(125);
    input["concurrency"] = json!(1);
    let slow = Switch {
        delay_ms: 10,
        ..Switch::default()
    };
    scene.switch(Operation::Prices, slow);
    scene.start("PriceSync", "p-1", input).await;
    let setting = |book: &Book| calls(book, Operation::Prices) > 0;
    scene.until_book(setting).await;
    scene.switch(Operation::Plans, Switch::failing(1_000, 503));
    let outcome = scene.world.outcome("p-1").await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let result = &outcome["result"];
    assert_eq!(result["failed"], 1 + 125, "{result:#}");
    let sum: u64 = ["synced", "skipped", "failed"]
        .iter()
        .map(|it| result[*it].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 250);
}

#[tokio::test]
async fn a_plan_that_is_not_there_changes_no_price() {
    let scene = crowd("bill-noplan").await;
    let input = json!({ "plan_id": "gold", "retry_initial_ms": 20 });
    let outcome = scene.run("PriceSync", "p-1", input).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    assert_eq!(calls(&scene.book(), Operation::Prices), 0);
}
