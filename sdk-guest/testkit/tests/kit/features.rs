//! Every feature of Temporal's workflow contract that the kit simulates, by the guest that has a workflow for each.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::{Call, Failure, Kit, Message, Plugin};

fn kit() -> Kit {
    Kit::new(&Plugin::guest("test-workflows"))
}

#[test]
fn activities_run_for_real_where_a_test_wants_it() {
    let mut kit = kit();
    kit.real("Echo").real("AddToCounter").grant_keyvalue();
    let ended = kit.run("RunsActivity", &json!({ "activity": "Echo", "input": [7] }));
    assert_eq!(ended.result::<Value>()["result"], json!([7]));
    kit.configure("greeting", "hello").real("ReadConfig");
    let ended = kit.run(
        "RunsActivity",
        &json!({ "activity": "ReadConfig", "input": "greeting" }),
    );
    let read = ended.result::<Value>();
    assert!(read.to_string().contains("hello"), "{read}");
}

#[test]
fn local_activities_are_retried_in_their_task() {
    let mut kit = kit();
    kit.mock_call("Echo", |call: &Call<Value>| match call.attempt {
        1 => Err(Failure::retryable("NetworkError", "no route")),
        _ => Ok(call.input.clone()),
    });
    let run = json!({ "activity": "Echo", "input": 1, "attempts": 3, "start_to_close_ms": 1000 });
    let ended = kit.run("RunsLocalActivity", &run);
    assert_eq!(ended.result::<Value>()["result"], json!(1));
    assert_eq!(ended.attempts("Echo"), 2);
    assert_eq!(ended.elapsed(), Duration::from_secs(1));
}

#[test]
fn time_outs_are_of_their_kind() {
    let mut kit = kit();
    kit.mock("Echo", |input: Value| Ok(input))
        .takes(Duration::from_secs(5));
    let kind = |ended: tenterhook_testkit::Ended| ended.result::<Value>()["failure"][1].clone();
    let short = json!({ "activity": "Echo", "attempts": 2, "start_to_close_ms": 1000 });
    let ended = kit.run("RunsActivity", &short);
    assert_eq!(ended.attempts("Echo"), 2);
    let link = kind(ended);
    assert_eq!(
        (&link["what"], &link["state"]),
        (&json!("timeout"), &json!(1))
    );
    let whole = json!({
        "activity": "Echo", "attempts": 0, "start_to_close_ms": 1000, "schedule_to_close_ms": 10_000
    });
    let ended = kit.run("RunsActivity", &whole);
    assert!(ended.elapsed() <= Duration::from_secs(10));
    assert!(ended.attempts("Echo") > 2);
}

#[test]
fn no_time_passes_for_what_is_over() {
    let kit = kit();
    let ended = kit.run("CancelsTimer", &());
    assert_eq!(ended.elapsed(), Duration::from_millis(10));
    let mut words = kit.start("Signalled", &());
    let minute = Duration::from_secs(60);
    words.at(minute, Message::signal("finish", &()));
    words.at(2 * minute, Message::signal("add", "nobody hears it"));
    assert_eq!(words.finish().elapsed(), minute);
}

#[test]
fn signals_queries_and_updates_come_when_they_are_sent() {
    let kit = kit();
    let mut words = kit.start("Signalled", &());
    words.at(Duration::from_secs(60), Message::signal("add", "late"));
    words.settle().signal("add", "soon");
    assert_eq!(words.query::<Value>("words", &()).unwrap(), json!(["soon"]));
    words.advance(Duration::from_secs(60));
    assert_eq!(
        words.query::<Value>("words", &()).unwrap(),
        json!(["soon", "late"])
    );
    words.crash().signal("finish", &());
    assert_eq!(words.finish().result::<Value>(), json!(["soon", "late"]));

    let mut ledger = kit.start("Ledger", &());
    assert_eq!(ledger.update::<i64>("deposit", &10), Ok(10));
    let refused = ledger.update::<i64>("deposit", &-1).unwrap_err();
    assert!(!refused.message.is_empty());
    let refused = ledger.update::<i64>("withdraw", &100).unwrap_err();
    assert!(refused.message.contains("only 10 left"), "{refused}");
    ledger.crash();
    assert_eq!(ledger.query::<i64>("balance", &()), Ok(10));
    ledger.signal("close", &());
    assert_eq!(ledger.finish().result::<i64>(), 10);
}

#[test]
fn updates_come_at_their_workflow_times_and_are_asked_for_at_the_end() {
    let kit = kit();
    let minute = Duration::from_secs(60);
    let mut ledger = kit.start("Ledger", &());
    ledger.at(minute, Message::update("first", "deposit", &10));
    ledger.at(2 * minute, Message::update("refused", "deposit", &-1));
    ledger.at(3 * minute, Message::update("failed", "withdraw", &100));
    ledger.at(4 * minute, Message::signal("close", &()));
    ledger.at(5 * minute, Message::update("late", "deposit", &1));
    let ended = ledger.finish();
    assert_eq!(ended.result::<i64>(), 10);
    assert_eq!(ended.elapsed(), 4 * minute);
    assert_eq!(ended.update("first"), Some(Ok(json!(10))));
    let refused = ended.update("refused").unwrap().unwrap_err();
    let why = "an amount of -1 cannot be deposited";
    assert!(refused.message.contains(why), "{refused}");
    let failed = ended.update("failed").unwrap().unwrap_err();
    assert!(failed.message.contains("only 10 left"), "{failed}");
    assert_eq!(ended.update("late"), None);
}

#[test]
fn commands_are_told_each_in_a_line() {
    let mut kit = kit();
    kit.mock("Echo", |input: Value| Ok(input));
    let ended = kit.run("RunsActivity", &json!({ "activity": "Echo", "input": [7] }));
    let commands = ended.commands();
    let scheduled = "ScheduleActivity test-workflows.Echo([7])";
    let at = commands.iter().position(|line| line == scheduled);
    assert!(at.is_some(), "{commands:#?}");
    let last = commands.last().unwrap();
    assert!(last.starts_with("CompleteWorkflowExecution "), "{last}");
}

#[test]
fn children_run_for_real_or_are_mocked() {
    let mut kit = kit();
    let plan = |plan: &str| json!({ "plan": plan, "child_id": "kid" });
    let raised = kit.run("Parent", &plan("finish")).result::<Value>();
    assert_eq!(raised["result"], "from the parent");
    let raised = kit.run("Parent", &plan("fail")).result::<Value>();
    assert_eq!(raised["failure"][1]["kind"], "ChildError", "{raised}");
    let raised = kit.run("Parent", &plan("cancel")).result::<Value>();
    assert_eq!(raised["failure"][1]["what"], "cancelled", "{raised}");
    let raised = kit.run("Parent", &plan("start_twice")).result::<Value>();
    assert!(raised["error"].is_string(), "{raised}");
    kit.mock_child("Child", |_: &Call<bool>| Ok("mocked"));
    let raised = kit.run("Parent", &plan("finish")).result::<Value>();
    assert_eq!(raised["result"], "mocked");
}

#[test]
fn continuing_as_new_is_followed() {
    let ended = kit().run("ContinuesAsNew", &json!({ "remaining": 3 }));
    assert!(ended.is_completed(), "{ended:?}");
    assert_eq!(ended.runs(), 4);
}

#[test]
#[should_panic(
    expected = "StartTimer 2.000 s the first time and StartTimer 3.000 s when it is repeated"
)]
fn code_that_does_not_repeat_itself_is_found() {
    Kit::new(&Plugin::guest("test-two-minds")).run("Waits", &());
}
