//! `billing.TenantSwitch`

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Switch};

use super::scene;
use crate::scene::{Scene, failure_type};

/// Somebody who is in `first`, and may be in `second` too.
async fn with_user(tenant: &str) -> Scene {
    let scene = scene(tenant).await;
    scene.edit(|book| {
        book.user_tenants
            .insert("u-1".to_owned(), "first".to_owned());
        for tenant in ["first", "second"] {
            let users = book.access.entry(tenant.to_owned()).or_default();
            users.insert("u-1".to_owned(), "editor".to_owned());
        }
        book.access.insert("third".to_owned(), [].into());
    });
    scene
}

fn to(tenant: &str) -> Value {
    json!({ "user_id": "u-1", "tenant_id": tenant, "retry_initial_ms": 20 })
}

#[tokio::test]
async fn update_user_tenant_and_create_tenant_session_move_the_user() {
    let scene = with_user("bill-switch").await;
    let there = scene.run("TenantSwitch", "t-1", to("second")).await;
    assert_eq!(there["status"], "completed", "{there:#}");
    let result = &there["result"];
    assert_eq!(result["previous_tenant_id"], "first");
    assert_eq!(result["role"], "editor");
    let activities = scene.activities("t-1").await;
    let expected = [
        "ValidateTenantAccess",
        "UpdateUserTenant",
        "CreateTenantSession",
    ];
    assert_eq!(activities, expected);
    let back = scene.run("TenantSwitch", "t-2", to("first")).await;
    assert_eq!(back["status"], "completed", "{back:#}");
    let book = scene.book();
    assert_eq!(book.user_tenants["u-1"], "first");
    let open = book.sessions.iter().filter(|session| !session.ended);
    let open: Vec<_> = open.map(|session| session.tenant_id.as_str()).collect();
    assert_eq!(open, ["first"]);
}

#[tokio::test]
async fn validate_tenant_access_stops_who_may_not() {
    let scene = with_user("bill-noaccess").await;
    let outcome = scene.run("TenantSwitch", "t-1", to("third")).await;
    assert_eq!(failure_type(&outcome), "AuthorizationError", "{outcome:#}");
    let outcome = scene.run("TenantSwitch", "t-2", to("nowhere")).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.user_tenants["u-1"], "first");
    assert_eq!(book.counts(Operation::UserMoves).calls, 0);
}

#[tokio::test]
async fn a_user_who_cannot_log_in_is_moved_back() {
    let scene = with_user("bill-moveback").await;
    scene.switch(Operation::Sessions, Switch::failing(10, 503));
    let outcome = scene.run("TenantSwitch", "t-1", to("second")).await;
    assert_eq!(
        failure_type(&outcome),
        "ExternalServiceError",
        "{outcome:#}"
    );
    let book = scene.book();
    assert_eq!(book.user_tenants["u-1"], "first");
    assert!(book.sessions.iter().all(|session| session.ended));
    let activities = scene.activities("t-1").await;
    assert_eq!(activities.last().unwrap(), "UpdateUserTenant");
}
