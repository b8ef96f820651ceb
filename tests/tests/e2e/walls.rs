//! Tenants cannot see one another, and what a guest does wrong stays its own task's trouble.

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

use crate::shared::{api, world};

#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let admin = api().await;
    let theirs = world("wall-theirs").await;
    let digest = theirs
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    theirs
        .start("test-pin.Versioned", "secret", Value::Null)
        .await
        .unwrap();
    let ours = world("wall-ours").await;
    let token = admin
        .post(
            "/v1/tokens",
            &json!({ "principal": { "role": "operator", "tenant": "wall-ours" } }),
        )
        .await;
    let token = token.unwrap().ok().unwrap();
    let stranger = admin.with_token(token["token"].as_str().unwrap());

    assert!(
        stranger
            .get(&ours.path("workflows"))
            .await
            .unwrap()
            .status
            .is_success()
    );
    let there = [
        theirs.path("workflows/secret"),
        theirs.path("workflows/secret/result"),
        theirs.path("plugins/test-pin"),
        theirs.path(&format!("plugins/test-pin/releases/{digest}")),
        theirs.path("plugins"),
        "/v1/tenants/wall-theirs".to_owned(),
    ];
    for path in there {
        let seen = stranger.get(&path).await.unwrap();
        let missing = stranger
            .get(&path.replace("wall-theirs", "wall-nobody"))
            .await
            .unwrap();
        assert_eq!(seen.status.as_u16(), 404, "{path}: {seen:?}");
        let unnamed = |answer: &Value| {
            answer
                .to_string()
                .replace("wall-theirs", "T")
                .replace("wall-nobody", "T")
        };
        assert_eq!(
            unnamed(&seen.body),
            unnamed(&missing.body),
            "{path} differs from what does not exist"
        );
    }
    // Their id in our own scope is another execution, which is not there.
    let mine = stranger.get(&ours.path("workflows/secret")).await.unwrap();
    assert_eq!(mine.code(), Some("workflow-not-found"));
    // A digest names a blob of theirs: it is not ours to see or to run.
    let blob = stranger
        .get(&ours.path(&format!("plugins/test-pin/releases/{digest}")))
        .await
        .unwrap();
    assert_eq!(blob.status.as_u16(), 404, "{blob:?}");
}

/// What each hostile workflow must be told, while a neighbour's work goes on.
#[tokio::test]
async fn a_hostile_workflow_fails_its_own_task_with_the_reason() {
    let hostile = world("hostile").await;
    hostile.push_guest("test-hostile").await.unwrap();
    let limits = json!({ "limits": { "activation_fuel": 500_000_000 } });
    hostile.grant("test-hostile", &limits).await.unwrap();
    let neighbour = world("neighbour").await;
    neighbour.push_guest("bench").await.unwrap();
    let cases = [
        ("Panics", Value::Null, "guest-trapped"),
        ("Overflows", Value::Null, "guest-trapped"),
        ("Spins", Value::Null, "guest-fuel-exhausted"),
        ("Grows", Value::Null, "guest-memory-exceeded"),
        ("FloodsCommands", Value::Null, "guest-too-many-commands"),
        ("HugePayload", Value::Null, "guest-payload-too-large"),
        ("Sleeps", Value::Null, "guest-capability-denied"),
        ("ForgesPin", Value::Null, "command-refused"),
    ];
    for (name, input, code) in cases {
        let id = format!("h-{name}");
        hostile
            .start(&format!("test-hostile.{name}"), &id, input)
            .await
            .unwrap();
        let failure = first_task_failure(&hostile, &id).await;
        assert!(failure.contains(code), "{name}: {failure}");
        let outcome = neighbour
            .execute("bench.OneActivity", &format!("n-{name}"), json!(1))
            .await
            .unwrap();
        assert_eq!(outcome["status"], "completed");
    }
    for limit in [
        "activation_fuel",
        "memory_bytes",
        "activation_commands",
        "payload_bytes",
    ] {
        check_counted(&hostile, "hostile", "test-hostile", limit).await;
    }
    let panicked = first_task_failure(&hostile, "h-Panics").await;
    assert!(
        panicked.contains("on purpose"),
        "the panic's own words are missing: {panicked}"
    );
}

/// Holds that the host counted that the tenant's plugin went over `limit`.
pub(crate) async fn check_counted(world: &World, tenant: &str, plugin: &str, limit: &str) {
    let seen = world.api.get("/metrics").await.unwrap();
    let text = seen.body.as_str().unwrap_or_default();
    let series = format!(
        "tenterhook_limit_hits_total{{limit=\"{limit}\",plugin=\"{plugin}\",tenant=\"{tenant}\"}} "
    );
    let count = text.lines().find_map(|line| line.strip_prefix(&series));
    assert!(count.is_some_and(|count| count != "0"), "{limit}: {text}");
}

/// The reason of the first failed task, from Temporal's history.
async fn first_task_failure(world: &World, id: &str) -> String {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let events = world.events(id).await.unwrap();
        if let Some(event) = events
            .iter()
            .find(|event| event["type"] == "WorkflowTaskFailed")
        {
            return event["failure"].as_str().unwrap_or_default().to_owned();
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{id}: no task failed: {events:#?}"
        );
    }
}
