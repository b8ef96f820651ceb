//! `billing.SubscriptionChange`

use serde_json::{Value, json};
use tenterhook_tests::standin::{InvoiceStatus, Operation, Switch};

use super::{contract, scene};
use crate::scene::failure_type;

fn change(plan_id: &str, day: &str) -> Value {
    json!({
        "subscription_id": "s-1",
        "plan_id": plan_id,
        "quantity": 1,
        "effective_on": day,
        "payment_method": "card",
        "retry_initial_ms": 20,
    })
}

#[tokio::test]
async fn apply_subscription_change_prorates_to_the_unit() {
    let scene = scene("bill-change").await;
    scene.edit(|book| book.agree(contract("s-1")));
    // Down on the 11th: ten days of 31 are used. Up again on the 21st.
    let down = scene
        .run("SubscriptionChange", "d-1", change("basic", "2026-03-11"))
        .await;
    assert_eq!(down["status"], "completed", "{down:#}");
    let up = scene
        .run("SubscriptionChange", "d-2", change("pro", "2026-03-21"))
        .await;
    assert_eq!(up["status"], "completed", "{up:#}");
    let total = |outcome: &Value| outcome["result"]["total"].as_i64().unwrap();
    // Owed by the 11th and the 21st: 1354 and 2709 of 4200, 322 and 645 of 1000.
    assert_eq!(total(&down), (1_000 - 322) - (4_200 - 1_354));
    assert_eq!(total(&up), (4_200 - 2_709) - (1_000 - 645));
    // Ten days of basic in place of pro, and not a cent beside.
    assert_eq!(total(&down) + total(&up), (645 - 322) - (2_709 - 1_354));
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms.plan_id, "pro");
    assert!(
        book.invoices
            .iter()
            .all(|it| it.status == InvoiceStatus::Final)
    );
}

#[tokio::test]
async fn revert_subscription_change_sets_the_terms_back_when_the_invoice_fails() {
    let scene = scene("bill-revert").await;
    scene.edit(|book| book.agree(contract("s-1")));
    let mut input = change("basic", "2026-03-11");
    input["payment_method"] = json!("card_declined");
    let outcome = scene.run("SubscriptionChange", "d-1", input).await;
    assert_eq!(failure_type(&outcome), "PaymentDeclined", "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms, contract("s-1").terms);
    assert_eq!(book.contracts["s-1"].price, 4_200);
    assert_eq!(book.invoices[0].status, InvoiceStatus::Void);
    let activities = scene.activities("d-1").await;
    let undone = &activities[activities.len() - 2..];
    assert_eq!(undone, ["ProcessInvoice", "RevertSubscriptionChange"]);
}

#[tokio::test]
async fn a_change_that_is_cancelled_is_undone() {
    let scene = scene("bill-cancel").await;
    scene.edit(|book| book.agree(contract("s-1")));
    let slow = Switch {
        delay_ms: 3_000,
        ..Switch::default()
    };
    scene.switch(Operation::InvoiceDrafts, slow);
    let input = change("basic", "2026-03-11");
    scene.start("SubscriptionChange", "d-1", input).await;
    let drafting = |progress: &Value| progress["step"] == "draft_invoice";
    scene.until_query("d-1", "progress", drafting).await;
    scene.world.cancel("d-1").await.unwrap();
    let outcome = scene.world.outcome("d-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms, contract("s-1").terms);
    assert_eq!(book.invoices[0].status, InvoiceStatus::Void);
}

#[tokio::test]
async fn a_day_outside_of_the_period_changes_nothing() {
    let scene = scene("bill-outside").await;
    scene.edit(|book| book.agree(contract("s-1")));
    let input = change("basic", "2026-04-01");
    let outcome = scene.run("SubscriptionChange", "d-1", input).await;
    assert_eq!(failure_type(&outcome), "Conflict", "{outcome:#}");
    let book = scene.book();
    assert_eq!(
        (book.invoices.len(), book.contracts["s-1"].history.len()),
        (0, 0)
    );
}
