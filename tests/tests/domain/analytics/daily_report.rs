//! `analytics.DailyReport`: whole, partial, or none.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tenterhook_tests::standin::{Happening, Operation, Switch};

use crate::scene::{Scene, calls, failure_type, text_of};
use crate::schedule::Schedule;

/// A tenant with two sources: what happened at the edges of 21 November in UTC+1 counts or does not.
async fn scene(tenant: &str) -> Scene {
    let scene = Scene::open("analytics", tenant).await;
    let happenings = |list: &[(&str, i64)]| -> Vec<Happening> {
        list.iter()
            .map(|(at, value)| Happening {
                at: (*at).to_owned(),
                metric: "revenue_eur".to_owned(),
                value: *value,
            })
            .collect()
    };
    let shop = happenings(&[
        ("2026-11-20T22:59:59Z", 1),
        ("2026-11-20T23:00:00Z", 10),
        ("2026-11-21T22:59:59Z", 100),
        ("2026-11-21T23:00:00Z", 1_000),
    ]);
    let app = happenings(&[("2026-11-21T12:00:00+01:00", 5)]);
    scene.edit(|book| {
        book.sources.insert("shop".to_owned(), shop);
        book.sources.insert("app".to_owned(), app);
    });
    scene
}

fn report(sources: &[&str]) -> Value {
    json!({
        "report": "sales",
        "sources": sources,
        "date": "2026-11-21",
        "utc_offset": "+01:00",
        "retry_initial_ms": 20,
    })
}

#[tokio::test]
async fn gather_analytics_generate_report_store_report_log_report_generation() {
    let scene = scene("analytics-report").await;
    let outcome = scene
        .run("DailyReport", "d-1", report(&["shop", "app"]))
        .await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let expected = json!({
        "report": "sales", "date": "2026-11-21", "partial": false, "missing": [],
        "totals": { "revenue_eur": 115 }, "location": "objects/reports/sales/2026-11-21.json",
    });
    assert_eq!(outcome["result"], expected);
    let expected = [
        "GatherAnalytics",
        "GatherAnalytics",
        "GenerateReport",
        "StoreReport",
        "LogReportGeneration",
    ];
    assert_eq!(scene.activities("d-1").await, expected);
    let book = scene.book();
    let stored = &book.objects["reports/sales/2026-11-21.json"].content;
    assert_eq!(stored["day"]["from"], "2026-11-20T23:00:00Z");
    assert_eq!(
        stored["csv"],
        "metric,source,value\nrevenue_eur,shop,110\nrevenue_eur,app,5\n"
    );
    assert_eq!((book.log.len(), book.log[0].kind.as_str()), (1, "report"));
}

#[tokio::test]
async fn a_missing_source_makes_a_partial_report() {
    let scene = scene("analytics-partial").await;
    let outcome = scene
        .run("DailyReport", "d-1", report(&["shop", "lost", "app"]))
        .await;
    let result = &outcome["result"];
    assert_eq!(
        (&result["partial"], &result["totals"]["revenue_eur"]),
        (&json!(true), &json!(115)),
        "{outcome:#}"
    );
    assert_eq!(result["missing"][0]["source"], "lost");
    let reason = result["missing"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("unknown_source"), "{reason}");
    let book = scene.book();
    assert_eq!(
        book.objects["reports/sales/2026-11-21.json"].content["partial"],
        true
    );
    assert_eq!(book.log[0].facts["missing"], json!(["lost"]));
}

#[tokio::test]
async fn without_a_date_it_is_of_yesterday() {
    let scene = scene("analytics-yesterday").await;
    let mut input = report(&["shop"]);
    input.as_object_mut().unwrap().remove("date");
    // A second run of the same day stores in its place. Midnight in UTC+1 may lie between the two.
    for id in ["d-1", "d-2"] {
        let before = yesterday();
        let outcome = scene.run("DailyReport", id, input.clone()).await;
        let date = outcome["result"]["date"].as_str().unwrap().to_owned();
        assert!([before, yesterday()].contains(&date), "{outcome:#}");
    }
}

#[tokio::test]
async fn no_source_at_all_and_a_store_that_is_down_fail() {
    let scene = scene("analytics-fail").await;
    let outcome = scene.run("DailyReport", "d-1", report(&["lost"])).await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "NoData"),
        "{outcome:#}"
    );
    scene.switch(Operation::Objects, Switch::failing(3, 503));
    let outcome = scene.run("DailyReport", "d-2", report(&["shop"])).await;
    assert_eq!(
        failure_type(&outcome),
        "ExternalServiceError",
        "{outcome:#}"
    );
    let book = scene.book();
    assert_eq!(calls(&book, Operation::Objects), 3);
    assert!(book.objects.is_empty() && book.log.is_empty());
    for (field, wrong) in [
        ("sources", json!([])),
        ("date", json!("yesterday")),
        ("utc_offset", json!("CET")),
        ("report", json!("../other")),
    ] {
        let mut input = report(&["shop"]);
        input[field] = wrong;
        let refused = scene.refused("DailyReport", "d-3", input).await;
        assert_eq!(
            refused.code(),
            Some("input-invalid"),
            "{field}: {refused:?}"
        );
    }
    let mut no_day = report(&["shop"]);
    no_day["date"] = json!("2026-02-30");
    let outcome = scene.run("DailyReport", "d-4", no_day).await;
    assert_eq!(failure_type(&outcome), "ValidationError", "{outcome:#}");
}

#[tokio::test]
async fn a_schedule_makes_the_report_of_each_night_however_late() {
    let scene = scene("analytics-nightly").await;
    let happened = |at: &str, value: i64| Happening {
        at: at.to_owned(),
        metric: "visits".to_owned(),
        value,
    };
    let visits = [
        happened("2026-01-08T12:00:00Z", 1),
        happened("2026-01-09T12:00:00Z", 2),
        happened("2026-01-10T12:00:00Z", 4),
    ];
    scene.edit(|book| book.sources.insert("shop".to_owned(), visits.into()));
    let mut input = report(&["shop"]);
    input.as_object_mut().unwrap().remove("date");
    // Half past midnight in Berlin is the day before in UTC.
    let nightly = json!({
        "cron": ["30 0 * * *"], "time_zone": "Europe/Berlin", "paused": true,
        "overlap": "allow_all",
    });
    let action = ("analytics.DailyReport", input);
    let schedule = Schedule::put(&scene, "nightly", action, nightly).await;
    // Three nights, made up for at once: 2026-01-08T12:00Z to 2026-01-11T12:00Z.
    let (from, to) = (1_767_873_600_000_u64, 1_768_132_800_000_u64);
    schedule
        .ask("backfill", json!({ "from": from, "to": to }))
        .await;
    let ids = schedule.until_started(3).await;
    let nights = ["08", "09", "10"].map(|day| format!("nightly-2026-01-{day}T23:30:00Z"));
    assert_eq!(ids, nights);
    for (id, (day, visits)) in ids.iter().zip([("08", 1), ("09", 2), ("10", 4)]) {
        let result = schedule.result_on(&scene.digest, id).await;
        let date = format!("2026-01-{day}");
        assert_eq!(
            (&result["date"], &result["totals"]["visits"]),
            (&json!(date), &json!(visits)),
            "{result:#}"
        );
        let stored = &scene.book().objects[&format!("reports/sales/{date}.json")];
        assert_eq!(stored.content["totals"], result["totals"]);
        assert_eq!(stored.written, 1);
    }
    assert_eq!(scene.book().log.len(), 3);

    // One now is of yesterday, on the release that is current by now. Midnight in UTC+1 may lie between the two.
    let current = scene.push_again().await;
    assert_ne!(current, scene.digest);
    let before = yesterday();
    schedule.ask("trigger", json!({})).await;
    let ids = schedule.until_started(4).await;
    let result = schedule.result_on(&current, ids.last().unwrap()).await;
    let date = result["date"].as_str().unwrap().to_owned();
    assert!([before, yesterday()].contains(&date), "{result:#}");
}

/// The day before today in UTC+1.
fn yesterday() -> String {
    let then = SystemTime::now() - Duration::from_secs(23 * 3_600);
    text_of(then)[..10].to_owned()
}
