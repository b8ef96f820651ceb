//! The release marker: where it stands, and how it is read.

use super::*;

#[test]
fn a_run_begins_with_its_first_job_only() {
    let mut scene = Scene::new(Pin::Unwritten);
    scene.fails(vec![fire(1)], Code::Internal, "no instance");
    assert!(scene.script.calls().is_empty());
    let commands = scene.commands(vec![init()]);
    assert_eq!(
        words(&commands),
        [format!("patch {}", marker())],
        "and can begin again"
    );
}

/// A run on `release`.
fn on(release: ReleasePin, pin: Pin) -> Scene {
    Scene::on(release, pin, Limits::default())
}

/// The commands of an activation with `jobs`, as words.
fn said(scene: &mut Scene, jobs: Vec<Job>, replaying: bool) -> Vec<String> {
    let mut sent = activation(jobs);
    sent.is_replaying = replaying;
    match scene.run.activate(sent).status {
        Some(Status::Successful(success)) => {
            let commands = success.commands.into_iter();
            words(&commands.filter_map(|it| it.variant).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    }
}

/// Where the run began, and where it is after one move.
fn one_move() -> (ReleasePin, ReleasePin) {
    let first = ReleasePin::first(digest());
    let second = first.then(Digest::of(b"release two")).unwrap();
    (first, second)
}

fn pinned(pin: ReleasePin) -> String {
    format!("patch {pin}")
}

#[test]
fn a_fresh_run_is_pinned_with_its_first_commands_and_no_others() {
    let (first, _) = one_move();
    let mut scene = Scene::new(Pin::Unwritten);
    scene.script.push(timer(1));
    let begun = said(&mut scene, vec![init()], false);
    assert_eq!(begun, [pinned(first), "timer 1".to_owned()]);
    scene.script.push(timer(2));
    assert_eq!(said(&mut scene, vec![fire(1)], false), ["timer 2"]);
}

#[test]
fn a_replay_has_the_pins_of_its_history_and_no_others() {
    let (first, second) = one_move();
    // One that began without this host.
    let mut scene = Scene::new(Pin::Written);
    scene.script.push(timer(1));
    assert_eq!(said(&mut scene, vec![init()], true), ["timer 1"]);
    assert_eq!(said(&mut scene, vec![fire(1)], false), [""; 0]);
    // One that moved with its third task.
    let mut scene = on(second, Pin::Written);
    scene.script.push(timer(1));
    let begun = vec![init(), patch("mine"), patch(&first.to_string())];
    let begun = said(&mut scene, begun, true);
    assert_eq!(begun, [pinned(first), "timer 1".to_owned()]);
    assert_eq!(said(&mut scene, vec![signal("go")], true), [""; 0]);
    scene.script.push(timer(2));
    let moved = vec![patch(&second.to_string()), fire(1)];
    let moved = said(&mut scene, moved, true);
    assert_eq!(moved, [pinned(second), "timer 2".to_owned()]);
    assert_eq!(said(&mut scene, vec![fire(2)], false), [""; 0]);
}

#[test]
fn a_run_that_moves_says_so_with_its_first_commands_that_are_no_replay() {
    let (first, second) = one_move();
    let mut scene = on(second, Pin::Unwritten);
    scene.script.push(timer(1));
    let begun = said(&mut scene, vec![init(), patch(&first.to_string())], true);
    assert_eq!(begun, [pinned(first), "timer 1".to_owned()]);
    // A query is no task of its history.
    scene
        .script
        .activate(Ok(vec![JobResult::Query(Ok(vec![]))]));
    let asked = said(&mut scene, vec![query("q")], true);
    assert!(!asked.contains(&pinned(second)), "{asked:?}");
    scene.script.push(timer(2));
    let moved = said(&mut scene, vec![fire(1)], false);
    assert_eq!(moved, [pinned(second), "timer 2".to_owned()]);
    assert_eq!(said(&mut scene, vec![fire(2)], false), [""; 0]);
}

#[test]
fn a_run_goes_back_to_a_release_under_a_pin_of_its_own() {
    let (first, second) = one_move();
    let third = second.then(digest()).unwrap();
    let mut scene = on(third, Pin::Unwritten);
    said(&mut scene, vec![init(), patch(&first.to_string())], true);
    let moved = vec![patch(&second.to_string()), fire(1)];
    assert_eq!(said(&mut scene, moved, true), [pinned(second)]);
    assert_eq!(said(&mut scene, vec![fire(2)], false), [pinned(third)]);
    assert_ne!(first.to_string(), third.to_string());
}

#[test]
fn a_run_on_a_release_that_its_history_has_left_does_nothing() {
    let (first, second) = one_move();
    let mut scene = on(first, Pin::Written);
    said(&mut scene, vec![init(), patch(&first.to_string())], true);
    scene.script.calls();
    let left = vec![patch(&second.to_string()), fire(1)];
    scene.fails(left, Code::Internal, "went over to");
    assert!(matches!(scene.script.calls()[..], [Call::Dropped]));
}

#[test]
fn the_latest_pin_is_read_whatever_the_order() {
    let (first, second) = one_move();
    let third = second.then(digest()).unwrap();
    assert_eq!(first.to_string(), marker());
    assert_eq!(
        second.to_string(),
        format!("tenterhook:release+1@{}", second.digest)
    );
    let pins = [third, first, second].map(|pin| pin.to_string());
    let ids = pins.iter().map(String::as_str);
    assert_eq!(ReleasePin::latest(ids.chain(["mine"])), Some(third));
    let announced = activation(vec![init(), patch("mine"), patch(&marker())]);
    assert_eq!(announced_pin(&announced), Some(first));
    let all: Vec<_> = ReleasePin::all_of(digest()).collect();
    assert_eq!(all.len(), usize::from(MOVES_MAX) + 1);
    assert!(all.contains(&first) && all.contains(&third));
    let last = ReleasePin {
        moves: MOVES_MAX,
        ..first
    };
    assert_eq!(last.then(digest()), None);
    assert_eq!(ReleasePin::of_patch(&last.to_string()), Some(last));
    for other in [
        "mine".to_owned(),
        "tenterhook:release@".to_owned(),
        "tenterhook:release@sha256:12".to_owned(),
        "tenterhook:x".to_owned(),
        format!("tenterhook:release+0@{}", digest()),
        format!("tenterhook:release+10@{}", digest()),
        format!("tenterhook:release+01@{}", digest()),
        format!("tenterhook:release1@{}", digest()),
    ] {
        assert_eq!(ReleasePin::of_patch(&other), None, "{other}");
    }
}
