//! Releases that nothing runs on are retired; those that something runs on, or may, are not.

use tenterhook_domain::{Code, clock::millis, release::ReleaseState, rollout::Move};
use tenterhook_release::SECOND_LOOK;

use crate::stage::Stage;

/// Three releases, each promoted: the first drains and is nobody's way back.
async fn three(stage: &Stage) -> [tenterhook_domain::Digest; 3] {
    let digests = [
        stage.release("one").await,
        stage.release("two").await,
        stage.release("three").await,
    ];
    stage.make(Move::Promote(digests[1])).await;
    stage.make(Move::Promote(digests[2])).await;
    digests
}

#[tokio::test]
async fn a_release_without_executions_is_retired_after_its_retention() {
    let stage = Stage::set().await;
    let [one, two, three] = three(&stage).await;
    stage.keep_for(60).await;
    let retirement = stage.retirement();
    retirement.round().await;
    stage.clock.pass(59_000);
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Draining, "too young");
    stage.clock.pass(1_000);
    retirement.round().await;
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Draining, "seen once");
    stage.clock.pass(millis(SECOND_LOOK));
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Retired);
    let gone = stage.store.blobs.get(&one).await.unwrap_err();
    assert_eq!(gone.code(), Code::ComponentMissing);
    // The current one, and the one that a rollback goes to.
    for kept in [two, three] {
        assert_ne!(stage.state(&kept).await, ReleaseState::Retired);
        assert!(stage.store.blobs.contains(&kept).await.unwrap());
    }
    let retired = stage.audit("state").await;
    assert_eq!(retired[0].author.who, "host:retire");
    // The same bytes bring it back.
    assert_eq!(stage.push("one").await, one);
    assert_eq!(stage.state(&one).await, ReleaseState::Uploaded);
    assert!(stage.store.blobs.contains(&one).await.unwrap());
}

#[tokio::test]
async fn a_release_that_an_execution_is_pinned_to_is_never_retired() {
    let stage = Stage::set().await;
    let [one, ..] = three(&stage).await;
    stage.keep_for(0).await;
    stage.census.open(one, 1);
    let retirement = stage.retirement();
    for _ in 0..3 {
        retirement.round().await;
        stage.clock.pass(86_400_000);
    }
    assert_eq!(stage.state(&one).await, ReleaseState::Draining);
    // Once it is gone, two looks are needed again, also after one from before it came.
    stage.census.open(one, 0);
    retirement.round().await;
    stage.census.open(one, 1);
    stage.clock.pass(millis(SECOND_LOOK));
    retirement.round().await;
    stage.census.open(one, 0);
    stage.clock.pass(millis(SECOND_LOOK));
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Draining);
    stage.clock.pass(millis(SECOND_LOOK));
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Retired);
}

#[tokio::test]
async fn a_release_that_ramps_again_is_not_retired() {
    let stage = Stage::set().await;
    let [one, ..] = three(&stage).await;
    stage.keep_for(0).await;
    let retirement = stage.retirement();
    retirement.round().await;
    stage.ramp(one, &[(1, 0)]).await;
    stage.clock.pass(millis(SECOND_LOOK));
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Ramping);
}

#[tokio::test]
async fn a_component_that_another_plugin_needs_stays() {
    let mut stage = Stage::set().await;
    let [one, ..] = three(&stage).await;
    stage.plugin = "billing".parse().unwrap();
    assert_eq!(stage.release("one").await, one);
    stage.plugin = "payment".parse().unwrap();
    stage.keep_for(0).await;
    let retirement = stage.retirement();
    retirement.round().await;
    stage.clock.pass(millis(SECOND_LOOK));
    retirement.round().await;
    assert_eq!(stage.state(&one).await, ReleaseState::Retired);
    assert!(stage.store.blobs.contains(&one).await.unwrap());
}
