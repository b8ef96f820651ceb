//! Lines: which release new executions start on, and who may still decide it.

use std::collections::BTreeSet;

use tenterhook_domain::{
    Code, Digest, Result, Scope,
    release::ReleaseState,
    rollout::{Comparison, Guard, Line, Move, RampPlan, Step},
};
use tenterhook_store::{AuditFilter, Change, Cursor, Store};

use crate::{Fixture, NOW, admit, author, on_every_store, payment, promote, scope};

on_every_store!(
    a_ramp_goes_its_way_in_the_store,
    a_move_on_what_was_changed_meanwhile_is_refused,
    of_moves_on_one_revision_exactly_one_is_made,
    a_refused_move_leaves_nothing_behind,
    what_the_guard_saw_is_kept_and_no_change,
    of_many_choices_at_once_exactly_one_is_current,
    lines_of_what_is_not_there_are_named,
);

fn plan(digest: Digest) -> Move {
    let step = |percentage| Step {
        percentage,
        bake_seconds: 60,
    };
    Move::Ramp(RampPlan {
        digest,
        steps: vec![step(10), step(50)],
        guard: Guard::default(),
    })
}

async fn apply(
    store: &Store,
    scope: &Scope,
    r#move: Move,
    expected: Option<u64>,
) -> Result<(Line, u64)> {
    let (plugin, author) = (payment(), author("token:o"));
    let lines = &store.lines;
    lines
        .apply(scope, &plugin, r#move, expected, &author, NOW)
        .await
}

async fn state(store: &Store, scope: &Scope, digest: &Digest) -> ReleaseState {
    let release = store.releases.get(scope, &payment(), digest).await;
    release.unwrap().state
}

async fn a_ramp_goes_its_way_in_the_store(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let one = admit(&fixture.store, &acme, "one").await;
    let two = admit(&fixture.store, &acme, "two").await;
    assert_eq!(fixture.store.lines.ramping().await.unwrap(), []);
    let (line, revision) = apply(&fixture.store, &acme, plan(two), None).await.unwrap();
    assert_eq!(line.rollout.as_ref().unwrap().percentage(), 10);

    fixture.reopen().await;
    let store = &fixture.store;
    let read = store.lines.line(&acme, &payment()).await.unwrap();
    assert_eq!(read, (line, revision));
    let ramping = store.lines.ramping().await.unwrap();
    assert_eq!(ramping, [(acme.clone(), payment())]);
    assert_eq!(state(store, &acme, &two).await, ReleaseState::Ramping);

    let halt = Move::Halt {
        why: "too many fail".to_owned(),
    };
    let (line, _) = apply(store, &acme, halt, None).await.unwrap();
    assert_eq!(line.rollout.unwrap().percentage(), 0);
    assert_eq!(store.lines.ramping().await.unwrap(), []);
    assert_eq!(state(store, &acme, &two).await, ReleaseState::Draining);

    apply(store, &acme, plan(two), None).await.unwrap();
    apply(store, &acme, Move::Advance, None).await.unwrap();
    let (line, _) = apply(store, &acme, Move::Advance, None).await.unwrap();
    assert_eq!((line.current, line.previous), (Some(two), Some(one)));
    assert_eq!(state(store, &acme, &one).await, ReleaseState::Draining);
    let (line, revision) = apply(store, &acme, Move::RollBack, None).await.unwrap();
    assert_eq!(line.current, Some(one));
    let snapshot = store.plugins.snapshot(&acme, &payment()).await.unwrap();
    assert_eq!((snapshot.line, snapshot.revision), (line, revision));
}

async fn a_move_on_what_was_changed_meanwhile_is_refused(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let one = admit(store, &acme, "one").await;
    let two = admit(store, &acme, "two").await;
    let (_, revision) = store.lines.line(&acme, &payment()).await.unwrap();
    let (_, next) = apply(store, &acme, Move::Promote(two), Some(revision))
        .await
        .unwrap();
    assert!(next > revision);
    let late = apply(store, &acme, Move::Promote(one), Some(revision)).await;
    assert_eq!(late.unwrap_err().code(), Code::PreconditionFailed);
    let (line, unchanged) = store.lines.line(&acme, &payment()).await.unwrap();
    assert_eq!((line.current, unchanged), (Some(two), next));
    let same = apply(store, &acme, Move::Promote(two), Some(next)).await;
    assert_eq!(same.unwrap(), (line, next), "nothing to do, nothing done");
}

async fn of_moves_on_one_revision_exactly_one_is_made(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    admit(&fixture.store, &acme, "0").await;
    let mut digests = Vec::new();
    for text in ["1", "2", "3", "4", "5", "6"] {
        digests.push(admit(&fixture.store, &acme, text).await);
    }
    let (_, revision) = fixture.store.lines.line(&acme, &payment()).await.unwrap();
    let other = fixture.another_host().await;
    let mut tasks = tokio::task::JoinSet::new();
    for (number, digest) in digests.into_iter().enumerate() {
        let (store, acme) = ([&fixture.store, &other][number % 2].clone(), acme.clone());
        tasks.spawn(async move {
            match apply(&store, &acme, Move::Promote(digest), Some(revision)).await {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.code(), Code::PreconditionFailed);
                    false
                }
            }
        });
    }
    let made = tasks.join_all().await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
}

async fn a_refused_move_leaves_nothing_behind(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    admit(store, &acme, "one").await;
    let before = store.lines.line(&acme, &payment()).await.unwrap();
    let entries = async || {
        let all = store.audit.entries(AuditFilter::default(), Cursor::FIRST);
        all.await.unwrap().items
    };
    let log = entries().await;
    let mut listener = store.changes.subscribe();
    let stranger = Digest::of(b"stranger");
    for (r#move, code) in [
        (Move::Promote(stranger), Code::ReleaseNotFound),
        (Move::RollBack, Code::ReleaseStateConflict),
        (Move::Advance, Code::RolloutNotRunning),
        (plan(before.0.current.unwrap()), Code::ReleaseStateConflict),
        (
            Move::Retire(before.0.current.unwrap()),
            Code::ReleaseStateConflict,
        ),
    ] {
        let refused = apply(store, &acme, r#move.clone(), None).await;
        assert_eq!(refused.unwrap_err().code(), code, "{move:?}");
    }
    assert_eq!(store.lines.line(&acme, &payment()).await.unwrap(), before);
    assert_eq!(entries().await, log);
    assert_eq!(listener.try_next(), None);
}

async fn what_the_guard_saw_is_kept_and_no_change(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    admit(store, &acme, "one").await;
    let two = admit(store, &acme, "two").await;
    let (_, revision) = apply(store, &acme, plan(two), None).await.unwrap();
    let mut listener = store.changes.subscribe();
    let seen = Comparison {
        at: NOW,
        ..Comparison::default()
    };
    let (line, same) = apply(store, &acme, Move::Observe(seen), None)
        .await
        .unwrap();
    assert_eq!(line.rollout.as_ref().unwrap().seen, Some(seen));
    assert_eq!(same, revision, "an operator's If-Match stays good");
    assert_eq!(listener.try_next(), None);
    assert_eq!(
        store.lines.line(&acme, &payment()).await.unwrap(),
        (line, revision)
    );
    apply(store, &acme, Move::Pause, Some(revision))
        .await
        .unwrap();
    assert_eq!(listener.try_next(), Some(Change::Plugin(acme, payment())));
}

async fn of_many_choices_at_once_exactly_one_is_current(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let mut digests = Vec::new();
    for text in ["1", "2", "3", "4"] {
        digests.push(admit(&fixture.store, &acme, text).await);
    }
    let other = fixture.another_host().await;
    let mut tasks = tokio::task::JoinSet::new();
    for round in 0..40 {
        let (store, acme) = ([&fixture.store, &other][round % 2].clone(), acme.clone());
        let digest = digests[round % digests.len()];
        tasks.spawn(async move {
            promote(&store, &acme, digest).await;
            let page = store.releases.list(&acme, &payment(), Cursor::FIRST).await;
            page.unwrap()
                .items
                .iter()
                .filter(|release| release.state == ReleaseState::Current)
                .count()
        });
    }
    let seen: BTreeSet<usize> = tasks.join_all().await.into_iter().collect();
    assert_eq!(seen, BTreeSet::from([1]));
}

async fn lines_of_what_is_not_there_are_named(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    for (scope, code) in [
        (scope("nobody/production"), Code::TenantNotFound),
        (scope("acme/nowhere"), Code::EnvironmentNotFound),
        (acme, Code::PluginNotFound),
    ] {
        let read = store.lines.line(&scope, &payment()).await;
        assert_eq!(read.unwrap_err().code(), code);
        let moved = apply(store, &scope, Move::RollBack, None).await;
        assert_eq!(moved.unwrap_err().code(), code);
    }
}
