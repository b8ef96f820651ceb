//! What a schedule may be.

use serde_json::json;

use super::*;
use crate::error::Code;

fn read(json: &Value) -> Result<Schedule, String> {
    let mut whole = json!({"action": {"type": "payment.Pay"}});
    if let (Some(whole), Some(json)) = (whole.as_object_mut(), json.as_object()) {
        whole.extend(json.clone());
    }
    let schedule: Schedule = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    match schedule.check() {
        Ok(()) => Ok(schedule),
        Err(error) => {
            assert_eq!(error.code(), Code::ScheduleInvalid);
            Err(error.detail().to_owned())
        }
    }
}

#[test]
fn what_can_be_is_kept_as_it_was_written() {
    for good in [
        json!({"cron": ["0 4 * * *", "*/15 9-17 * * mon-fri 2026-2030", "@daily"]}),
        json!({"intervals": [{"every": "1h", "offset": "5m"}], "jitter": "30s"}),
        json!({"calendars": [{"hour": "4", "day_of_week": "mon,thu"}], "time_zone": "Europe/Berlin"}),
        json!({
            "cron": ["0 0 1 1 *"], "starts_at": 5, "ends_at": 5, "overlap": "buffer_one", "catch_up": "10s",
            "paused": true, "note": "until the books are closed", "remaining_starts": 3
        }),
    ] {
        let schedule = read(&good);
        let written = serde_json::to_value(schedule.expect("it can be")).expect("it serialises");
        for (key, value) in good.as_object().expect("an object") {
            assert_eq!(&written[key], value, "{good}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    for (bad, says) in [
        (json!({}), "no times"),
        (json!({"cron": vec!["@daily"; 17]}), "17 times"),
        (json!({"cron": ["@every 5s"]}), "@every into intervals"),
        (json!({"cron": ["CRON_TZ=UTC 0 4 * * *"]}), "time_zone"),
        (json!({"cron": ["0 4 * *"]}), "5 fields"),
        (json!({"cron": ["0 4 * * * # x"]}), "no cron expression"),
        (json!({"calendars": [{}]}), "no fields"),
        (json!({"calendars": [{"hour": "4 5"}]}), "hour cannot be"),
        (
            json!({"intervals": [{"every": "0s"}]}),
            "every cannot be 0s: use 1s to 366d",
        ),
        (json!({"intervals": [{"every": "1500ms"}]}), "whole seconds"),
        (
            json!({"intervals": [{"every": "5s", "offset": "5s"}]}),
            "less than",
        ),
        (json!({"intervals": [{"every": "soon"}]}), "is no duration"),
        (
            json!({"cron": ["@daily"], "jitter": "25h"}),
            "jitter cannot be 1d1h",
        ),
        (
            json!({"cron": ["@daily"], "catch_up": "9s"}),
            "catch_up cannot be 9s",
        ),
        (
            json!({"cron": ["@daily"], "time_zone": "Berlin time"}),
            "time_zone",
        ),
        (
            json!({"cron": ["@daily"], "starts_at": 6, "ends_at": 5}),
            "before",
        ),
        (
            json!({"cron": ["@daily"], "ends_at": TIME_MAX + 1}),
            "year 9999",
        ),
        (
            json!({"cron": ["@daily"], "note": "x".repeat(1_001)}),
            "1000 bytes",
        ),
        (
            json!({"cron": ["@daily"], "remaining_starts": REMAINING_MAX + 1}),
            "remaining",
        ),
        (json!({"cron": ["@daily"], "overlap": "maybe"}), "maybe"),
        (json!({"cron": ["@daily"], "every": "5s"}), "unknown field"),
    ] {
        let refused = read(&bad).expect_err("it cannot be");
        assert!(refused.contains(says), "{bad}: {refused}");
    }
    assert!(
        Backfill {
            from: 1,
            to: 2,
            overlap: None
        }
        .check()
        .is_ok()
    );
    assert!(
        Backfill {
            from: 2,
            to: 2,
            overlap: None
        }
        .check()
        .is_err()
    );
}
