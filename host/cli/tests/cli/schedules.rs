//! Schedules.

use serde_json::json;

use crate::{fake_host::FakeHost, program::Program};

const SCHEDULES: &str = "/v1/tenants/acme/environments/production/schedules";

#[tokio::test]
async fn a_put_says_everything_and_shows_what_is() {
    let schedule = json!({
        "id": "daily", "next": [1_795_257_720_123_u64], "started": 3,
        "schedule": {"action": {"type": "analytics.DailyReport"}, "cron": ["0 4 * * *"], "paused": false},
        "recent": [{"at": 0, "id": "daily-1970-01-01T00:00:00Z", "run_id": "r", "status": "completed"}],
    });
    let host = FakeHost::start()
        .await
        .on(&format!("PUT {SCHEDULES}/daily"), 201, schedule);
    let program = Program::of(&host).file("in.json", r#"{"day": 1}"#);
    let words = [
        "schedule",
        "put",
        "daily",
        "analytics.DailyReport",
        "--cron",
        "0 4 * * *",
        "--every",
        "1h+5m",
        "--calendar",
        "hour=4 day_of_week=mon,thu",
        "--time-zone",
        "Europe/Berlin",
        "--jitter",
        "30s",
        "--starts-at",
        "2026-11-22T04:00:00Z",
        "--ends-at",
        "2026-11-22T06:00:00+01:00",
        "--overlap",
        "buffer-one",
        "--catch-up",
        "1m",
        "--pause-on-failure",
        "--paused",
        "--note",
        "not yet",
        "--remaining-starts",
        "7",
        "--input",
        "@in.json",
        "--run-timeout",
        "90s",
        "--memo",
        "why=\"books\"",
    ];
    let ran = program.run_with(&words).await.exited(0);
    assert!(
        ran.stdout.contains("daily-1970-01-01T00:00:00Z"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("2026-11-21 10:42:00.123Z"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        host.asked_once().json(),
        json!({
            "action": {
                "type": "analytics.DailyReport", "input": {"day": 1}, "run_timeout": "90s", "memo": {"why": "books"}
            },
            "cron": ["0 4 * * *"], "intervals": [{"every": "3600s", "offset": "300s"}],
            "calendars": [{"hour": "4", "day_of_week": "mon,thu"}], "time_zone": "Europe/Berlin", "jitter": "30s",
            "starts_at": 1_795_320_000_000_u64, "ends_at": 1_795_323_600_000_u64, "overlap": "buffer_one",
            "catch_up": "60s", "pause_on_failure": true, "paused": true, "note": "not yet", "remaining_starts": 7,
        })
    );
}

#[tokio::test]
async fn what_is_done_to_a_schedule_is_one_call_each() {
    let cases = [
        (
            "pause daily --note why",
            "POST",
            "/pause",
            json!({"note": "why"}),
        ),
        ("resume daily", "POST", "/resume", json!({})),
        (
            "trigger daily --overlap allow-all",
            "POST",
            "/trigger",
            json!({"overlap": "allow_all"}),
        ),
        (
            "backfill daily --from 1970-01-01T00:00:00Z --to 1970-01-01T00:00:05Z",
            "POST",
            "/backfill",
            json!({"from": 0, "to": 5_000}),
        ),
    ];
    for (words, verb, below, body) in cases {
        let line = format!("{verb} {SCHEDULES}/daily{below}");
        let host = FakeHost::start().await.on_text(&line, 204, "");
        let ran = Program::of(&host)
            .run(&format!("schedule {words}"))
            .await
            .exited(0);
        assert!(ran.stderr.contains("daily"), "{words}: {}", ran.stderr);
        assert_eq!(host.asked_once().json(), body, "{words}");
    }
    let host = FakeHost::start()
        .await
        .on_text(&format!("DELETE {SCHEDULES}/daily"), 204, "");
    let ran = Program::of(&host)
        .run("schedule delete daily")
        .await
        .exited(0);
    assert!(ran.stderr.contains("is deleted"), "{}", ran.stderr);
}

#[tokio::test]
async fn schedules_are_listed_in_pages() {
    let page = json!({
        "items": [{"id": "daily", "type": "a.B", "paused": true, "note": "why", "next": null}], "next": "c2",
    });
    let host = FakeHost::start()
        .await
        .on(&format!("GET {SCHEDULES}?limit=1"), 200, page);
    let ran = Program::of(&host)
        .run("schedule list --limit 1")
        .await
        .exited(0);
    assert!(ran.stdout.contains("daily"), "{}", ran.stdout);
    assert!(ran.stderr.contains("--cursor c2"), "{}", ran.stderr);
}
