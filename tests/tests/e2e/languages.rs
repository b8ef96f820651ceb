//! Activities in TypeScript and Python (`plugins/examples`), called by a workflow in Rust across plugins.

use serde_json::{Value, json};
use tenterhook_tests::host::World;

use crate::shared::world;

const CALLER: &str = "test-languages";
const TYPESCRIPT: &str = "receipts";
const PYTHON: &str = "forecast";

/// A tenant with all three, the caller granted to reach the others.
async fn languages(tenant: &str) -> World {
    let world = world(tenant).await;
    for plugin in [CALLER, TYPESCRIPT, PYTHON] {
        world.push_guest(plugin).await.unwrap();
    }
    let granted = json!({ "plugins": [TYPESCRIPT, PYTHON] });
    world.grant(CALLER, &granted).await.unwrap();
    world
        .grant(TYPESCRIPT, &json!({ "config": true }))
        .await
        .unwrap();
    let footer = json!({ "footer": "Thank you — come again" });
    world.configure(TYPESCRIPT, &footer).await.unwrap();
    world
}

fn sale(lines: Value, history: Value) -> Value {
    json!({
        "order": { "order": "o-1", "currency": "EUR", "lines": lines },
        "sales": { "history": history, "periods": 3 },
    })
}

fn lines() -> Value {
    json!([
        { "name": "Brötchen", "quantity": 4, "unit_amount": 45 },
        { "name": "Kaffee", "quantity": 1, "unit_amount": 1250 },
    ])
}

#[tokio::test]
async fn examples_in_other_languages_answer_a_workflow_in_rust() {
    let world = languages("languages-answer").await;
    let sold = sale(lines(), json!([10, 20, 30, 40]));
    world
        .start("test-languages.Sells", "sold", sold)
        .await
        .unwrap();
    let outcome = world.outcome("sold").await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let receipt = "Receipt for o-1\n4 x Brötchen: EUR 1.80\n1 x Kaffee: EUR 12.50\nTotal: EUR 14.30\n\
                   Thank you — come again";
    assert_eq!(
        outcome["result"],
        json!({
            "receipt": { "text": receipt, "total": 1430 },
            "demand": { "forecast": [50, 60, 70], "slope": 10.0 },
        })
    );
}

#[tokio::test]
async fn failures_of_examples_have_their_types_and_are_final_where_they_say_so() {
    let world = languages("languages-fail").await;
    for (id, sale, why) in [
        (
            "typescript",
            sale(json!([]), json!([1, 2])),
            "order o-1 has no lines",
        ),
        (
            "python",
            sale(lines(), json!([1])),
            "a line needs two periods of history, here are 1",
        ),
    ] {
        let started = world.start("test-languages.Sells", id, sale).await;
        started.unwrap();
        let outcome = world.outcome(id).await.unwrap();
        assert_eq!(outcome["status"], "failed", "{id}: {outcome:#}");
        let failure = outcome["failure"].to_string();
        for part in [why, "ValidationError"] {
            assert!(failure.contains(part), "{id}: {outcome:#}");
        }
        // One attempt: the examples say that another one could not mend it.
        let events = world.events(id).await.unwrap();
        let started = events
            .iter()
            .filter(|event| event["type"] == "ActivityTaskStarted");
        for event in started {
            assert_eq!(event["attempt"], 1, "{id}: {event:#}");
        }
    }
}

#[tokio::test]
async fn an_example_without_its_grant_says_what_to_grant() {
    let world = languages("languages-grant").await;
    world.grant(TYPESCRIPT, &json!({})).await.unwrap();
    let sold = sale(lines(), json!([10, 20]));
    world
        .start("test-languages.Sells", "sold", sold)
        .await
        .unwrap();
    let outcome = world.outcome("sold").await.unwrap();
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    let failure = outcome["failure"].to_string();
    assert!(
        failure.contains("an operator grants it with config = true"),
        "{outcome:#}"
    );
}
