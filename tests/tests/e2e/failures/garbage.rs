//! A guest that breaks the workflow contract, one place at a time, fails its task with the reason.

use serde_json::{Value, json};

use crate::features::{event, once, result_of, tenant};

const PLUGIN: &str = "test-garbage";

/// Every breach of the guest, the code it must be given, and a word of the sentence.
const BREACHES: &[(&str, &str, &str)] = &[
    ("InstantiateGarbage", "guest-malformed", "failure"),
    ("ActivateGarbage", "guest-malformed", "failure"),
    ("CommandGarbage", "guest-malformed", "command"),
    ("CommandCutShort", "guest-malformed", "command"),
    ("CommandEmpty", "guest-malformed", "command"),
    ("ResultGarbage", "guest-malformed", "result"),
    ("FailureGarbage", "guest-malformed", "failure"),
    ("TaskFailureGarbage", "guest-malformed", "task failure"),
    ("ContinueGarbage", "guest-malformed", "continue-as-new"),
    ("CountTooLow", "guest-malformed", "0 results for 1 jobs"),
    ("CountTooHigh", "guest-malformed", "1000 results for 1 jobs"),
    ("KindWrong", "guest-malformed", "a query's answer"),
    ("RoutineUnknown", "guest-malformed", "a signal routine"),
    ("CompletionWrong", "guest-malformed", "update"),
    ("InterceptorStuck", "non-deterministic", "interceptor"),
    ("ProgressForever", "guest-deadline-exceeded", ""),
    ("InstantiateTraps", "guest-trapped", ""),
];

#[tokio::test]
async fn malformed_bytes_fail_the_task_and_not_the_host() {
    let world = tenant("garbage").await;
    world.push_guest(PLUGIN).await.unwrap();
    let limits = json!({ "limits": { "activation_millis": 500 } });
    world.grant(PLUGIN, &limits).await.unwrap();
    for (breach, ..) in BREACHES {
        world
            .start(&format!("{PLUGIN}.{breach}"), breach, Value::Null)
            .await
            .unwrap();
    }
    for (breach, code, word) in BREACHES {
        let failed = event(&world, breach, "WorkflowTaskFailed").await;
        let reason = failed["failure"].as_str().unwrap_or_default();
        assert!(reason.contains(&format!("[{code}] ")), "{breach}: {reason}");
        assert!(reason.contains(word), "{breach}: {reason}");
        assert_eq!(
            world.describe(breach).await.unwrap()["status"],
            "running",
            "{breach}"
        );
    }
    let ran = result_of(&world, "RunsActivity", "neighbour", once("Echo", json!(1))).await;
    assert_eq!(ran["result"], 1);
}
