//! What holds of a line whatever is done to it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use tenterhook_domain::{
    Digest,
    release::ReleaseState,
    rollout::{Comparison, Guard, Line, Move, Moved, RampPlan, Step},
};

type States = BTreeMap<Digest, ReleaseState>;

const RELEASES: u8 = 4;

fn digest(number: u8) -> Digest {
    Digest::of(&[number])
}

fn plan(number: u8, percentages: Vec<u8>) -> RampPlan {
    let step = |percentage| Step {
        percentage,
        bake_seconds: 60,
    };
    RampPlan {
        digest: digest(number),
        steps: percentages.into_iter().map(step).collect(),
        guard: Guard::default(),
    }
}

/// Any move, on releases of which one is not there; plans may be wrong too.
fn any_move() -> impl Strategy<Value = Move> {
    let release = || (0..=RELEASES).prop_map(digest);
    let plan =
        (0..=RELEASES, prop::collection::vec(0..=110_u8, 0..4)).prop_map(|(number, mut steps)| {
            steps.sort_unstable();
            Move::Ramp(plan(number, steps))
        });
    prop_oneof![
        2 => release().prop_map(Move::Sound),
        1 => release().prop_map(Move::Refuse),
        3 => release().prop_map(Move::Admit),
        3 => release().prop_map(Move::Promote),
        4 => plan,
        3 => Just(Move::Advance),
        1 => Just(Move::Pause),
        1 => Just(Move::Resume),
        1 => Just(Move::Halt { why: "too many fail".to_owned() }),
        1 => Just(Move::Observe(Comparison::default())),
        2 => Just(Move::RollBack),
        1 => release().prop_map(Move::Retire),
    ]
}

/// States that releases begin in, so that sequences come far.
fn any_states() -> impl Strategy<Value = States> {
    let state = prop_oneof![
        Just(ReleaseState::Uploaded),
        Just(ReleaseState::Checked),
        Just(ReleaseState::Ready)
    ];
    prop::collection::vec(state, usize::from(RELEASES)).prop_map(|states| {
        let number = |index| digest(u8::try_from(index).unwrap());
        states
            .into_iter()
            .enumerate()
            .map(|(index, state)| (number(index), state))
            .collect()
    })
}

fn in_state(states: &States, state: ReleaseState) -> Vec<Digest> {
    let found = states.iter().filter(|entry| *entry.1 == state);
    found.map(|(digest, _)| *digest).collect()
}

fn check(line: &Line, states: &States) -> Result<(), TestCaseError> {
    let current: Vec<_> = line.current.into_iter().collect();
    prop_assert_eq!(in_state(states, ReleaseState::Current), current);
    let running = line
        .rollout
        .as_ref()
        .filter(|rollout| rollout.halted.is_none());
    let ramping: Vec<_> = running
        .map(|rollout| rollout.plan.digest)
        .into_iter()
        .collect();
    prop_assert_eq!(in_state(states, ReleaseState::Ramping), ramping);
    prop_assert!(running.is_none() || line.current.is_some());
    if let Some(rollout) = &line.rollout {
        prop_assert!(rollout.step < rollout.plan.steps.len());
        prop_assert!(rollout.percentage() <= 100);
        prop_assert!(rollout.halted.is_none() || rollout.percentage() == 0);
        prop_assert!(running.is_none() || line.current != Some(rollout.plan.digest));
    }
    if let Some(previous) = line.previous {
        prop_assert_ne!(line.current, Some(previous));
        prop_assert!(
            states[&previous].may_take_traffic(),
            "a way back that is none"
        );
    }
    for id in ["a", "b", "c"] {
        if let Some(chosen) = line.choose(id) {
            let state = states[&chosen];
            prop_assert!(matches!(
                state,
                ReleaseState::Current | ReleaseState::Ramping
            ));
        }
    }
    Ok(())
}

/// Every change of a state is one that the state allows, and stands in the audit log.
fn check_moved(before: &States, moved: &Moved) -> Result<(), TestCaseError> {
    for (digest, state) in &moved.states {
        let steps = moved
            .audit
            .iter()
            .filter(|entry| entry.0 == "state" && entry.1 == Some(*digest));
        let mut at = before[digest];
        for (_, _, detail) in steps {
            let (from, to) = detail.split_once(" → ").unwrap();
            prop_assert_eq!(from, at.as_str());
            let to: ReleaseState = to.parse().unwrap();
            prop_assert!(at.next().contains(&to), "{:?} → {:?}", at, to);
            at = to;
        }
        prop_assert_eq!(at, *state);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_a_line_stays_whole(
        begin in any_states(),
        moves in prop::collection::vec(any_move(), 1..40),
    ) {
        let (mut line, mut states) = (Line::default(), begin);
        for (now, r#move) in (1_u64..).zip(moves) {
            let before = line.clone();
            match line.apply(&states, r#move.clone(), now) {
                Ok(moved) => {
                    check_moved(&states, &moved)?;
                    states.extend(moved.states);
                }
                Err(_) => prop_assert_eq!(&line, &before, "a refused move changes nothing"),
            }
            if matches!(r#move, Move::Observe(_)) {
                prop_assert!(line.decides_as(&before));
            }
            check(&line, &states)?;
        }
    }

    #[test]
    fn a_choice_stays_and_a_larger_share_only_adds(id in ".{1,40}", low in 0..=100_u8, high in 0..=100_u8) {
        let (low, high) = (low.min(high), low.max(high));
        let (less, more) = (ramp_at(low), ramp_at(high));
        prop_assert_eq!(less.choose(&id), less.clone().choose(&id));
        let new = Some(digest(1));
        prop_assert!(less.choose(&id) != new || more.choose(&id) == new);
        prop_assert_eq!(ramp_at(0).choose(&id), Some(digest(0)));
        prop_assert_eq!(ramp_at(100).choose(&id), new);
    }
}

fn ramp_at(percentage: u8) -> Line {
    let (mut line, states) = two_releases();
    let ramp = Move::Ramp(plan(1, vec![percentage]));
    line.apply(&states, ramp, 0).unwrap();
    line
}

fn two_releases() -> (Line, States) {
    let states = States::from([
        (digest(0), ReleaseState::Current),
        (digest(1), ReleaseState::Ready),
    ]);
    let line = Line {
        current: Some(digest(0)),
        ..Line::default()
    };
    (line, states)
}

#[test]
fn shares_of_many_ids_are_what_was_asked_for() {
    const IDS: u32 = 20_000;
    for percentage in [1_u8, 10, 50, 90] {
        let line = ramp_at(percentage);
        let chosen = (0..IDS)
            .filter(|n| line.choose(&format!("acme/production/p-{n}")) == Some(digest(1)))
            .count();
        let (share, asked) = (
            chosen as f64 / f64::from(IDS),
            f64::from(percentage) / 100.0,
        );
        // Four standard deviations; the ids are the same each time, so it holds always or never.
        let off = 4.0 * (asked * (1.0 - asked) / f64::from(IDS)).sqrt();
        assert!((share - asked).abs() < off, "{share} of {asked}");
    }
}

#[test]
fn an_execution_that_may_move_follows_the_current_release() {
    let mut line = ramp_at(10);
    assert_eq!(line.moves_to(&digest(0)), None);
    assert_eq!(line.moves_to(&digest(2)), Some(digest(0)));
    assert_eq!(line.moves_to(&digest(1)), None, "the ramp has chosen it");
    line.rollout.as_mut().unwrap().halted = Some("too many fail".to_owned());
    assert_eq!(line.moves_to(&digest(1)), Some(digest(0)));
    assert_eq!(Line::default().moves_to(&digest(1)), None);
}

#[test]
fn two_ramps_choose_apart() {
    // Who is first in one ramp is not first in every ramp.
    let one = ramp_at(50);
    let mut other = one.clone();
    other.rollout.as_mut().unwrap().plan.digest = digest(2);
    let both = (0..1_000)
        .filter(|n| {
            let id = format!("acme/production/p-{n}");
            one.choose(&id) == Some(digest(1)) && other.choose(&id) == Some(digest(2))
        })
        .count();
    assert!((200..300).contains(&both), "{both}");
}
