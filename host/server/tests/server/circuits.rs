//! What operators see of the circuits of their tenant.

use serde_json::json;
use tenterhook_domain::{
    TenantId,
    circuit::{CircuitReport, CircuitState, Circuits, FAILURES_TO_OPEN},
};

use crate::host::furnished;

/// One destination of acme fails.
pub(crate) struct FakeCircuits;

impl Circuits for FakeCircuits {
    fn of_tenant(&self, tenant: &TenantId) -> Vec<CircuitReport> {
        let failing = CircuitReport {
            destination: "https://api.example.com:443".to_owned(),
            state: CircuitState::Open,
            failures: FAILURES_TO_OPEN,
            retry_after_millis: Some(900),
        };
        let failing = (tenant.as_str() == "acme").then_some(failing);
        failing.into_iter().collect()
    }

    fn counts(&self) -> Vec<(TenantId, CircuitState, usize)> {
        vec![("acme".parse().unwrap(), CircuitState::Open, 1)]
    }
}

#[tokio::test]
async fn an_operator_sees_the_circuits_of_the_tenant_and_no_others() {
    let host = furnished().await;
    let shown = host
        .tenant("acme")
        .await
        .get("/v1/tenants/acme/circuits")
        .await;
    let failing = json!({
        "destination": "https://api.example.com:443",
        "state": "open",
        "failures": 7,
        "retry_after_millis": 900,
    });
    assert_eq!(shown.json, json!({"items": [failing]}));
    let globex = host.tenant("globex").await;
    let shown = globex.get("/v1/tenants/globex/circuits").await;
    assert_eq!(shown.json, json!({"items": []}));
    assert_eq!(globex.get("/v1/tenants/acme/circuits").await.status, 404);
}
