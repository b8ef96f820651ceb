//! Every fault at every step of every workflow, and what must hold whatever happens.

use tenterhook_testkit::{Ended, Kit, Sweep, Swept};
use tenterhook_tests::standin::{Book, Listing};

use crate::services::{
    HOUR, WARNS, clear, doubtful, enter, extend, hopeless, listing, live, open, place, word,
};

/// Fewer runs than this with two faults show that the second ones are not put in.
const PAIRS_MIN: usize = 500;

/// Runs a workflow once without a fault, and then with each fault at each step that this run took. Ten kinds of faults
/// make sense at an activity, three at a timer.
async fn sweep(
    name: &str,
    of: Listing,
    (activities, timers): (usize, usize),
    runs: impl Fn(&Kit) -> Ended,
    holds: impl Fn(&Book, &Ended),
) {
    let swept = swept(|sweep| sweep, &of, runs, holds).await;
    let made = swept.holds();
    println!(
        "{name}: {made} runs, faults at each of {} steps",
        swept.steps
    );
    assert_eq!(made, 1 + 10 * activities + 3 * timers, "{name}");
}

async fn swept(
    with: fn(Sweep) -> Sweep,
    of: &Listing,
    runs: impl Fn(&Kit) -> Ended,
    holds: impl Fn(&Book, &Ended),
) -> Swept {
    let services = open().await;
    with(Sweep::of(&services.plugin())).run(|kit| {
        let book = services.connect(kit);
        services.edit(&book, |book| enter(book, of.clone()));
        let ended = runs(kit);
        holds(&services.book(&book), &ended);
        Ok(())
    })
}

/// The same with a second fault at each later step of each run with one, so that what undoes a step fails too.
async fn sweep_pairs(
    name: &str,
    of: Listing,
    runs: impl Fn(&Kit) -> Ended,
    holds: impl Fn(&Book, &Ended),
) {
    let swept = swept(Sweep::pairs, &of, runs, holds).await;
    let made = swept.holds();
    println!("{name}: {made} runs with up to two faults");
    assert!(made > PAIRS_MIN, "{name}: {made}");
}

/// Published and to be found, rejected and not, or submitted as if nothing had been.
fn decided_or_given_back(book: &Book, ended: &Ended) {
    let expected = match ended.outcome() {
        Ok(result) if result["decision"] == "approved" => ("published", true),
        Ok(_) => ("rejected", false),
        Err(_) => ("submitted", false),
    };
    assert_eq!(place(book), expected, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approval_by_checks_publishes_or_gives_back() {
    let runs = |kit: &Kit| kit.run("Approval", &listing());
    let holds = decided_or_given_back;
    sweep("Approval, clear", clear(), (6, 0), runs, holds).await;
    sweep("Approval, hopeless", hopeless(), (4, 0), runs, holds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approval_by_a_reviewer_publishes_or_gives_back() {
    let runs = |kit: &Kit| {
        let mut review = kit.start("Approval", &listing());
        review.at(HOUR, word("approve"));
        review.finish()
    };
    let holds = decided_or_given_back;
    sweep("Approval, reviewed", doubtful(), (7, 1), runs, holds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approval_by_nobody_rejects_or_gives_back() {
    let runs = |kit: &Kit| kit.run("Approval", &listing());
    let holds = decided_or_given_back;
    sweep("Approval, nobody decides", doubtful(), (6, 2), runs, holds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approval_gives_back_even_where_that_fails_at_first() {
    let runs = |kit: &Kit| kit.run("Approval", &listing());
    sweep_pairs("Approval, clear", clear(), runs, decided_or_given_back).await;
}

/// What has expired cannot be found; what has not is as it was.
fn expired_or_as_it_was(book: &Book, ended: &Ended) {
    let expected = match ended.is_completed() {
        true => ("expired", false),
        false => ("published", true),
    };
    assert_eq!(place(book), expected, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiration_expires_or_leaves_published() {
    let runs = |kit: &Kit| kit.run("Expiration", &listing());
    sweep("Expiration", live(), (5, 2), runs, expired_or_as_it_was).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiration_that_is_moved_expires_or_leaves_published() {
    let runs = |kit: &Kit| {
        let mut waiting = kit.start("Expiration", &listing());
        // While it is marked, so that the mark is taken back.
        let marked = WARNS + HOUR;
        waiting.at(marked, extend("2026-01-31T12:00:00Z"));
        waiting.finish()
    };
    // Four timers: until the mark, until the expiry that is moved away, and the same two again.
    sweep(
        "Expiration, extended",
        live(),
        (7, 4),
        runs,
        expired_or_as_it_was,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiration_takes_its_mark_back_even_where_that_fails_at_first() {
    let runs = |kit: &Kit| kit.run("Expiration", &listing());
    sweep_pairs("Expiration", live(), runs, expired_or_as_it_was).await;
}
