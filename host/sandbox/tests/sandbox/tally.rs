//! Limits that attempts go over are counted, each under its name, and with whose plugin it was.

use std::sync::{Arc, Mutex};

use tenterhook_domain::{PluginName, TenantId, grant::Grants, limit::Limits, tally::Tally};
use tenterhook_sandbox::ActivityModule;

use crate::{
    Place,
    activity::{Host, LONG, access, task},
    guest, limits,
    outbound::{Access, Answer, Server, charge},
};

/// What was counted, in order.
#[derive(Default)]
pub(crate) struct Counted(Mutex<Vec<String>>);

impl Tally for Counted {
    fn limit_hit(&self, tenant: &TenantId, plugin: &PluginName, limit: &'static str) {
        let hit = format!("{tenant} {plugin} {limit}");
        self.0.lock().unwrap().push(hit);
    }

    fn quota_refused(&self, _: &TenantId, _: &'static str) {}

    fn circuit_refused(&self, tenant: &TenantId) {
        self.0.lock().unwrap().push(format!("{tenant} circuit"));
    }

    fn connection_refused(&self, tenant: &TenantId) {
        self.0.lock().unwrap().push(format!("{tenant} connection"));
    }

    fn lines_dropped(&self, tenant: &TenantId, plugin: &PluginName, lines: u64) {
        let dropped = format!("{tenant} {plugin} {lines} lines");
        self.0.lock().unwrap().push(dropped);
    }
}

impl Counted {
    /// What was counted since this was asked last.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

async fn stage(guest_name: &str) -> (Arc<Counted>, Place, Arc<ActivityModule>) {
    let counted = Arc::<Counted>::default();
    let place = Place::with_tally(counted.clone());
    let module = place.load(&guest(guest_name)).await.activities().unwrap();
    (counted, place, module)
}

#[tokio::test]
async fn an_attempt_that_ends_over_a_limit_counts_once() {
    let (counted, _place, module) = stage("test-hostile").await;
    type Set = fn(&mut Limits);
    let cases: [(&str, &str, Set, &[&str]); 6] = [
        ("Grow", "null", |_| {}, &["acme payment memory_bytes"]),
        (
            "Spin",
            "null",
            |limits| limits.activity_millis = 100,
            &["acme payment activity_millis"],
        ),
        (
            "HugeResult",
            "5000",
            |limits| limits.payload_bytes = 1024,
            &["acme payment payload_bytes"],
        ),
        // A trap is no limit, whatever the guest says as it dies.
        ("Panic", "\"its limit memory_bytes is 1\"", |_| {}, &[]),
        ("Innocent", "\"four\"", |_| {}, &[]),
        // Told of in the log and counted; the attempt goes on.
        (
            "FloodLog",
            "12",
            |limits| limits.log_lines = 5,
            &["acme payment 7 lines", "acme payment log_lines"],
        ),
    ];
    for (name, input, set, expected) in cases {
        let access = access(limits(set), Grants::default());
        let host = Arc::<Host>::default();
        let ended = module.execute(task(name, input), access, host, LONG).await;
        let goes_on = ["Innocent", "FloodLog"].contains(&name);
        assert_eq!(ended.is_err(), !goes_on, "{name}: {ended:?}");
        assert_eq!(counted.take(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_request_over_a_limit_counts_though_the_guest_goes_on() {
    let (counted, _place, module) = stage("payment").await;
    let server = Server::start(Answer::Body(format!(
        r#"{{"charge_id":"{}"}}"#,
        "x".repeat(5_000)
    )))
    .await;
    type Set = fn(&mut Limits);
    let cases: [(&str, Set); 4] = [
        ("outbound_requests", |limits| limits.outbound_requests = 0),
        ("outbound_per_second", |limits| {
            limits.outbound_per_second = 0;
        }),
        ("outbound_request_body_bytes", |limits| {
            limits.outbound_request_body_bytes = 20;
        }),
        ("outbound_body_bytes", |limits| {
            limits.outbound_body_bytes = 1_024;
        }),
    ];
    for (name, set) in cases {
        let mut access = Access::to(&server);
        access.limits = limits(set);
        charge(&module, &access, LONG).await.unwrap().unwrap_err();
        assert_eq!(counted.take(), [format!("acme payment {name}")]);
    }
}
