//! Executions.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

const WORKFLOWS: &str = "/v1/tenants/acme/environments/production/workflows";

#[tokio::test]
async fn a_start_says_everything_and_shows_the_id() {
    let started = json!({"id": "p-1", "run_id": "r-1"});
    let host = FakeHost::start()
        .await
        .on(&format!("POST {WORKFLOWS}"), 202, started);
    let program = Program::of(&host).file("in.json", r#"{"amount": 5}"#);
    let ran = program
        .run_with(&[
            "workflow",
            "start",
            "payment.ProcessPayment",
            "--id",
            "p-1",
            "--input",
            "@in.json",
            "--execution-timeout",
            "1h",
            "--run-timeout",
            "90s",
            "--task-timeout",
            "1500ms",
            "--start-delay",
            "1m",
            "--memo",
            "order=\"o-1\"",
            "--reuse",
            "reject-duplicate",
        ])
        .await
        .exited(0);
    assert_eq!(ran.words(), [["Id", "p-1"], ["Run", "r-1"]]);
    assert_eq!(
        host.asked_once().json(),
        json!({
            "type": "payment.ProcessPayment", "id": "p-1", "input": {"amount": 5},
            "execution_timeout": "3600s", "run_timeout": "90s", "task_timeout": "1500ms", "start_delay": "60s",
            "memo": {"order": "o-1"}, "reuse": "reject_duplicate",
        })
    );
}

#[tokio::test]
async fn a_start_that_waits_shows_the_end() {
    let done =
        json!({"id": "p-1", "run_id": "r-1", "status": "completed", "result": {"charge": "c-1"}});
    let host = FakeHost::start()
        .await
        .on(&format!("POST {WORKFLOWS}?wait=5s"), 200, done.clone());
    let program = Program::of(&host).stdin("[1]");
    let ran = program
        .run("workflow start payment.P --input - --wait 5s --output json")
        .await
        .exited(0);
    assert_eq!(ran.json(), done);
    assert_eq!(host.asked_once().json()["input"], json!([1]));

    // Longer than one wait: the result is asked for further.
    let started = json!({"id": "p-2", "run_id": "r-2"});
    let host = FakeHost::start()
        .await
        .on(&format!("POST {WORKFLOWS}?wait=20s"), 202, started)
        .on(
            &format!("GET {WORKFLOWS}/p-2/result?wait=20s"),
            200,
            json!({"id": "p-2", "run_id": "r-2", "status": "completed", "result": 7}),
        );
    let ran = Program::of(&host)
        .run("workflow start payment.P --wait 1m")
        .await
        .exited(0);
    assert!(ran.words().contains(&vec!["Result", "7"]), "{}", ran.stdout);
}

#[tokio::test]
async fn a_start_that_waits_in_vain_is_started_still() {
    let host = FakeHost::start().await.on(
        &format!("POST {WORKFLOWS}?wait=0s"),
        202,
        json!({"id": "p-1", "run_id": "r-1"}),
    );
    let ran = Program::of(&host)
        .run("workflow start payment.P --wait 0s")
        .await
        .exited(0);
    assert_eq!(ran.words(), [["Id", "p-1"], ["Run", "r-1"]]);
    assert!(ran.stderr.starts_with("p-1 goes on: "), "{}", ran.stderr);
}

#[tokio::test]
async fn a_result_is_told_by_exit_code_too() {
    let failure = json!({
        "message": "the payment failed", "type": "PaymentFailed", "non_retryable": true,
        "cause": {"message": "card declined", "type": "Declined"},
    });
    let host = FakeHost::start()
        .await
        .on(
            &format!("GET {WORKFLOWS}/done/result"),
            200,
            json!({"id": "done", "run_id": "r", "status": "completed"}),
        )
        .on(
            &format!("GET {WORKFLOWS}/open/result"),
            202,
            json!({"id": "open", "run_id": "r", "status": "running"}),
        )
        .on(
            &format!("GET {WORKFLOWS}/late/result"),
            200,
            json!({"id": "late", "run_id": "r", "status": "timed_out"}),
        )
        .on(
            &format!("GET {WORKFLOWS}/bad/result"),
            200,
            json!({"id": "bad", "run_id": "r", "status": "failed", "failure": failure}),
        );
    let program = Program::of(&host);
    program.run("workflow result done").await.exited(0);
    let ran = program.run("workflow result open").await.exited(1);
    assert!(
        ran.stderr
            .starts_with("error[workflow-running]: open has not ended: it is running\n"),
        "{}",
        ran.stderr
    );
    let ran = program.run("workflow result late").await.exited(1);
    assert!(
        ran.stderr
            .starts_with("error[workflow-failed]: late is timed out\n"),
        "{}",
        ran.stderr
    );
    let ran = program.run("workflow result bad").await.exited(1);
    assert!(
        ran.words().contains(&vec!["Status", "failed"]),
        "{}",
        ran.stdout
    );
    assert_eq!(
        ran.stderr,
        "error[workflow-failed]: bad is failed: the payment failed (PaymentFailed)\n\
         \x20 caused by: card declined (Declined)\n\
         hint: `tenterhook workflow history bad` shows how it came to that\n"
    );
}

#[tokio::test]
async fn a_result_is_waited_for() {
    let line = format!("GET {WORKFLOWS}/p-1/result?wait=20s");
    let outcome = |status: &str| json!({"id": "p-1", "run_id": "r", "status": status});
    let host = FakeHost::start()
        .await
        .on(&line, 202, outcome("running"))
        .on(&line, 200, outcome("completed"));
    Program::of(&host)
        .run("workflow result p-1 --wait 10m")
        .await
        .exited(0);
    assert_eq!(host.asked().len(), 2);
}

#[tokio::test]
async fn messages_reach_the_execution_whatever_its_id() {
    let at = format!("{WORKFLOWS}/order%2F1%20%C3%A4%3F%23%25");
    let host = FakeHost::start()
        .await
        .on_text(&format!("POST {at}/signals/go%20on"), 204, "")
        .on(
            &format!("POST {at}/queries/status"),
            200,
            json!({"result": {"step": "charge"}}),
        )
        .on(
            &format!("POST {at}/updates/cancel"),
            200,
            json!({"result": "cancelled"}),
        )
        .on_text(&format!("POST {at}/cancel"), 204, "")
        .on_text(&format!("POST {at}/terminate"), 204, "");
    let program = Program::of(&host);
    let id = "order/1 ä?#%";
    let ran = program
        .run_with(&["workflow", "signal", id, "go on", "--input", "5"])
        .await
        .exited(0);
    assert_eq!(ran.stdout, "");
    let ran = program
        .run_with(&["workflow", "query", id, "status"])
        .await
        .exited(0);
    assert_eq!(ran.stdout, "{\n  \"step\": \"charge\"\n}\n");
    let ran = program
        .run_with(&["workflow", "update", id, "cancel", "--input", "null"])
        .await
        .exited(0);
    assert_eq!(ran.stdout, "cancelled\n");
    program
        .run_with(&["workflow", "cancel", id])
        .await
        .exited(0);
    program
        .run_with(&["workflow", "terminate", id, "--reason", "too late"])
        .await
        .exited(0);
    let bodies: Vec<_> = host.asked().iter().map(|asked| asked.json()).collect();
    assert_eq!(
        bodies,
        [
            json!({"input": 5}),
            json!({}),
            json!({"input": null}),
            json!({}),
            json!({"reason": "too late"})
        ]
    );
}

#[tokio::test]
async fn executions_and_histories_are_shown() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let execution = json!({
        "id": "p-1", "run_id": "r-1", "type": "payment.P", "status": "running", "digest": digest,
        "started_at": 1_795_257_720_123_u64, "history_length": 11,
        "pending_activities": [{"id": "3", "type": "payment.Charge", "attempt": 4, "last_failure": {"message": "no\u{1b}[2Jgateway", "type": "X"}}],
    });
    let host = FakeHost::start()
        .await
        .on(&format!("GET {WORKFLOWS}/p-1"), 200, execution.clone())
        .on(&format!("GET {WORKFLOWS}?limit=100"), 200, json!({"items": [execution.clone()]}))
        .on(
            &format!("GET {WORKFLOWS}/p-1/history?limit=2&after=4"),
            200,
            json!({"events": [{"id": 5, "type": "ActivityTaskScheduled", "time": 0, "name": "payment.Charge"}], "next": "5"}),
        );
    let program = Program::of(&host);
    let ran = program.run("workflow show p-1").await.exited(0);
    assert!(
        ran.words().contains(&vec!["Release", &digest]),
        "{}",
        ran.stdout
    );
    assert!(
        ran.words()
            .contains(&vec!["3", "payment.Charge", "4", "no\\u{1b}[2Jgateway"]),
        "{}",
        ran.stdout
    );
    let ran = program
        .run("workflow show p-1 --output json")
        .await
        .exited(0);
    assert_eq!(ran.json(), execution, "one document, whole");
    let ran = program.run("workflow list").await.exited(0);
    assert_eq!(
        ran.words()[1],
        [
            "p-1",
            "payment.P",
            "running",
            "abababababab",
            "2026-11-21",
            "10:42:00.123Z"
        ]
    );
    let ran = program
        .run("workflow history p-1 --limit 2 --after 4")
        .await
        .exited(0);
    assert_eq!(
        ran.words()[1],
        [
            "5",
            "1970-01-01",
            "00:00:00.000Z",
            "ActivityTaskScheduled",
            "payment.Charge"
        ]
    );
    assert_eq!(ran.stderr, "there are more: --after 5\n");
}
