//! `ProcessPayment`: where all goes well, what fails at each step, every fault at every step, what is wrong with inputs, and
//! what is told of compensations that failed.

use serde_json::{Value, json};
use tenterhook_testkit::{Ended, Message, Sweep};
use tenterhook_tests::services::Bench;
use tenterhook_tests::standin::{Book, Operation, Switch};

use crate::services::open;

/// An execution as it was when it was recorded: changed code has to replay it.
const HISTORY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/kit/histories/process_payment.json"
);
/// An item that the fulfilment never ships.
const UNSHIPPABLE: &str = "unshippable";

fn payment(sku: &str) -> Value {
    json!({
        "payment_id": "p-1",
        "order_id": "o-1",
        "customer_id": "c-1",
        "amount": 4_200,
        "currency": "EUR",
        "method": "card",
        "items": [{ "sku": sku, "quantity": 1 }],
    })
}

fn calls(bench: &Bench<'_>, operation: Operation) -> u64 {
    bench.book().counts(operation).calls
}

/// Charged, shipped and `paid`, all of it once; or none of it, and no order that says otherwise.
fn whole_or_undone(book: &Book, ended: &Ended) {
    let charged = book.charges.len() - book.refunds.len();
    let held = book.reservations.iter().filter(|it| !it.released).count();
    let paid = book.orders.get("o-1").is_some_and(|it| it.status == "paid");
    let found = (charged, held, book.shipments.len(), paid);
    let expected = match ended.is_completed() {
        true => (1, 1, 1, true),
        false => (0, 0, 0, false),
    };
    assert_eq!(found, expected, "charged, held, shipped, paid: {ended:?}");
    assert!(book.charges.len() <= 1, "charged twice: {:?}", book.charges);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ordered_is_charged_and_shipped() {
    let services = open().await;
    let bench = services.bench();
    let mut ended = bench.kit.run("ProcessPayment", &payment("tea"));
    assert_eq!(ended.result::<Value>()["status"], "completed");
    let steps = [
        "ValidatePayment",
        "ReserveInventory",
        "ProcessPaymentGateway",
        "UpdateOrderStatus",
        "TriggerFulfillment",
    ];
    assert_eq!(ended.called(), steps);
    let status: Value = ended.query("status").unwrap();
    assert_eq!(status["step"], "completed");
    let book = bench.book();
    assert_eq!(status["charge_id"], json!(book.charges[0].charge_id));
    whole_or_undone(&book, &ended);
    ended.fixture(HISTORY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_that_is_refused_undoes_those_before_it_in_reverse() {
    let services = open().await;
    for (operation, status, kind, undone) in [
        // Nothing is held yet; the order is told all the same.
        (Operation::Reservations, 409, "Conflict", 1),
        (Operation::Charges, 402, "PaymentDeclined", 2),
        (Operation::Orders, 409, "Conflict", 3),
        (Operation::Shipments, 422, "ValidationError", 3),
    ] {
        let bench = services.bench();
        bench.switch(operation, Switch::failing(1, status));
        let mut ended = bench.kit.run("ProcessPayment", &payment("tea"));
        assert!(ended.failure().is(kind), "{operation:?}: {ended:?}");
        let called = ended.called();
        let undoing = ["RefundPayment", "ReleaseInventory", "UpdateOrderStatus"];
        let undoing = &undoing[undoing.len() - undone..];
        assert!(called.ends_with(undoing), "{operation:?}: {called:?}");
        let status: Value = ended.query("status").unwrap();
        assert_eq!(status["step"], "failed", "{operation:?}");
        whole_or_undone(&bench.book(), &ended);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_is_taken_before_the_charge_and_refused_after() {
    let services = open().await;
    let bench = services.bench();
    let mut paying = bench.kit.start("ProcessPayment", &payment("tea"));
    paying.until_called("ReserveInventory");
    let stage: Value = paying.update("cancel", &()).unwrap();
    assert_eq!(stage, "reserving");
    let ended = paying.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    ended.never_called("ProcessPaymentGateway");
    whole_or_undone(&bench.book(), &ended);

    let bench = services.bench();
    let mut paying = bench.kit.start("ProcessPayment", &payment("tea"));
    paying.until_called("ProcessPaymentGateway");
    assert!(paying.update::<Value>("cancel", &()).is_err());
    let ended = paying.finish();
    assert!(ended.is_completed(), "{ended:?}");
    whole_or_undone(&bench.book(), &ended);
}

/// Runs it once without a fault, and then with each fault at each of the `steps` that this run took.
async fn sweep(sku: &str, steps: usize) {
    let services = open().await;
    let swept = Sweep::of(&services.plugin()).run(|kit| {
        let book = services.connect(kit);
        let ended = kit.run("ProcessPayment", &payment(sku));
        whole_or_undone(&services.book(&book), &ended);
        Ok(())
    });
    let runs = swept.holds();
    println!("ProcessPayment of {sku}: {runs} runs");
    // Of an activity there are ten faults.
    assert_eq!((swept.steps, runs), (steps, 1 + 10 * steps), "{sku}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_or_undone_whatever_goes_wrong() {
    sweep("tea", 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undone_whatever_goes_wrong_with_the_undoing() {
    // The five steps, and the three that undo them.
    sweep(UNSHIPPABLE, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_of_the_undoing_is_told_with_the_failure() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::Refunds, Switch::failing(1, 409));
    let ended = bench.kit.run("ProcessPayment", &payment(UNSHIPPABLE));
    let failure = ended.failure();
    assert_eq!(failure.kind, "ValidationError", "{failure:?}");
    // The activity's own details stay where they were.
    assert_eq!(failure.details[0]["status"], 422, "{failure:?}");
    let told = &failure.details[1]["compensations"];
    let names: Vec<_> = told.as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|it| (&it["name"], &it["tries"])).collect();
    let expected = [
        (&json!("RefundPayment"), &json!(2)),
        (&json!("ReleaseInventory"), &json!(1)),
        (&json!("UpdateOrderStatus"), &json!(1)),
    ];
    assert_eq!(names, expected);
    let why = told[0]["last_failure"].as_str().unwrap();
    assert!(why.contains("refunds answered 409"), "{why}");
    assert_eq!(told[1]["last_failure"], Value::Null);
    whole_or_undone(&bench.book(), &ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_is_told_what_was_undone() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = bench.kit.start("ProcessPayment", &payment("tea"));
    execution.after("ReserveInventory", Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    let told = &ended.failure().details[0]["compensations"];
    let last = told.as_array().unwrap().last().unwrap();
    assert_eq!(last, &json!({ "name": "UpdateOrderStatus", "tries": 1 }));
    whole_or_undone(&bench.book(), &ended);

    // Where nothing was done, nothing is told.
    let mut execution = bench.kit.start("ProcessPayment", &payment("tea"));
    execution.cancel();
    let failure = execution.finish().failure();
    assert!(failure.details.is_empty(), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_all_of_it() {
    let services = open().await;
    let bench = services.bench();
    // Here nobody stands at the door: the activity looks again.
    let mut wrong = payment("");
    wrong["payment_id"] = json!("");
    wrong["order_id"] = json!("o".repeat(201));
    wrong["amount"] = json!(0);
    wrong["currency"] = json!("eur");
    wrong["items"][0]["quantity"] = json!(0);
    wrong["retry_initial_ms"] = json!(60_001);
    let ended = bench.kit.run("ProcessPayment", &wrong);
    let failure = ended.failure();
    assert_eq!(failure.kind, "ValidationError", "{failure:?}");
    let expected = [
        "payment_id is not of 1 to 200 characters",
        "order_id is not of 1 to 200 characters",
        "amount is not positive",
        "currency is not of three capital letters",
        "an item's sku is not of 1 to 200 characters",
        "an item's quantity is not positive",
        "retry_initial_ms is out of bounds",
    ];
    assert_eq!(failure.details[0], json!(expected));
    assert_eq!(ended.called(), ["ValidatePayment"]);
    // As long as it may be, in letters and not in bytes.
    let mut long = payment("tea");
    long["customer_id"] = json!("ö".repeat(200));
    assert!(bench.kit.run("ProcessPayment", &long).is_completed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_activity_looks_at_its_own_input() {
    let services = open().await;
    for (field, wrong, refused) in [
        ("items", json!([]), Operation::Reservations),
        ("amount", json!(0), Operation::Charges),
        ("currency", json!("euro"), Operation::Charges),
        ("method", json!(""), Operation::Charges),
    ] {
        let mut bench = services.bench();
        bench.kit.mock("ValidatePayment", |_: Value| Ok(()));
        let mut input = payment("tea");
        input[field] = wrong;
        let ended = bench.kit.run("ProcessPayment", &input);
        assert!(ended.failure().is("ValidationError"), "{field}: {ended:?}");
        assert_eq!(calls(&bench, refused), 0, "{field}");
        whole_or_undone(&bench.book(), &ended);
    }
}
