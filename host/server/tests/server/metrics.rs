//! What operators of the host read of what it counts.

use serde_json::json;
use tenterhook_domain::{
    Code,
    double_run::Outcome,
    memory::{InstanceMemory, MemoryReading},
    tally::Tally as _,
};

use crate::host::{Caller, WORKFLOWS, furnished};

const START: &str = r#"{"type": "payment.Pay", "input": {"amount": 1}}"#;

/// What the instances of a host without any hold.
pub(crate) struct FakeMemory;

impl InstanceMemory for FakeMemory {
    fn reading(&self) -> MemoryReading {
        MemoryReading {
            bytes: 5,
            most_bytes: 7,
            budget_bytes: 8,
            is_short: true,
        }
    }
}

/// What is there always.
const GAUGES: [&str; 5] = [
    r#"tenterhook_circuits{state="open",tenant="acme"} 1"#,
    r#"tenterhook_instance_memory_bytes{what="budget"} 8"#,
    r#"tenterhook_instance_memory_bytes{what="most"} 7"#,
    r#"tenterhook_instance_memory_bytes{what="now"} 5"#,
    "tenterhook_polling_held 1",
];

/// The lines of the metrics that are no comments.
async fn series(admin: &Caller<'_>) -> Vec<String> {
    let answer = admin.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = answer.json.as_str().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_refused_is_counted_where_it_is_refused() {
    let host = furnished().await;
    let (admin, caller) = (host.admin().await, host.client("acme/production").await);
    assert_eq!(series(&admin).await, GAUGES);

    let quotas = json!({"starts_per_second": 1, "starts_burst": 1, "releases": 0});
    let set = quotas.to_string();
    assert_eq!(admin.put("/v1/tenants/acme/quotas", &set).await.status, 200);
    assert_eq!(caller.post(WORKFLOWS, START).await.status, 202);
    for _ in 0..3 {
        assert_eq!(caller.post(WORKFLOWS, START).await.status, 429);
    }
    // Refused by the store, not at the door.
    let pushed = admin
        .push(crate::host::PLUGIN, &crate::host::component("9.0.0"))
        .await;
    assert_eq!(pushed.status, 429, "{:?}", pushed.json);

    let (acme, payment) = ("acme".parse().unwrap(), "payment".parse().unwrap());
    let words = "the plugin asked for 9 bytes, its limit memory_bytes is 5";
    let metrics = &host.metrics;
    metrics.failed(&acme, &payment, Code::GuestMemoryExceeded, words);
    // Not a limit's: a guest may say what it likes as it dies.
    metrics.failed(&acme, &payment, Code::GuestTrapped, words);
    metrics.circuit_refused(&acme);
    metrics.connection_refused(&acme);
    metrics.lines_dropped(&acme, &payment, 40);
    metrics.lines_dropped(&acme, &payment, 2);
    metrics.component_refused(&acme, Code::ComponentImportUnknown);
    metrics.polling_held();
    metrics.double_run(&acme, &payment, Outcome::Differs);
    metrics.double_runs_took(std::time::Duration::from_millis(1_500));

    let mut expected = vec![
        r#"tenterhook_quota_refusals_total{quota="starts_per_second",tenant="acme"} 3"#,
        r#"tenterhook_quota_refusals_total{quota="releases",tenant="acme"} 1"#,
        r#"tenterhook_limit_hits_total{limit="memory_bytes",plugin="payment",tenant="acme"} 1"#,
        r#"tenterhook_circuit_refusals_total{tenant="acme"} 1"#,
        r#"tenterhook_outbound_connection_refusals_total{tenant="acme"} 1"#,
        r#"tenterhook_log_lines_dropped_total{plugin="payment",tenant="acme"} 42"#,
        r#"tenterhook_component_refusals_total{code="component-import-unknown",tenant="acme"} 1"#,
        "tenterhook_polling_holds_total 1",
        r#"tenterhook_double_runs_total{outcome="differs",plugin="payment",tenant="acme"} 1"#,
        "tenterhook_double_run_cpu_seconds_total 1.5",
    ];
    expected.extend(GAUGES);
    let mut found = series(&admin).await;
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}
