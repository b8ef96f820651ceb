//! Each step of each saga, refused for good: the steps before it are undone in reverse, those after it are not taken.

use serde_json::{Value, json};
use tenterhook_testkit::Message;
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{InvoiceStatus, Operation, Switch};

use crate::services::{
    APRIL, MARCH, change, charges, creation, cycle, finals, open, run_as, switch_to, terms,
};

/// What a service refuses, and what is called then: the steps, and what undoes them.
type Refusals = &'static [(Operation, &'static [&'static str])];

/// Runs a saga with each of the refusals in turn, and looks at what is left.
fn refuse(
    services: &Services,
    name: &str,
    input: &Value,
    refusals: Refusals,
    left: impl Fn(&Bench<'_>),
) {
    for (operation, expected) in refusals {
        let bench = services.bench();
        bench.switch(*operation, Switch::failing(1, 409));
        let mut ended = bench.kit.run(name, input);
        assert!(ended.failure().is("Conflict"), "{operation:?}: {ended:?}");
        assert_eq!(ended.called(), *expected, "{name}, {operation:?}");
        let progress: Value = ended.query("progress").unwrap();
        assert_eq!(progress["step"], "failed", "{name}, {operation:?}");
        left(&bench);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calculate_charges_leaves_the_period_due() {
    let services = open().await;
    let refusals: Refusals = &[
        (Operation::ContractReads, &["CalculateCharges"]),
        (
            Operation::InvoiceDrafts,
            &["CalculateCharges", "ProcessInvoice"],
        ),
        (
            Operation::InvoiceFinals,
            &[
                "CalculateCharges",
                "ProcessInvoice",
                "ProcessInvoice",
                "ProcessInvoice",
            ],
        ),
    ];
    refuse(&services, "CalculateCharges", &charges(), refusals, |it| {
        assert_eq!(finals(&it.book(), "s-1"), 0);
        assert_eq!(it.book().contracts["s-1"].period.starts_on, MARCH);
        // Whoever tries again gets it done.
        let again = run_as(it, "again", "CalculateCharges", &charges());
        assert!(again.is_completed(), "{again:?}");
        assert_eq!(it.book().contracts["s-1"].period.starts_on, APRIL);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_creation_leaves_no_subscription_that_is_served() {
    let services = open().await;
    let refusals: Refusals = &[
        (Operation::Contracts, &["CreateSubscription"]),
        (
            Operation::ContractReads,
            &[
                "CreateSubscription",
                "CalculateCharges",
                "RevertSubscriptionChange",
            ],
        ),
        (
            Operation::InvoiceDrafts,
            &[
                "CreateSubscription",
                "CalculateCharges",
                "ProcessInvoice",
                "RevertSubscriptionChange",
            ],
        ),
        (
            Operation::TermsChanges,
            &[
                "CreateSubscription",
                "CalculateCharges",
                "ProcessInvoice",
                "ProcessInvoice",
                "ApplySubscriptionChange",
                "ProcessInvoice",
                "RevertSubscriptionChange",
            ],
        ),
    ];
    let input = creation("card");
    refuse(&services, "SubscriptionCreation", &input, refusals, |it| {
        let book = it.book();
        let status = book.contracts.get("s-9").map(|it| it.terms.status.as_str());
        assert!(status.is_none_or(|it| it == "cancelled"), "{status:?}");
        assert_eq!(finals(&book, "s-9"), 0);
        // What was collected has been given back.
        assert!(book.invoices.iter().all(|it| it.collected_by.is_none()));
    });

    // One that is somebody's already stays as it is.
    let bench = services.bench();
    let mut taken = creation("card");
    taken["subscription_id"] = json!("s-1");
    let ended = bench.kit.run("SubscriptionCreation", &taken);
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    assert_eq!(ended.called(), ["CreateSubscription"]);
    assert_eq!(bench.book().contracts["s-1"].terms, terms("pro"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_change_leaves_the_terms_of_before() {
    let services = open().await;
    let refusals: Refusals = &[
        (Operation::ContractReads, &["CalculateCharges"]),
        (
            Operation::TermsChanges,
            &["CalculateCharges", "ApplySubscriptionChange"],
        ),
        (
            Operation::InvoiceDrafts,
            &[
                "CalculateCharges",
                "ApplySubscriptionChange",
                "ProcessInvoice",
                "RevertSubscriptionChange",
            ],
        ),
        (
            Operation::InvoiceFinals,
            &[
                "CalculateCharges",
                "ApplySubscriptionChange",
                "ProcessInvoice",
                "ProcessInvoice",
                "ProcessInvoice",
                "RevertSubscriptionChange",
            ],
        ),
    ];
    let input = change("card");
    refuse(&services, "SubscriptionChange", &input, refusals, |it| {
        assert_eq!(it.book().contracts["s-1"].terms, terms("pro"));
        assert_eq!(it.book().contracts["s-1"].price, 4_200);
        assert_eq!(finals(&it.book(), "s-1"), 0);
    });

    // A day that is not in the period.
    let bench = services.bench();
    let mut late = change("card");
    late["effective_on"] = json!(APRIL);
    let ended = bench.kit.run("SubscriptionChange", &late);
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    assert_eq!(ended.called(), ["CalculateCharges"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenant_switch_leaves_the_user_where_he_was() {
    let services = open().await;
    let refusals: Refusals = &[
        (Operation::TenantAccess, &["ValidateTenantAccess"]),
        (
            Operation::UserMoves,
            &["ValidateTenantAccess", "UpdateUserTenant"],
        ),
        (
            Operation::Sessions,
            &[
                "ValidateTenantAccess",
                "UpdateUserTenant",
                "CreateTenantSession",
                "UpdateUserTenant",
            ],
        ),
    ];
    let input = switch_to("second");
    refuse(&services, "TenantSwitch", &input, refusals, |it| {
        assert_eq!(it.book().user_tenants["u-1"], "first");
        assert!(it.book().sessions.iter().all(|it| it.ended));
    });

    // One where nobody has let him in.
    let bench = services.bench();
    bench.edit(|book| book.access.insert("third".to_owned(), [].into()));
    let ended = bench.kit.run("TenantSwitch", &switch_to("third"));
    assert!(ended.failure().is("AuthorizationError"), "{ended:?}");
    ended.never_called("UpdateUserTenant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_undoes_a_step_is_insisted_on() {
    let services = open().await;
    // More than the steps' own presets have attempts: three of records, ten of invoices.
    for (name, input, undoing, refusal) in [
        (
            "SubscriptionCreation",
            creation("card_declined"),
            Operation::TermsReverts,
            Switch::failing(4, 503),
        ),
        (
            "SubscriptionChange",
            change("card_declined"),
            Operation::TermsReverts,
            Switch::failing(4, 409),
        ),
        (
            "SubscriptionChange",
            change("card_declined"),
            Operation::InvoiceVoids,
            Switch::failing(11, 409),
        ),
    ] {
        let bench = services.bench();
        bench.switch(undoing, refusal);
        let ended = bench.kit.run(name, &input);
        assert!(ended.failure().is("PaymentDeclined"), "{name}: {ended:?}");
        let book = bench.book();
        assert_eq!(book.contracts["s-1"].terms, terms("pro"));
        let made = book.contracts.get("s-9").map(|it| it.terms.status.as_str());
        assert!(made.is_none_or(|it| it == "cancelled"), "{made:?}");
        assert!(
            book.invoices
                .iter()
                .all(|it| it.status == InvoiceStatus::Void)
        );
    }

    let bench = services.bench();
    let mut moving = bench.kit.start("TenantSwitch", &switch_to("second"));
    moving.until_called("UpdateUserTenant");
    bench.switch(Operation::Sessions, Switch::failing(1, 409));
    bench.switch(Operation::UserMoves, Switch::failing(4, 503));
    let ended = moving.finish();
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    assert_eq!(bench.book().user_tenants["u-1"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_step_is_not_interrupted() {
    let services = open().await;
    // The wish comes when the step after these is under way.
    for (name, input, before) in [
        ("CalculateCharges", charges(), "ProcessInvoice"),
        ("TenantSwitch", switch_to("second"), "UpdateUserTenant"),
    ] {
        let bench = services.bench();
        let mut execution = bench.kit.start(name, &input);
        execution.after(before, Message::cancel());
        let ended = execution.finish();
        assert!(ended.is_completed(), "{name}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_inputs_are_named_all_of_it() {
    let services = open().await;
    let bench = services.bench();
    // Here nobody stands at the door: the activities look again.
    let mut wrong = creation("card");
    wrong["customer_id"] = json!("");
    wrong["plan_id"] = json!("p".repeat(201));
    wrong["quantity"] = json!(0);
    wrong["period"]["zone"] = json!("nowhere at all");
    let failure = bench.kit.run("SubscriptionCreation", &wrong).failure();
    assert!(failure.is("ValidationError"), "{failure:?}");
    let expected = [
        "customer_id is not of 1 to 200 characters",
        "plan_id is not of 1 to 200 characters",
        "quantity is not of 1 to 1000000",
        "zone is no name of a time zone",
    ];
    assert_eq!(failure.details[0], json!(expected));
    let mut hidden = switch_to("second");
    hidden["tenant_id"] = json!("sec\u{7}ond");
    let ended = bench.kit.run("TenantSwitch", &hidden);
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    let mut cycle = cycle();
    cycle["due_at"] = json!("yesterday");
    let ended = run_as(&bench, "cycle", "BillingCycle", &cycle);
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
}
