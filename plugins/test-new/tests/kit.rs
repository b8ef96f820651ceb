//! The workflow in the test kit: the component itself runs, in process and without a host, and time skips.

use serde_json::{Value, json};
use tenterhook_testkit::{Ended, Failure, Kit, Message, Plugin, Sweep};

/// The component of this crate, which cargo builds once for all tests.
fn plugin() -> Plugin {
    Plugin::of(env!("CARGO_MANIFEST_DIR"))
}

/// A visit of a guest who answers the greeting.
fn visit(kit: &Kit) -> Ended {
    let mut visit = kit.start("Visit", &json!({ "name": "Ada" }));
    visit.after("Greet", Message::signal("answer", "Good to be here."));
    visit.finish()
}

#[test]
fn a_guest_is_greeted_and_heard() {
    let mut kit = Kit::new(&plugin());
    kit.all_real();
    let ended = visit(&kit);
    assert!(ended.result::<String>().ends_with("Ada! Good to be here."));
    assert_eq!(ended.called(), ["Greet", "WriteDown"]);
}

#[test]
fn a_book_that_is_full_fails_the_visit() {
    let mut kit = Kit::new(&plugin());
    kit.all_real();
    kit.mock("WriteDown", |_: Value| -> Result<(), _> {
        Err(Failure::permanent("Conflict", "the book is full"))
    });
    let ended = visit(&kit);
    assert!(ended.failure().is("Conflict"), "{ended:?}");
}

#[test]
fn who_was_thanked_is_in_the_book_whatever_goes_wrong() {
    // A failure, a time-out, a cancellation, a crash of the worker: each at each step in turn.
    let swept = Sweep::of(&plugin()).run(|kit| {
        kit.all_real();
        let ended = visit(kit);
        let mut steps = ended.steps().iter().filter(|step| step.name == "WriteDown");
        let is_written = steps.any(|step| step.attempts.iter().any(|it| it.answer.is_ok()));
        match ended.is_completed() && !is_written {
            true => Err("the visit is over, and nothing is in the book".to_owned()),
            false => Ok(()),
        }
    });
    println!("{} runs", swept.holds());
}
