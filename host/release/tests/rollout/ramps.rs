//! Ramps go on by themselves, once, and stop by themselves.

use tenterhook_domain::{
    release::ReleaseState,
    rollout::{Health, Move},
};

use crate::stage::Stage;

fn healthy(executions: u64) -> Health {
    Health {
        started: executions,
        closed: executions,
        failed: 0,
        task_failed: 0,
        p99_millis: Some(20),
    }
}

#[tokio::test]
async fn each_step_comes_when_the_one_before_is_over_and_only_once() {
    let stage = Stage::set().await;
    let old = stage.release("one").await;
    let new = stage.release("two").await;
    stage.ramp(new, &[(10, 60), (50, 60)]).await;
    let hosts = [stage.ramps("a"), stage.ramps("b"), stage.ramps("c")];
    let everybody = async || {
        tokio::join!(hosts[0].round(), hosts[1].round(), hosts[2].round());
    };
    everybody().await;
    assert_eq!(stage.line().await.rollout.unwrap().percentage(), 10);
    stage.clock.pass(60_000);
    everybody().await;
    assert_eq!(stage.line().await.rollout.unwrap().percentage(), 50);
    everybody().await;
    assert_eq!(stage.line().await.rollout.unwrap().percentage(), 50, "once");
    stage.clock.pass(60_000);
    everybody().await;
    let line = stage.line().await;
    assert_eq!((line.current, line.previous), (Some(new), Some(old)));
    assert_eq!(line.rollout, None);
    assert_eq!(stage.state(&old).await, ReleaseState::Draining);
    let advances = stage.audit("advance").await;
    assert_eq!(advances.len(), 1, "{advances:#?}");
    assert_eq!(advances[0].author.who, "host:ramp");
}

#[tokio::test]
async fn the_guard_stops_a_ramp_and_says_why_and_how_many_it_hit() {
    let stage = Stage::set().await;
    let old = stage.release("one").await;
    let new = stage.release("two").await;
    stage.ramp(new, &[(10, 60), (100, 60)]).await;
    let ramps = stage.ramps("a");
    stage.census.health(old, healthy(180));
    stage.census.health(new, healthy(20));
    ramps.round().await;
    let seen = stage.line().await.rollout.unwrap().seen.unwrap();
    assert_eq!((seen.new, seen.current), (healthy(20), healthy(180)));
    stage.census.health(
        new,
        Health {
            task_failed: 10,
            ..healthy(20)
        },
    );
    // The step is over too, and a bad release must not take it.
    stage.clock.pass(60_000);
    ramps.round().await;
    let line = stage.line().await;
    let rollout = line.rollout.clone().unwrap();
    let why = rollout.halted.clone().unwrap();
    for words in ["10 of 20 (50.0 %)", "20 of 200 (10.0 %) starts"] {
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(rollout.percentage(), 0);
    assert_eq!(rollout.seen.unwrap().new.task_failed, 10);
    assert!((0..1_000).all(|id| line.choose(&format!("acme/production/{id}")) == Some(old)));
    assert_eq!(stage.state(&new).await, ReleaseState::Draining);
    let halts = stage.audit("halt").await;
    assert_eq!(halts.len(), 1);
    assert_eq!(halts[0].author.who, "host:guard");
    assert!(halts[0].detail.contains(&why), "{:?}", halts[0]);
}

#[tokio::test]
async fn a_paused_ramp_stays_and_is_still_guarded() {
    let stage = Stage::set().await;
    stage.release("one").await;
    let new = stage.release("two").await;
    stage.ramp(new, &[(10, 60), (50, 0)]).await;
    stage.make(Move::Pause).await;
    stage.clock.pass(3_600_000);
    let ramps = stage.ramps("a");
    ramps.round().await;
    let rollout = stage.line().await.rollout.unwrap();
    assert_eq!((rollout.percentage(), rollout.halted), (10, None));
    stage.census.health(
        new,
        Health {
            failed: 20,
            ..healthy(20)
        },
    );
    stage.clock.pass(3_000);
    ramps.round().await;
    assert!(stage.line().await.rollout.unwrap().halted.is_some());
}
