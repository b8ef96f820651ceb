//! Every fault at every step of `SubscriptionPayment`, and what must hold whatever happens.

use tenterhook_testkit::{Ended, Message, Sweep};
use tenterhook_tests::services::Services;
use tenterhook_tests::standin::{Book, Operation, SubscriptionStatus, Switch};

use crate::services::{DECLINED, booked, days, kept, open, payments, pro, status};

/// Every period that is written down as paid is paid once, and no other money is kept. It is over for the service where
/// the workflow says so, and nowhere else.
fn paid_as_booked(book: &Book, ended: &Ended) {
    let kept: Vec<_> = kept(book).into_iter().map(|(id, _)| id).collect();
    let booked = booked(book);
    let booked: Vec<_> = booked.iter().map(|it| format!("s-1:{it}")).collect();
    assert_eq!(kept, booked, "{:?}", book.charges);
    let is_over = status(book) == SubscriptionStatus::Cancelled;
    assert_eq!(is_over, ended.is_completed(), "{ended:?}");
    if let Ok(result) = ended.outcome() {
        assert_eq!(result["periods_paid"], kept.len());
    }
}

/// Runs it once without a fault, and then with each fault at each of the `steps` that this run took. `before` is done to
/// each run's book.
async fn sweep(
    what: &str,
    steps: usize,
    before: impl Fn(&Services, &str),
    messages: &[(u64, Message)],
) {
    let services = open().await;
    let swept = Sweep::of(&services.plugin()).run(|kit| {
        let book = services.connect(kit);
        before(&services, &book);
        let mut execution = kit.start("SubscriptionPayment", &payments());
        for (day, message) in messages {
            execution.at(days(*day), message.clone());
        }
        let ended = execution.finish();
        paid_as_booked(&services.book(&book), &ended);
        Ok(())
    });
    let runs = swept.holds();
    println!("SubscriptionPayment, {what}: {runs} runs");
    assert_eq!(swept.steps, steps, "{what}");
    // Of a timer there are three faults, of an activity ten.
    assert!(runs > 3 * steps, "{what}: only {runs} runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_periods_another_plan_and_the_end() {
    let messages = [
        (10, Message::signal("change_plan", &pro())),
        (40, Message::signal("cancel", &())),
    ];
    sweep("two periods", 13, |_, _| (), &messages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paid_at_the_third_try() {
    let declines = |services: &Services, book: &str| {
        services.switch(book, Operation::Charges, Switch::failing(2, 402));
    };
    let messages = [(25, Message::signal("cancel", &()))];
    sweep("paid at the third try", 14, declines, &messages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_paid() {
    let declined = |services: &Services, book: &str| {
        services.edit(book, |book| {
            let subscription = book.subscriptions.get_mut("s-1").unwrap();
            subscription.payment_method = DECLINED.to_owned();
        });
    };
    sweep("never paid", 16, declined, &[]).await;
}
