//! Lanes of scopes' own.

use tenterhook_domain::{
    Code,
    lane::{LANES_MAX, LaneSettings},
};
use tenterhook_store::{AuditFilter, Cursor, Written};

use crate::{Fixture, NOW, author, on_every_store};

fn lane(namespace: Option<&str>, task_queue: &str) -> LaneSettings {
    LaneSettings {
        namespace: namespace.map(str::to_owned),
        task_queue: task_queue.to_owned(),
        default_plugin: None,
    }
}

async fn a_lane_is_one_scopes_alone(fixture: Fixture) {
    let lanes = &fixture.store.lanes;
    let acme = fixture.scope("acme/production").await;
    let globex = fixture.scope("globex/production").await;
    let put = async |scope, lane| lanes.put_lane(scope, &lane, &author("a"), NOW).await;
    assert_eq!(lanes.lane(&acme).await.unwrap(), None);
    let created = put(&acme, lane(None, "one")).await.unwrap();
    assert_eq!(created, Written::Created);
    let again = put(&acme, lane(None, "one")).await.unwrap();
    assert_eq!(again, Written::Unchanged);
    let taken = put(&globex, lane(None, "one")).await.unwrap_err();
    assert_eq!(taken.code(), Code::LaneConflict);
    // In a namespace of its own a queue may be called the same; the namespace is nobody else's.
    put(&globex, lane(Some("globex"), "one")).await.unwrap();
    let taken = put(&acme, lane(Some("globex"), "two")).await.unwrap_err();
    assert_eq!(taken.code(), Code::LaneConflict);
    let bad = put(&acme, lane(None, "it's")).await.unwrap_err();
    assert_eq!(bad.code(), Code::LaneInvalid);
    let mut changed = lane(None, "one");
    changed.default_plugin = Some("payment".parse().unwrap());
    put(&acme, changed.clone()).await.unwrap();
    assert_eq!(lanes.lane(&acme).await.unwrap(), Some(changed.clone()));
    let expected = [
        (acme.clone(), changed),
        (globex.clone(), lane(Some("globex"), "one")),
    ];
    assert_eq!(lanes.all().await.unwrap(), expected);
    let nowhere = "acme/nowhere".parse().unwrap();
    let missing = put(&nowhere, lane(None, "x")).await.unwrap_err();
    assert_eq!(missing.code(), Code::EnvironmentNotFound);
}

async fn a_lane_that_goes_is_told_and_written_down(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let mut told = store.changes.lanes();
    let lanes = &store.lanes;
    lanes
        .put_lane(&acme, &lane(None, "one"), &author("a"), NOW)
        .await
        .unwrap();
    assert!(told.has_changed().unwrap());
    told.mark_unchanged();
    lanes.delete_lane(&acme, &author("b"), NOW).await.unwrap();
    assert!(told.has_changed().unwrap());
    let gone = lanes.delete_lane(&acme, &author("b"), NOW).await;
    assert_eq!(gone.unwrap_err().code(), Code::LaneNotFound);
    assert_eq!(
        fixture.another_host().await.lanes.all().await.unwrap(),
        vec![]
    );
    let filter = AuditFilter {
        scope: Some(&acme),
        ..AuditFilter::default()
    };
    let log = store.audit.entries(filter, Cursor::FIRST).await.unwrap();
    let told: Vec<_> = log
        .items
        .iter()
        .map(|it| (it.action.as_str(), it.plugin.as_ref(), it.detail.as_str()))
        .collect();
    let expected = [
        ("lane", None, "the pooled lane"),
        ("lane", None, r#"{"task_queue":"one"}"#),
    ];
    assert_eq!(told, expected);
}

async fn there_are_only_so_many(fixture: Fixture) {
    let lanes = &fixture.store.lanes;
    for n in 0..=LANES_MAX {
        let scope = fixture.scope(&format!("t{n}/production")).await;
        let lane = lane(None, &format!("q{n}"));
        let put = lanes.put_lane(&scope, &lane, &author("a"), NOW).await;
        assert_eq!(put.is_ok(), n < LANES_MAX, "{n}");
    }
}

on_every_store!(
    a_lane_is_one_scopes_alone,
    a_lane_that_goes_is_told_and_written_down,
    there_are_only_so_many,
);
