//! Signals, queries, updates with validators.

use serde_json::{Value, json};

use super::{asked, completed, events_of, refused, start, tenant};

#[tokio::test]
async fn signals_come_in_order_and_queries_see_them() {
    let world = tenant("feature-signals").await;
    start(&world, "Signalled", "s", Value::Null).await;
    for word in ["a", "b", "c"] {
        world.signal("s", "add", json!(word)).await.unwrap();
    }
    assert_eq!(asked(&world, "s", "words").await, json!(["a", "b", "c"]));
    world.signal("s", "finish", Value::Null).await.unwrap();
    assert_eq!(completed(&world, "s").await, json!(["a", "b", "c"]));
    // A closed run still answers queries, and takes no more signals.
    assert_eq!(asked(&world, "s", "words").await, json!(["a", "b", "c"]));
    let late = world.path("workflows/s/signals/add");
    let late = world.api.post(&late, &json!({ "input": "d" })).await;
    refused(&late.unwrap(), "workflow-closed");
    let nobody = world.path("workflows/nobody/signals/add");
    let nobody = world.api.post(&nobody, &json!({ "input": "d" })).await;
    refused(&nobody.unwrap(), "workflow-not-found");
}

#[tokio::test]
async fn a_signal_handler_may_run_activities() {
    let world = tenant("feature-inbox").await;
    start(&world, "Inbox", "i", json!(3)).await;
    for word in ["a", "b", "c"] {
        world.signal("i", "echo", json!(word)).await.unwrap();
    }
    let mut answers: Vec<String> = serde_json::from_value(completed(&world, "i").await).unwrap();
    answers.sort();
    assert_eq!(answers, ["a", "b", "c"]);
    assert_eq!(
        events_of(&world, "i", "ActivityTaskCompleted").await.len(),
        3
    );
}

#[tokio::test]
async fn updates_are_validated_accepted_and_answered() {
    let world = tenant("feature-updates").await;
    start(&world, "Ledger", "l", Value::Null).await;
    let update = async |name: &str, input: Value| world.update("l", name, input).await.unwrap();

    assert_eq!(
        update("deposit", json!(10)).await.ok().unwrap()["result"],
        10
    );
    let rejected = refused(&update("deposit", json!(-1)).await, "update-failed");
    assert!(
        rejected.contains("an amount of -1 cannot be deposited"),
        "{rejected}"
    );
    let failed = refused(&update("withdraw", json!(100)).await, "update-failed");
    assert!(failed.contains("only 10 left"), "{failed}");
    assert_eq!(
        update("withdraw", json!(4)).await.ok().unwrap()["result"],
        6
    );
    // Accepted at once, done after an activity and a timer.
    let later = update("deposit_later", json!(5)).await.ok().unwrap();
    assert_eq!(later["result"], 11);
    let unknown = refused(&update("nope", Value::Null).await, "update-failed");
    assert!(unknown.contains("nope"), "{unknown}");
    let unfit = refused(&update("deposit", json!("ten")).await, "input-invalid");
    assert!(unfit.contains("at /:"), "{unfit}");
    // A whole number, as the schema says, and still too large for the code.
    let unreadable = refused(&update("deposit", json!(u64::MAX)).await, "update-failed");
    assert!(unreadable.contains("expected i64"), "{unreadable}");

    world.signal("l", "close", Value::Null).await.unwrap();
    assert_eq!(completed(&world, "l").await, 11);
    // What the validator rejects leaves nothing in history; what fails after it does.
    let accepted = events_of(&world, "l", "WorkflowExecutionUpdateAccepted").await;
    let names: Vec<&str> = accepted.iter().filter_map(|e| e["name"].as_str()).collect();
    assert_eq!(names, ["deposit", "withdraw", "withdraw", "deposit_later"]);
    assert_eq!(
        events_of(&world, "l", "WorkflowExecutionUpdateCompleted")
            .await
            .len(),
        4
    );
    refused(&update("deposit", json!(1)).await, "workflow-closed");
}

#[tokio::test]
async fn queries_take_input_and_fail_by_themselves() {
    let world = tenant("feature-queries").await;
    start(&world, "Ledger", "l", Value::Null).await;
    let paid = world.update("l", "deposit", json!(11)).await.unwrap();
    assert_eq!(paid.ok().unwrap()["result"], 11);
    let query = async |name: &str, input: Value| world.query("l", name, input).await.unwrap();
    assert_eq!(
        query("balance", Value::Null).await.ok().unwrap()["result"],
        11
    );
    assert_eq!(query("scaled", json!(3)).await.ok().unwrap()["result"], 33);
    let cases = [
        ("broken", Value::Null, "this query is broken"),
        ("nope", Value::Null, "nope"),
        // A whole number, as the schema says, and still too large for the code.
        ("scaled", json!(u64::MAX), "expected i64"),
    ];
    for (name, input, reason) in cases {
        let detail = refused(&query(name, input).await, "query-failed");
        assert!(detail.contains(reason), "{name}: {detail}");
    }
    let unfit = refused(&query("scaled", json!("three")).await, "input-invalid");
    assert!(unfit.contains("at /:"), "{unfit}");
    // A failed query is the caller's alone: the run goes on.
    assert_eq!(
        query("balance", Value::Null).await.ok().unwrap()["result"],
        11
    );
    assert_eq!(events_of(&world, "l", "WorkflowTaskFailed").await.len(), 0);
}
