//! The release marker: where it stands, and how it is read.

use super::*;

#[test]
fn a_run_begins_with_its_first_job_only() {
    let mut scene = Scene::new(Pin::Marked);
    scene.fails(vec![fire(1)], Code::Internal, "no instance");
    assert!(scene.script.calls().is_empty());
    let commands = scene.commands(vec![init()]);
    assert_eq!(
        words(&commands),
        [format!("patch {}", marker())],
        "and can begin again"
    );
}

#[test]
fn the_marker_leads_the_first_commands_and_no_others() {
    for (pin, replaying) in [
        (Pin::Marked, false),
        (Pin::Marked, true),
        (Pin::Unmarked, false),
        (Pin::Unmarked, true),
    ] {
        let mut scene = Scene::new(pin);
        scene.script.push(timer(1));
        let mut first = activation(vec![init()]);
        first.is_replaying = replaying;
        if replaying && pin == Pin::Marked {
            first
                .jobs
                .push(activation(vec![patch(&marker())]).jobs.remove(0));
        }
        let completion = scene.run.activate(first);
        let Some(Status::Successful(success)) = completion.status else {
            panic!("{completion:?}")
        };
        let first: Vec<_> = success
            .commands
            .into_iter()
            .filter_map(|it| it.variant)
            .collect();
        let mut expected = vec!["timer 1".to_owned()];
        if pin == Pin::Marked {
            expected.insert(0, format!("patch {}", marker()));
        }
        assert_eq!(words(&first), expected, "{pin:?}, replaying {replaying}");
        scene.script.push(timer(2));
        assert_eq!(words(&scene.commands(vec![fire(1)])), ["timer 2"]);
    }
}

#[test]
fn the_pinned_release_is_read_from_the_first_activation() {
    assert_eq!(marker(), format!("{RELEASE_MARKER_PREFIX}{}", digest()));
    let pinned = activation(vec![init(), patch("mine"), patch(&marker())]);
    assert_eq!(pinned_digest(&pinned), Some(digest()));
    for other in [
        "mine",
        "tenterhook:release@",
        "tenterhook:release@sha256:12",
        "tenterhook:x",
    ] {
        assert_eq!(
            pinned_digest(&activation(vec![init(), patch(other)])),
            None,
            "{other}"
        );
    }
}
