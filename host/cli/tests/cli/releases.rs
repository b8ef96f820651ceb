//! Ramps, rollbacks, policies, differences, the audit log.

use serde_json::{Value, json};
use tenterhook_domain::Digest;

use crate::{
    fake_host::{FakeHost, TAG},
    program::Program,
};

const PLUGIN: &str = "/v1/tenants/acme/environments/production/plugins/payment";

fn line(percentage: u8, rollout: Value) -> Value {
    json!({
        "current": Digest::of(b"old"), "previous": null, "revision": 7,
        "percentage": percentage, "rollout": rollout,
    })
}

#[tokio::test]
async fn a_ramp_is_planned_by_steps_or_a_share() {
    let digest = Digest::of(b"new").to_string();
    let ramping = line(10, json!({"plan": {"digest": digest}, "paused": false}));
    let guard = json!({
        "enabled": true, "sample_min": 10, "failure_points_max": 5.0, "task_failure_points_max": 1.0,
        "p99_ratio_max": 3.0,
    });
    let mut lenient = guard.clone();
    lenient["failure_points_max"] = json!(20.0);
    lenient["sample_min"] = json!(5);
    let mut off = guard.clone();
    off["enabled"] = json!(false);
    let held = json!([{"percentage": 10, "bake_seconds": 0}]);
    let cases = [
        (
            "--step 10=15m --step 50=1h --step 100",
            json!([
                {"percentage": 10, "bake_seconds": 900},
                {"percentage": 50, "bake_seconds": 3_600},
                {"percentage": 100, "bake_seconds": 0},
            ]),
            guard,
        ),
        (
            "--percentage 10 --failure-points 20 --sample-min 5",
            held.clone(),
            lenient,
        ),
        ("--percentage 10 --no-guard", held, off),
    ];
    for (arguments, steps, guard) in cases {
        let host =
            FakeHost::start()
                .await
                .on(&format!("PUT {PLUGIN}/rollout"), 200, ramping.clone());
        let ran = Program::of(&host)
            .run(&format!(
                "release ramp payment {digest} {arguments} --reason rates"
            ))
            .await
            .exited(0);
        assert!(
            ran.words().contains(&vec!["Percentage", "10"]),
            "{}",
            ran.stdout
        );
        assert!(
            ran.words().contains(&vec!["Ramping", &digest]),
            "{}",
            ran.stdout
        );
        let asked = host.asked_once();
        assert_eq!(
            asked.json(),
            json!({"digest": digest, "steps": steps, "guard": guard}),
            "{arguments}"
        );
        assert_eq!(asked.reason, "rates");
    }
}

#[tokio::test]
async fn each_move_is_one_call() {
    let digest = Digest::of(b"old").to_string();
    let retired = json!({"digest": digest, "state": "retired", "checks": []});
    let cases = [
        (
            "advance payment".to_owned(),
            "POST",
            "rollout/advance".to_owned(),
            line(50, json!(null)),
        ),
        (
            "pause payment".to_owned(),
            "POST",
            "rollout/pause".to_owned(),
            line(5, json!(null)),
        ),
        (
            "resume payment".to_owned(),
            "POST",
            "rollout/resume".to_owned(),
            line(5, json!(null)),
        ),
        (
            "roll-back payment".to_owned(),
            "POST",
            "rollback".to_owned(),
            line(0, json!(null)),
        ),
        (
            "rollout payment".to_owned(),
            "GET",
            "rollout".to_owned(),
            line(0, json!(null)),
        ),
        (
            format!("promote payment {digest}"),
            "PUT",
            "current".to_owned(),
            retired.clone(),
        ),
        (
            format!("retire payment {digest}"),
            "POST",
            format!("releases/{digest}/retire"),
            retired,
        ),
    ];
    for (command, verb, path, answer) in cases {
        let host =
            FakeHost::start()
                .await
                .on(&format!("{verb} {PLUGIN}/{path}"), 200, answer.clone());
        let ran = Program::of(&host)
            .run(&format!("release {command} --output json"))
            .await
            .exited(0);
        assert_eq!(ran.json(), answer, "{command}");
        assert_eq!(host.asked().len(), 1, "{command}");
    }
    let conflict =
        json!({"code": "rollout-not-running", "detail": "the plugin has no ramp under way"});
    let host = FakeHost::start()
        .await
        .on(&format!("POST {PLUGIN}/rollout/pause"), 409, conflict);
    let ran = Program::of(&host)
        .run("release pause payment")
        .await
        .exited(1);
    assert_eq!(
        ran.stderr,
        "error[rollout-not-running]: the plugin has no ramp under way\n"
    );
}

#[tokio::test]
async fn a_difference_is_a_row_each() {
    let (from, to) = (
        Digest::of(b"old").to_string(),
        Digest::of(b"new").to_string(),
    );
    let diff = json!({
        "from": from, "to": to,
        "values": [{"at": "/version", "before": "1.0.0", "after": "2.0.0"}],
        "workflows": {"added": ["Refund"], "removed": [], "changed": {
            "Pay": [{"at": "/input_schema/type", "before": "object", "after": "array"}],
        }},
        "activities": {"added": [], "removed": ["Charge"], "changed": {}},
        "wants": [{"at": "/keyvalue", "before": false, "after": true}],
        "parts": [],
    });
    let path = format!(
        "GET {PLUGIN}/releases/{to}/diff?against=sha256%3A{}",
        &from[7..]
    );
    let host = FakeHost::start().await.on(&path, 200, diff.clone());
    let program = Program::of(&host);
    let command = format!("release diff payment {from} {to}");
    let ran = program.run(&command).await.exited(0);
    assert_eq!(
        ran.words(),
        [
            vec!["WHAT", "BEFORE", "AFTER"],
            vec!["version", "1.0.0", "2.0.0"],
            vec!["workflow", "Refund", "added"],
            vec!["workflow", "Pay", "input_schema/type", "object", "array"],
            vec!["activity", "Charge", "removed"],
            vec!["wants", "keyvalue", "false", "true"],
        ]
    );
    let ran = program
        .run(&format!("{command} --output json"))
        .await
        .exited(0);
    assert_eq!(ran.json(), diff);
}

#[tokio::test]
async fn the_log_is_listed() {
    let digest = Digest::of(b"new").to_string();
    let entry = json!({
        "number": 9, "at": 1_795_257_720_123_u64, "who": "token:abc", "from": "127.0.0.1:5", "why": "the rates",
        "action": "promote", "tenant": "acme", "environment": "production", "plugin": "payment",
        "digest": digest, "detail": "ready → current",
    });
    let page = json!({"items": [entry], "next": "9"});
    let path = format!(
        "GET {PLUGIN}/audit?limit=1&digest=sha256%3A{}",
        &digest[7..]
    );
    let host = FakeHost::start().await.on(&path, 200, page);
    let ran = Program::of(&host)
        .run(&format!(
            "release audit payment --limit 1 --digest {digest}"
        ))
        .await
        .exited(0);
    let row = ran.words()[1].join(" ");
    assert_eq!(
        row,
        format!(
            "2026-11-21 10:42:00.123Z token:abc 127.0.0.1:5 promote {} ready → current the rates",
            &digest[7..19]
        )
    );
    assert_eq!(ran.stderr, "there are more: --cursor 9\n");
}

#[tokio::test]
async fn a_policy_is_changed_in_part() {
    let policy = json!({
        "on_divergence": "pin", "upgrade_on": "continue-as-new", "sample_open": 20, "sample_closed": 20,
        "sample_age_seconds": 604_800, "retention_seconds": 604_800,
    });
    let mut changed = policy.clone();
    changed["on_divergence"] = json!("refuse");
    changed["retention_seconds"] = json!(86_400);
    let host = FakeHost::start()
        .await
        .on(&format!("GET {PLUGIN}/policy"), 200, policy)
        .on(&format!("PUT {PLUGIN}/policy"), 200, changed.clone());
    let program = Program::of(&host);
    let ran = program
        .run("plugin policy set payment --on-divergence refuse --retention 1d")
        .await
        .exited(0);
    assert!(
        ran.words().contains(&vec!["On", "divergence", "refuse"]),
        "{}",
        ran.stdout
    );
    assert_eq!(host.asked()[1].json(), changed);
    assert_eq!(host.asked()[1].if_match, TAG);
    let ran = program.run("plugin policy get payment").await.exited(0);
    assert!(
        ran.words().contains(&vec!["Open", "sampled", "20"]),
        "{}",
        ran.stdout
    );
}
