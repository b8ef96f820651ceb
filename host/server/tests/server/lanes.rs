//! Lanes of environments' own, over the API.

use async_trait::async_trait;
use tenterhook_domain::{
    Code, Error, Result,
    lane::{LaneGround, LaneSettings},
};

use crate::host::furnished;

/// Every namespace is there but one.
pub(crate) struct FakeGround;

#[async_trait]
impl LaneGround for FakeGround {
    async fn prepare(&self, lane: &LaneSettings) -> Result<()> {
        match lane.namespace.as_deref() {
            Some("nowhere") => Err(Error::new(
                Code::LaneInvalid,
                "there is no namespace \"nowhere\"",
            )),
            _ => Ok(()),
        }
    }
}

const PATH: &str = "/v1/tenants/acme/environments/production/lane";

#[tokio::test]
async fn a_lane_is_an_admins_to_give() {
    let host = furnished().await;
    let admin = host.admin().await;
    let missing = admin.get(PATH).await;
    assert_eq!(
        (missing.status.as_u16(), missing.code()),
        (404, "lane-not-found")
    );
    let lane = r#"{"namespace": "acme", "task_queue": "orders", "default_plugin": "payment"}"#;
    let put = admin.put(PATH, lane).await;
    assert_eq!(put.status, 201, "{:?}", put.json);
    let same = admin.put(PATH, lane).await;
    assert_eq!((same.status.as_u16(), &same.json), (200, &put.json));
    let seen = host.tenant("acme").await.get(PATH).await;
    assert_eq!((seen.status.as_u16(), &seen.json), (200, &put.json));
    for (wrong, status, code) in [
        (r#"{"task_queue": "it's"}"#, 422, "lane-invalid"),
        (
            r#"{"task_queue": "a", "namespace": "nowhere"}"#,
            422,
            "lane-invalid",
        ),
        (r#"{"task_queue": "a", "x": 1}"#, 400, "request-invalid"),
    ] {
        let answer = admin.put(PATH, wrong).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{wrong}"
        );
    }
    let other = "/v1/tenants/globex/environments/production/lane";
    let taken = admin.put(other, lane).await;
    assert_eq!(
        (taken.status.as_u16(), taken.code()),
        (409, "lane-conflict")
    );
    assert_eq!(
        admin
            .send("DELETE", PATH, crate::host::Body::None)
            .await
            .status,
        204
    );
    assert_eq!(admin.get(PATH).await.status, 404);
}
