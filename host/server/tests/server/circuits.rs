//! What operators see of the circuits of their tenant.

use serde_json::json;

use crate::host::furnished;

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
