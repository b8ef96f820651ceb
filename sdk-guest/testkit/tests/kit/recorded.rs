//! Histories that the kit records, replayed by Temporal's Core.

use serde_json::{Value, json};
use tenterhook_testkit::{Call, Ended, Failure, Kit, Message, Plugin, Sweep};

use crate::shop::{Shop, request};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kit/histories");

/// Replays each run of `ended`, which ran `plugin`.
#[track_caller]
fn replays(plugin: &Plugin, ended: &Ended) {
    let folder = std::env::temp_dir().join(format!("testkit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (number, history) in ended.histories().iter().enumerate() {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("test").replace("::", "-");
        let file = folder.join(format!("{name}-{number}.json"));
        std::fs::write(&file, history).unwrap();
        if let Err(difference) = plugin.replay(&file) {
            panic!("run {number}: {difference}\n{history}");
        }
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_payment_from_long_ago_replays() {
    let plugin = Plugin::guest("payment");
    let mut kit = Kit::new(&plugin);
    Shop::open(&mut kit);
    let ended = kit.run("ProcessPayment", &request());
    ended.fixture(format!("{FIXTURES}/payment.json"));
    replays(&plugin, &ended);
    assert_eq!(plugin.replay_all(FIXTURES), 1);
}

#[test]
fn every_run_of_a_sweep_replays() {
    let plugin = Plugin::guest("payment");
    let swept = Sweep::of(&plugin).run(|kit| {
        Shop::open(kit);
        let ended = kit.run("ProcessPayment", &request());
        replays(&plugin, &ended);
        Ok(())
    });
    assert_eq!(swept.holds(), 51);
}

#[test]
fn all_that_workflows_can_do_replays() {
    let plugin = Plugin::guest("test-workflows");
    let mut kit = Kit::new(&plugin);
    kit.mock_call("Echo", |call: &Call<Value>| match call.attempt {
        1 => Err(Failure::retryable("NetworkError", "no route")),
        _ => Ok(call.input.clone()),
    });
    let run = json!({ "activity": "Echo", "input": 1, "attempts": 2, "start_to_close_ms": 1000 });
    replays(&plugin, &kit.run("RunsLocalActivity", &run));
    let once = json!({ "activity": "Echo", "start_to_close_ms": 1000 });
    replays(&plugin, &kit.run("RunsLocalActivity", &once));
    replays(&plugin, &kit.run("RunsActivity", &once));
    for plan in ["finish", "fail", "cancel", "start_twice"] {
        let input = json!({ "plan": plan, "child_id": "kid" });
        replays(&plugin, &kit.run("Parent", &input));
    }
    replays(
        &plugin,
        &kit.run("ContinuesAsNew", &json!({ "remaining": 2 })),
    );
    replays(&plugin, &kit.run("CancelsTimer", &()));
    let mut ledger = kit.start("Ledger", &());
    assert_eq!(ledger.update::<i64>("deposit", &10), Ok(10));
    assert!(ledger.update::<i64>("deposit", &-1).is_err());
    assert!(ledger.update::<i64>("withdraw", &100).is_err());
    ledger.at(
        std::time::Duration::from_secs(9),
        Message::signal("close", &()),
    );
    replays(&plugin, &ledger.finish());
}

#[test]
fn other_code_does_not_replay() {
    let plugin = Plugin::guest("payment");
    let mut kit = Kit::new(&plugin);
    Shop::open(&mut kit);
    let history = kit
        .run("ProcessPayment", &request())
        .histories()
        .swap_remove(0);
    // The second step becomes another one.
    let other = history.replace("payment.ReserveInventory", "payment.RefundPayment");
    assert_ne!(history, other);
    let file = std::env::temp_dir().join(format!("testkit-other-{}.json", std::process::id()));
    std::fs::write(&file, other).unwrap();
    let difference = plugin.replay(&file).unwrap_err();
    std::fs::remove_file(file).unwrap();
    assert!(difference.contains("ReserveInventory"), "{difference}");
}
