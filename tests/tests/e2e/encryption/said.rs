//! Everything that a workflow can say, said by a tenant whose payloads are encrypted and by one whose are not.

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

use super::{MARKER, Stage, input, signalled};
use crate::features::{PLUGIN, once, type_of, waits};

/// What the guests say by themselves.
const WORDS: [&str; 4] = [MARKER, "from the parent", "the child fell", "only 5 left"];

/// The words that stand in what Temporal keeps.
fn plain(kept: &[u8]) -> Vec<&'static str> {
    let stands = |word: &&str| kept.windows(word.len()).any(|part| part == word.as_bytes());
    WORDS.into_iter().filter(|word| stands(word)).collect()
}

/// Everything that a workflow can say, each said with [`MARKER`]. Answers with the ids.
async fn say_everything(world: &World) -> Vec<&'static str> {
    let run = async |workflow: &str, id: &str, input: Value| {
        let ended = world.execute(&type_of(workflow), id, input).await;
        ended.unwrap_or_else(|error| panic!("{id}: {error:#}"))
    };
    let echo = run(
        "RunsActivity",
        "echo",
        once("Echo", json!({ "card": MARKER })),
    )
    .await;
    assert_eq!(echo["result"]["result"]["card"], MARKER, "{echo:#}");
    let local = run("RunsLocalActivity", "local", once("Echo", json!(MARKER))).await;
    assert_eq!(local["result"]["result"], MARKER, "{local:#}");
    let failing = json!({
        "kind": "Declined", "message": format!("declined {MARKER}"), "non_retryable": true,
        "details": [{ "card": MARKER }], "causes": [format!("Bank: said no to {MARKER}")],
    });
    let failed = run("RunsActivity", "failing", once("Fail", failing)).await;
    let chain = failed["result"]["failure"].to_string();
    assert!(chain.contains(&format!("declined {MARKER}")), "{failed:#}");
    assert!(
        chain.contains(&format!("said no to {MARKER}")),
        "{failed:#}"
    );
    let counting = json!({
        "activity": "Count", "input": { "to": 5, "fails_at": 4 }, "attempts": 2, "retry_initial_ms": 10,
        "heartbeat_ms": 60_000,
    });
    let counted = run("RunsActivity", "counting", counting).await;
    assert_eq!(counted["result"]["result"]["attempt"], 2, "{counted:#}");
    assert_eq!(
        counted["result"]["result"]["resumed_from"], 3,
        "{counted:#}"
    );
    let ending = json!({ "kind": "Broke", "message": MARKER, "detail": { "card": MARKER } });
    let ended = run("Fails", "fails", ending).await;
    assert_eq!(ended["failure"]["type"], "Broke", "{ended:#}");
    assert_eq!(ended["failure"]["message"], MARKER, "{ended:#}");
    assert_eq!(ended["failure"]["details"][0]["card"], MARKER, "{ended:#}");
    let raise = |plan: &str, child: &str| json!({ "plan": plan, "child_id": child });
    let raised = run("Parent", "parent", raise("finish", "kid")).await;
    assert_eq!(raised["result"]["result"], "from the parent", "{raised:#}");
    let fell = run("Parent", "unhappy", raise("fail", "fallen")).await;
    let chain = fell["result"]["failure"].to_string();
    assert!(chain.contains("the child fell"), "{fell:#}");
    let again = run("ContinuesAsNew", "again", json!({ "remaining": 1 })).await;
    assert_eq!(again["result"]["runs"].as_array().unwrap().len(), 2);

    signalled(world, "signalled").await;
    let words = world
        .query("signalled", "words", Value::Null)
        .await
        .unwrap();
    assert_eq!(words.ok().unwrap()["result"], json!([MARKER]));
    world
        .signal("signalled", "finish", Value::Null)
        .await
        .unwrap();
    let ended = world.outcome("signalled").await.unwrap();
    assert_eq!(ended["status"], "completed", "{ended:#}");

    world
        .start(&type_of("Memo"), "memo", json!(MARKER))
        .await
        .unwrap();
    waits(world, "memo").await;
    world.signal("memo", "go", Value::Null).await.unwrap();
    let memo = world.outcome("memo").await.unwrap();
    assert_eq!(memo["result"], format!("{MARKER}-changed"), "{memo:#}");
    world
        .start(&type_of("Ledger"), "ledger", Value::Null)
        .await
        .unwrap();
    let updated = world.update("ledger", "deposit", json!(5)).await.unwrap();
    assert_eq!(updated.ok().unwrap()["result"], 5);
    let failed = world.update("ledger", "withdraw", json!(9)).await.unwrap();
    let said = failed.body["detail"].as_str().unwrap_or_default();
    assert!(said.contains("only 5 left"), "{failed:?}");
    vec![
        "echo",
        "local",
        "failing",
        "counting",
        "fails",
        "parent",
        "kid",
        "unhappy",
        "fallen",
        "again",
        "signalled",
        "memo",
        "ledger",
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn temporal_keeps_no_plain_word_of_a_tenant_that_wants_none() {
    let mut stage = Stage::new().await;
    for id in say_everything(&stage.acme).await {
        let kept = stage.kept(&format!("acme/production/{id}")).await;
        assert_eq!(plain(&kept), Vec::<&str>::new(), "{id}");
    }
    // Another tenant says the same, and Temporal has it.
    let mut seen = Vec::new();
    for id in say_everything(&stage.globex).await {
        let kept = stage.kept(&format!("globex/production/{id}")).await;
        seen.extend(plain(&kept));
    }
    assert!(WORDS.iter().all(|word| seen.contains(word)), "{seen:?}");
    let plain = input(&stage.raw("globex/production/echo").await);
    assert_eq!(plain.metadata["encoding"], b"json/plain");

    // A history is replayed as it was: by a host that lost its memory, and by the gate before another release.
    signalled(&stage.acme, "surviving").await;
    stage.host.kill().unwrap();
    stage.host.restart().await.unwrap();
    let acme = World::of(&stage.host.api, "acme");
    acme.signal("surviving", "finish", Value::Null)
        .await
        .unwrap();
    let ended = acme.outcome("surviving").await.unwrap();
    assert_eq!(ended["result"], json!([MARKER]), "{ended:#}");
    let release = acme.push(PLUGIN, another_release()).await.unwrap();
    let path = acme.path(&format!("plugins/{PLUGIN}/releases/{release}"));
    let release = acme.api.get(&format!("{path}?wait=60s")).await;
    let release = release.unwrap().ok().unwrap();
    let replayed = release["replay"]["histories"].as_array();
    let replayed = replayed.unwrap_or_else(|| panic!("no report: {release:#}"));
    assert!(replayed.len() > 5, "{release:#}");
    for one in replayed {
        assert_eq!(one["verdict"], "same", "{one:#}");
    }
}

/// The same code with another digest: a section without meaning stands behind it.
fn another_release() -> Vec<u8> {
    let mut component = guest(PLUGIN).unwrap();
    component.extend([0, 5, 4, b'a', b'n', b'e', b'w']);
    component
}
