//! Children, and signals and cancels to other workflows: all inside the scope.

use serde_json::{Value, json};
use tenterhook_tests::host::guest;

use super::{PLUGIN, asked, completed, event, events_of, refused, result_of, start, tenant};

fn upbringing(plan: &str, child: &str) -> Value {
    json!({ "plan": plan, "child_id": child })
}

#[tokio::test]
async fn a_child_is_an_execution_of_the_same_scope() {
    let world = tenant("feature-child").await;
    let stranger = tenant("feature-child-stranger").await;
    let raised = result_of(&world, "Parent", "p", upbringing("finish", "kid")).await;
    assert_eq!(raised["result"], "from the parent", "{raised:#}");
    assert_eq!(asked(&world, "p", "child_id").await, "kid");
    let kid = world.describe("kid").await.unwrap();
    assert_eq!(
        (&kid["status"], &kid["type"], &kid["run_id"]),
        (
            &json!("completed"),
            &json!("test-workflows.Child"),
            &raised["run_id"]
        ),
        "{kid:#}"
    );
    let there = stranger.api.get(&stranger.path("workflows/kid")).await;
    refused(&there.unwrap(), "workflow-not-found");
    // Without an id the SDK makes one, from the run's own randomness.
    let input = json!({ "plan": "finish" });
    let raised = result_of(&world, "Parent", "unnamed", input).await;
    assert_eq!(raised["result"], "from the parent", "{raised:#}");
}

#[tokio::test]
async fn a_childs_failure_reaches_its_parent_whole() {
    let world = tenant("feature-child-fails").await;
    let raised = result_of(&world, "Parent", "p", upbringing("fail", "kid")).await;
    let chain = raised["failure"].as_array().unwrap();
    assert_eq!(chain.len(), 2, "{raised:#}");
    assert_eq!(
        (&chain[0]["what"], &chain[0]["kind"]),
        (&json!("child"), &json!("Child"))
    );
    let expected = json!({
        "what": "application",
        "kind": "ChildError",
        "message": "the child fell",
        "non_retryable": true,
        "details": [42],
        "next_retry_delay_ms": null,
        "stack_trace": "",
        "state": 0,
    });
    assert_eq!(chain[1], expected, "{raised:#}");
    let kid = world.outcome("kid").await.unwrap();
    assert_eq!(kid["failure"]["type"], "ChildError", "{kid:#}");
}

#[tokio::test]
async fn a_child_is_cancelled_left_alone_or_ended_with_its_parent() {
    let world = tenant("feature-child-ends").await;
    let raised = result_of(&world, "Parent", "p1", upbringing("cancel", "kid1")).await;
    let chain = raised["failure"].as_array().unwrap();
    assert!(
        chain.iter().any(|link| link["what"] == "cancelled"),
        "{raised:#}"
    );
    assert_eq!(world.outcome("kid1").await.unwrap()["status"], "canceled");

    result_of(&world, "Parent", "p2", upbringing("abandon", "kid2")).await;
    world
        .signal("kid2", "finish", json!("alone"))
        .await
        .unwrap();
    assert_eq!(completed(&world, "kid2").await, "alone");

    let raised = result_of(&world, "Parent", "p3", upbringing("start_twice", "kid3")).await;
    let error = raised["error"].as_str().unwrap();
    assert!(error.contains("WorkflowAlreadyExists"), "{error}");
    // The error names the child as its parent does, not as Temporal does.
    assert!(error.contains("workflow_id=kid3"), "{error}");
    assert_eq!(world.outcome("kid3").await.unwrap()["status"], "terminated");
}

/// Parents under way while the current release changes.
const PARENTS: usize = 24;

#[tokio::test]
async fn a_child_runs_on_its_parents_release() {
    let world = tenant("feature-child-digest").await;
    let second = world.push(PLUGIN, relabelled("second")).await.unwrap();
    let mut parents = Vec::new();
    for number in 0..PARENTS {
        if number == PARENTS / 2 {
            make_current(&world, &second).await;
        }
        let (world, kid) = (world.clone(), format!("kid-{number}"));
        let parent = format!("p-{number}");
        start(&world, "Parent", &parent, upbringing("finish", &kid)).await;
        parents.push((parent, kid));
    }
    let mut digests = std::collections::BTreeSet::new();
    for (parent, kid) in parents {
        completed(&world, &parent).await;
        let pinned = |seen: &Value| seen["digest"].is_string();
        let of_parent = world.until(&parent, pinned).await.unwrap()["digest"].clone();
        let of_kid = world.until(&kid, pinned).await.unwrap()["digest"].clone();
        assert_eq!(
            of_parent, of_kid,
            "{parent} and {kid} run on different releases"
        );
        digests.insert(of_parent.to_string());
    }
    assert_eq!(
        digests.len(),
        2,
        "all parents ran on one release: {digests:?}"
    );
}

/// The same code under another digest: a component may carry sections that say nothing.
pub(super) fn relabelled(label: &str) -> Vec<u8> {
    const CUSTOM_SECTION: u8 = 0;
    let mut component = guest(PLUGIN).unwrap();
    let name = u8::try_from(label.len()).unwrap();
    component.extend([CUSTOM_SECTION, name + 1, name]);
    component.extend(label.as_bytes());
    component
}

pub(super) async fn make_current(world: &tenterhook_tests::host::World, digest: &str) {
    let path = world.path(&format!("plugins/{PLUGIN}/current"));
    let set = world.api.put(&path, &json!({ "digest": digest })).await;
    set.unwrap().ok().unwrap();
}

#[tokio::test]
async fn another_workflow_of_the_scope_is_signalled_and_cancelled() {
    let world = tenant("feature-external").await;
    start(&world, "Signalled", "other", Value::Null).await;
    let error = result_of(&world, "SignalsOther", "signals", json!("other")).await;
    assert_eq!(error, Value::Null);
    assert_eq!(
        completed(&world, "other").await,
        json!(["from another workflow"])
    );

    start(&world, "CleansUp", "victim", json!(true)).await;
    event(&world, "victim", "TimerStarted").await;
    let error = result_of(&world, "CancelsOther", "cancels", json!("victim")).await;
    assert_eq!(error, Value::Null);
    assert_eq!(world.outcome("victim").await.unwrap()["status"], "canceled");
}

#[tokio::test]
async fn another_tenants_workflow_is_out_of_reach() {
    let theirs = tenant("feature-external-theirs").await;
    let ours = tenant("feature-external-ours").await;
    start(&theirs, "Signalled", "secret", Value::Null).await;
    super::waits(&theirs, "secret").await;
    // By the caller's id, and by the id that Temporal knows it under.
    let targets = ["secret", "feature-external-theirs/production/secret"];
    for (number, target) in targets.into_iter().enumerate() {
        for workflow in ["SignalsOther", "CancelsOther"] {
            let id = format!("{workflow}-{number}");
            start(&ours, workflow, &id, json!(target)).await;
            out_of_reach(&ours, &id).await;
        }
    }
    assert_eq!(asked(&theirs, "secret", "words").await, json!([]));
    let touched = [
        "WorkflowExecutionSignaled",
        "WorkflowExecutionCancelRequested",
    ];
    for event_type in touched {
        assert_eq!(events_of(&theirs, "secret", event_type).await.len(), 0);
    }
    assert_eq!(
        theirs.describe("secret").await.unwrap()["status"],
        "running"
    );
}

/// Either Temporal finds nothing under the id in our scope, or the id is none of a scope's.
async fn out_of_reach(world: &tenterhook_tests::host::World, id: &str) {
    let error = completed(world, id).await;
    let error = error.as_str().unwrap_or_default();
    assert!(error.contains("not found"), "{id}: {error:?}");
}
