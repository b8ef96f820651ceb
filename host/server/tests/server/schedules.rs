//! Schedules through the API, and a stand-in for those of Temporal.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tenterhook_domain::{
    Code, Error, Result, ScheduleId, Scope, TenantId,
    execution::Page,
    schedule::{Backfill, Overlap, Schedule, ScheduleEntry, Scheduled, Schedules},
};

use crate::host::{Body, SCOPE, furnished};

/// Where they are, in the scope that tests work in.
pub(crate) const SCHEDULES: &str = "/v1/tenants/acme/environments/production/schedules";
/// One of the plugin that tests work with.
pub(crate) const DAILY: &str =
    r#"{"action": {"type": "payment.Pay", "input": {"amount": 1}}, "cron": ["0 4 * * *"]}"#;

/// Schedules in memory: each states a time a second.
#[derive(Default)]
pub(crate) struct FakeSchedules {
    kept: Mutex<BTreeMap<String, Schedule>>,
    /// Backfills and triggers, in words.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Listed are those that were there when this was called; all unless it was.
    listed: Mutex<Option<Vec<String>>>,
}

impl FakeSchedules {
    /// From now on lists say what is there now.
    pub(crate) fn freeze(&self) {
        let kept = self.kept.lock().unwrap();
        *self.listed.lock().unwrap() = Some(kept.keys().cloned().collect());
    }

    fn with<T>(
        &self,
        scope: &Scope,
        id: &ScheduleId,
        act: impl FnOnce(&mut Schedule) -> T,
    ) -> Result<T> {
        let mut kept = self.kept.lock().unwrap();
        let found = kept.get_mut(&format!("{scope}/{id}"));
        let missing = || Error::new(Code::ScheduleNotFound, format!("there is no schedule {id}"));
        found.map(act).ok_or_else(missing)
    }

    fn ask(&self, scope: &Scope, id: &ScheduleId, what: String) -> Result<()> {
        self.with(scope, id, |_| self.asked.lock().unwrap().push(what))
    }
}

#[async_trait]
impl Schedules for FakeSchedules {
    async fn put(
        &self,
        scope: &Scope,
        id: &ScheduleId,
        schedule: &Schedule,
        _weight: u16,
    ) -> Result<bool> {
        let mut kept = self.kept.lock().unwrap();
        let before = kept.insert(format!("{scope}/{id}"), schedule.clone());
        Ok(before.is_none())
    }

    async fn get(&self, scope: &Scope, id: &ScheduleId) -> Result<Scheduled> {
        self.with(scope, id, |schedule| Scheduled {
            id: id.clone(),
            schedule: schedule.clone(),
            next: vec![5_000],
            recent: Vec::new(),
            running: Vec::new(),
            started: 0,
            skipped: 0,
            missed: 0,
            created_at: None,
        })
    }

    async fn list(
        &self,
        scope: &Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<ScheduleEntry>> {
        let kept = self.kept.lock().unwrap();
        let own = kept
            .iter()
            .filter_map(|(key, schedule)| Some((scope.caller_id(key)?.to_owned(), schedule)));
        let after = cursor.unwrap_or_default();
        let mut items: Vec<_> = own
            .filter(|(id, _)| *id > after)
            .map(|(id, schedule)| ScheduleEntry {
                id: id.parse().unwrap(),
                workflow_type: schedule.action.workflow_type.to_string(),
                paused: schedule.paused,
                note: schedule.note.clone(),
                next: None,
                last: None,
            })
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|entry| entry.id.to_string());
        Ok(Page { items, next })
    }

    async fn delete(&self, scope: &Scope, id: &ScheduleId) -> Result<()> {
        self.kept.lock().unwrap().remove(&format!("{scope}/{id}"));
        Ok(())
    }

    async fn pause(&self, scope: &Scope, id: &ScheduleId, paused: bool, note: &str) -> Result<()> {
        self.with(scope, id, |schedule| {
            schedule.paused = paused;
            note.clone_into(&mut schedule.note);
        })
    }

    async fn trigger(
        &self,
        scope: &Scope,
        id: &ScheduleId,
        overlap: Option<Overlap>,
    ) -> Result<()> {
        self.ask(scope, id, format!("trigger {overlap:?}"))
    }

    async fn times(&self, scope: &Scope, id: &ScheduleId, range: &Backfill) -> Result<usize> {
        let times = usize::try_from((range.to - range.from) / 1_000).unwrap();
        self.with(scope, id, |_| times.min(1_000))
    }

    async fn backfill(&self, scope: &Scope, id: &ScheduleId, range: &Backfill) -> Result<()> {
        let (from, to) = (range.from, range.to);
        self.ask(scope, id, format!("backfill {from} to {to}"))
    }

    async fn of_tenant(&self, tenant: &TenantId, _: usize) -> Result<Vec<String>> {
        let kept = self.kept.lock().unwrap();
        let listed = self.listed.lock().unwrap().clone();
        let all = listed.unwrap_or_else(|| kept.keys().cloned().collect());
        let prefix = format!("{tenant}/");
        let own = all.iter().filter_map(|key| key.strip_prefix(&prefix));
        Ok(own.map(str::to_owned).collect())
    }
}

#[tokio::test]
async fn a_schedule_is_handed_on_as_it_was_put_and_read_back() {
    let host = furnished().await;
    let caller = host.client("acme/production").await;
    let whole = json!({
        "action": {
            "type": "payment.Pay", "input": {"amount": 5}, "execution_timeout": "1h", "run_timeout": "30m",
            "task_timeout": "10s", "memo": {"why": "books"}
        },
        "cron": ["0 4 * * mon-fri"], "intervals": [{"every": "1h", "offset": "5m"}],
        "calendars": [{"hour": "12"}], "time_zone": "Europe/Berlin", "jitter": "30s", "starts_at": 1,
        "ends_at": 2, "overlap": "buffer_one", "catch_up": "1m", "pause_on_failure": true, "paused": true,
        "note": "not yet", "remaining_starts": 7
    });
    let path = format!("{SCHEDULES}/monthly");
    let made = caller.put(&path, &whole.to_string()).await;
    assert_eq!(
        (made.status.as_u16(), &made.json["id"]),
        (201, &json!("monthly"))
    );
    let again = caller.put(&path, &whole.to_string()).await;
    assert_eq!(again.status, 200);
    let read = caller.get(&path).await.json;
    assert_eq!(read["schedule"], whole);
    assert_eq!(read["next"], json!([5_000]));

    let note = r#"{"note": "go"}"#;
    assert_eq!(
        caller.post(&format!("{path}/resume"), note).await.status,
        204
    );
    let read = caller.get(&path).await.json;
    assert_eq!(
        (&read["schedule"]["paused"], &read["schedule"]["note"]),
        (&json!(false), &json!("go"))
    );
    let paused = caller
        .send("POST", &format!("{path}/pause"), Body::None)
        .await;
    assert_eq!(paused.status, 204);
    assert_eq!(caller.get(&path).await.json["schedule"]["paused"], true);

    let page = caller.get(&format!("{SCHEDULES}?limit=1")).await.json;
    assert_eq!(
        (&page["items"][0]["id"], &page["next"]),
        (&json!("daily"), &json!("daily"))
    );
    let page = caller.get(&format!("{SCHEDULES}?cursor=daily")).await.json;
    assert_eq!(page["items"][0]["type"], "payment.Pay");
    assert_eq!(
        (&page["items"][0]["id"], page.get("next")),
        (&json!("monthly"), None)
    );
    // The same id elsewhere is another schedule, or none.
    let globex = host.client("globex/production").await;
    let theirs = "/v1/tenants/globex/environments/production/schedules";
    assert_eq!(
        globex.get(&format!("{theirs}/monthly")).await.code(),
        "schedule-not-found"
    );
    assert_eq!(globex.get(theirs).await.json, json!({"items": []}));

    for _ in 0..2 {
        assert_eq!(caller.send("DELETE", &path, Body::None).await.status, 204);
    }
    let gone = caller.get(&path).await;
    assert_eq!(
        (gone.status.as_u16(), gone.code()),
        (404, "schedule-not-found")
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_not_kept() {
    let host = furnished().await;
    let caller = host.client("acme/production").await;
    let with = |action: Value, rest: Value| {
        let mut body = json!({"action": action, "cron": ["@daily"]});
        body.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        body.to_string()
    };
    let pay = json!({"type": "payment.Pay", "input": {"amount": 1}});
    let cases = [
        (
            with(
                json!({"type": "payment.Pay", "input": {"amount": 0}}),
                json!({}),
            ),
            422,
            "input-invalid",
        ),
        (
            with(json!({"type": "payment.Pay"}), json!({})),
            422,
            "input-invalid",
        ),
        (
            with(json!({"type": "payment.Refund"}), json!({})),
            404,
            "workflow-type-not-found",
        ),
        (
            with(json!({"type": "billing.Pay"}), json!({})),
            404,
            "plugin-not-found",
        ),
        (
            with(json!({"type": "Pay"}), json!({})),
            400,
            "request-invalid",
        ),
        (
            with(pay.clone(), json!({"cron": []})),
            422,
            "schedule-invalid",
        ),
        (
            with(pay.clone(), json!({"cron": ["@every 5s"]})),
            422,
            "schedule-invalid",
        ),
        (
            with(pay.clone(), json!({"jitter": "2d"})),
            422,
            "schedule-invalid",
        ),
        (
            with(pay.clone(), json!({"jitter": "soon"})),
            400,
            "request-invalid",
        ),
        (
            with(pay.clone(), json!({"every": "5s"})),
            400,
            "request-invalid",
        ),
    ];
    let path = format!("{SCHEDULES}/other");
    for (body, status, code) in cases {
        let answer = caller.put(&path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{body}"
        );
    }
    assert_eq!(caller.get(&path).await.code(), "schedule-not-found");
    let misnamed = caller.put(&format!("{SCHEDULES}/No%20name"), DAILY).await;
    assert_eq!(misnamed.code(), "name-invalid");
    for what in ["pause", "resume", "trigger"] {
        let answer = caller.post(&format!("{path}/{what}"), "{}").await;
        assert_eq!(answer.code(), "schedule-not-found", "{what}");
    }
    let nowhere = host.admin().await;
    let nowhere = nowhere
        .get(&SCHEDULES.replace("production", "nowhere"))
        .await;
    assert_eq!(nowhere.code(), "environment-not-found");
}

#[tokio::test]
async fn what_is_started_by_hand_counts_as_starts() {
    let host = furnished().await;
    let (admin, caller) = (host.admin().await, host.client("acme/production").await);
    let quotas = r#"{"starts_per_second": 1, "starts_burst": 5}"#;
    assert_eq!(
        admin.put("/v1/tenants/acme/quotas", quotas).await.status,
        200
    );
    let path = format!("{SCHEDULES}/daily");
    let backfill = async |from: u64, to: u64| {
        let range = json!({"from": from, "to": to}).to_string();
        caller.post(&format!("{path}/backfill"), &range).await
    };
    assert_eq!(backfill(1_000, 4_000).await.status, 204);
    let trigger = format!("{path}/trigger");
    assert_eq!(
        caller
            .post(&trigger, r#"{"overlap": "allow_all"}"#)
            .await
            .status,
        204
    );
    let refused = backfill(0, 2_000).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (429, "quota-exceeded")
    );
    // Two were not to be had, one is.
    assert_eq!(caller.post(&trigger, "{}").await.status, 204);
    assert_eq!(caller.post(&trigger, "{}").await.code(), "quota-exceeded");
    assert_eq!(
        *host.schedules.asked.lock().unwrap(),
        [
            "backfill 1000 to 4000",
            "trigger Some(AllowAll)",
            "trigger None"
        ]
    );
    let many = backfill(0, 501_000).await;
    assert_eq!(
        (many.status.as_u16(), many.code()),
        (422, "schedule-invalid")
    );
    assert_eq!(backfill(5, 5).await.code(), "schedule-invalid");
}

#[tokio::test]
async fn a_tenant_has_so_many_schedules_however_late_they_are_listed() {
    let host = furnished().await;
    let (admin, caller) = (host.admin().await, host.client("acme/production").await);
    let quotas = r#"{"schedules": 2}"#;
    assert_eq!(
        admin.put("/v1/tenants/acme/quotas", quotas).await.status,
        200
    );
    host.schedules.freeze();
    let put = async |id: &str| caller.put(&format!("{SCHEDULES}/{id}"), DAILY).await;
    assert_eq!(put("second").await.status, 201);
    let refused = put("third").await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (429, "quota-exceeded")
    );
    assert!(
        refused.json["detail"]
            .as_str()
            .unwrap()
            .contains("schedules"),
        "{:?}",
        refused.json
    );
    assert_eq!(refused.header("retry-after"), "60");
    // What is there may be changed, and what goes makes room.
    assert_eq!(put("second").await.status, 200);
    let gone = caller
        .send("DELETE", &format!("{SCHEDULES}/daily"), Body::None)
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(put("third").await.status, 201);
    let shown = admin.get("/v1/tenants/acme/quotas").await.json;
    let rows = shown["items"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == "schedules").unwrap();
    assert_eq!(row["used"], 2);
    let globex = host.client("globex/production").await;
    let theirs = format!("{}/schedules/daily", SCOPE.replace("acme", "globex"));
    // Another tenant's are another count; that it has no plugin is said first.
    assert_eq!(globex.put(&theirs, DAILY).await.code(), "plugin-not-found");
}
