//! `billing.CalculateCharges`

use serde_json::{Value, json};
use tenterhook_tests::standin::{InvoiceStatus, Operation, Switch};

use super::{APRIL, MARCH, contract, period, scene};
use crate::scene::failure_type;

fn input(id: &str) -> Value {
    json!({ "subscription_id": id, "period": period(MARCH), "retry_initial_ms": 20 })
}

#[tokio::test]
async fn calculate_charges_and_process_invoice_bill_price_and_usage() {
    let scene = scene("bill-charges").await;
    scene.edit(|book| {
        book.agree(contract("s-1"));
        let days = book.usage.entry("s-1".to_owned()).or_default();
        // The last day of February and the first of April are other periods'.
        for (day, calls) in [
            ("2026-02-28", 1_000),
            ("2026-03-01", 60),
            ("2026-03-31", 90),
            ("2026-04-01", 1_000),
        ] {
            days.insert(day.to_owned(), [("calls".to_owned(), calls)].into());
        }
    });
    let outcome = scene.run("CalculateCharges", "c-1", input("s-1")).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(outcome["result"]["total"], 4_200 + 50 * 5);
    let activities = scene.activities("c-1").await;
    let steps = ["CalculateCharges", "ProcessInvoice", "ProcessInvoice"];
    assert_eq!(activities, steps);
    let book = scene.book();
    assert_eq!(book.invoices.len(), 1);
    let invoice = &book.invoices[0];
    assert_eq!(outcome["result"]["invoice_id"], json!(invoice.invoice_id));
    assert_eq!(invoice.status, InvoiceStatus::Final);
    assert_eq!(book.contracts["s-1"].period.starts_on, APRIL.0);
    let progress = scene.query("c-1", "progress").await;
    assert_eq!(progress["step"], "completed");
}

#[tokio::test]
async fn an_invoice_that_cannot_be_finalised_is_voided() {
    let scene = scene("bill-void").await;
    scene.edit(|book| book.agree(contract("s-1")));
    scene.switch(Operation::InvoiceFinals, Switch::failing(1, 409));
    scene.switch(Operation::InvoiceVoids, Switch::failing(2, 503));
    let outcome = scene.run("CalculateCharges", "c-1", input("s-1")).await;
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    assert_eq!(failure_type(&outcome), "Conflict", "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.invoices[0].status, InvoiceStatus::Void);
    assert_eq!(book.contracts["s-1"].period.starts_on, MARCH.0);
    // It stays due, and the next time it is invoiced.
    let again = scene.run("CalculateCharges", "c-2", input("s-1")).await;
    assert_eq!(again["status"], "completed", "{again:#}");
}

#[tokio::test]
async fn a_draft_whose_answers_are_lost_is_settled_and_voided() {
    let scene = scene("bill-settle").await;
    scene.edit(|book| book.agree(contract("s-1")));
    // Every attempt of the step loses its answer; the settling one gets it.
    let lost = Switch {
        drop_after_booking: 10,
        ..Switch::default()
    };
    scene.switch(Operation::InvoiceDrafts, lost);
    let input = json!({ "subscription_id": "s-1", "period": period(MARCH), "retry_initial_ms": 1 });
    let outcome = scene.run("CalculateCharges", "c-1", input).await;
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    let book = scene.book();
    let statuses: Vec<_> = book.invoices.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [InvoiceStatus::Void]);
    assert_eq!(book.counts(Operation::InvoiceDrafts).booked, 1);
}

#[tokio::test]
async fn a_period_that_is_renewed_already_is_a_conflict() {
    let scene = scene("bill-renewed").await;
    scene.edit(|book| book.agree(contract("s-1")));
    for (id, status) in [("c-1", "completed"), ("c-2", "failed")] {
        let outcome = scene.run("CalculateCharges", id, input("s-1")).await;
        assert_eq!(outcome["status"], status, "{outcome:#}");
    }
    assert_eq!(scene.book().invoices.len(), 1);
}

#[tokio::test]
async fn an_input_that_is_wrong_is_refused_at_the_door_or_in_the_activity() {
    let scene = scene("bill-input").await;
    let mut short = input("s-1");
    short["period"]["starts_on"] = json!("March");
    let refused = scene.refused("CalculateCharges", "c-1", short).await;
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");
    // Of the right form, and no day: no schema sees that.
    let mut strange = input("s-1");
    strange["period"]["starts_on"] = json!("2026-02-30");
    let outcome = scene.run("CalculateCharges", "c-2", strange).await;
    assert_eq!(failure_type(&outcome), "ValidationError", "{outcome:#}");
}

#[tokio::test]
async fn an_invoice_whose_last_answers_are_lost_leaves_the_period_due() {
    let scene = scene("bill-last").await;
    scene.edit(|book| book.agree(contract("s-1")));
    let lost = Switch {
        drop_after_booking: 10,
        ..Switch::default()
    };
    scene.switch(Operation::InvoiceFinals, lost);
    let input = json!({ "subscription_id": "s-1", "period": period(MARCH), "retry_initial_ms": 1 });
    let outcome = scene.run("CalculateCharges", "c-1", input).await;
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    let book = scene.book();
    // It had become final; nobody may use a period that nobody pays.
    assert_eq!(book.invoices[0].status, InvoiceStatus::Void);
    assert_eq!(book.contracts["s-1"].period.starts_on, MARCH.0);
}
