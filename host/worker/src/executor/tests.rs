//! The threads with real work on them.

use std::{future::poll_fn, sync::mpsc, task::Poll};

use super::*;

fn flow(tenant: &str) -> Flow {
    Flow {
        tenant: tenant.parse().unwrap(),
        plugin: "p".parse().unwrap(),
        weight: 1,
    }
}

#[test]
fn a_panicking_job_costs_no_thread() {
    let executor = Executor::start("test", 1).expect("threads");
    let (sender, receiver) = mpsc::channel();
    executor.submit(&flow("a"), || panic!("on purpose"));
    executor.submit(&flow("a"), move || {
        sender.send(1).expect("the test listens")
    });
    assert_eq!(receiver.recv(), Ok(1));
}

/// A future that takes its turn again and again, and says so each time.
async fn turns(number: usize, name: &'static str, said: mpsc::Sender<&'static str>) {
    let mut left = number;
    poll_fn(|context| {
        said.send(name).expect("the test listens");
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[tokio::test]
async fn futures_take_turns_and_one_tenants_many_count_as_one() {
    let executor = Executor::start("test", 1).expect("threads");
    let (hold, held) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    // The one thread is busy until all are queued.
    executor.submit(&flow("first"), move || {
        let _ended = held.recv();
    });
    let many: Vec<_> = (0..50)
        .map(|_| executor.spawn(flow("many"), turns(20, "many", sender.clone())))
        .collect();
    let few = executor.spawn(flow("few"), turns(20, "few", sender));
    drop(hold);
    assert_eq!(few.await, Some(()));
    for task in many {
        assert_eq!(task.await, Some(()));
    }
    let said: Vec<_> = receiver.iter().collect();
    let last = said
        .iter()
        .rposition(|name| *name == "few")
        .expect("it ran");
    // Of 1,071 turns; each of the few's is one of two. Times differ, so this is far from exact.
    assert!(
        last < 300,
        "the few's last turn is at place {last} of {}",
        said.len()
    );
}

#[tokio::test]
async fn a_future_that_panics_or_outlives_the_threads_is_nothing() {
    let executor = Executor::start("test", 1).expect("threads");
    let panicked = executor.spawn(flow("a"), async { panic!("on purpose") });
    assert_eq!(panicked.await, None::<()>);
    let (hold, held) = mpsc::channel::<()>();
    executor.submit(&flow("a"), move || {
        let _ended = held.recv();
    });
    let endless = executor.spawn(
        flow("a"),
        poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }),
    );
    drop(executor);
    drop(hold);
    assert_eq!(endless.await, None);
}

#[tokio::test]
async fn dropping_a_task_drops_its_future() {
    let executor = Executor::start("test", 1).expect("threads");
    let (alive, gone) = mpsc::channel::<()>();
    let task = executor.spawn(flow("a"), async move {
        let _alive = alive;
        std::future::pending::<()>().await;
    });
    drop(task);
    let seen = tokio::task::spawn_blocking(move || gone.recv());
    assert!(seen.await.expect("it waits").is_err());
}

#[test]
fn a_long_job_keeps_nobody_waiting_but_its_own_tenant() {
    let executor = Executor::start("test", 1).expect("threads");
    let (hold, held) = mpsc::channel::<()>();
    let (done, ended) = mpsc::channel();
    let said = |name: &'static str| {
        let done = done.clone();
        move || done.send(name).expect("the test listens")
    };
    let long = said("long");
    executor.submit(&flow("greedy"), move || {
        let _ended = held.recv();
        long();
    });
    executor.submit(&flow("greedy"), said("next of the greedy"));
    for name in ["first", "second"] {
        executor.submit(&flow("modest"), said(name));
        // The only thread is held; another one has taken its place.
        assert_eq!(ended.recv(), Ok(name));
    }
    drop(hold);
    assert_eq!(ended.recv(), Ok("long"));
    assert_eq!(ended.recv(), Ok("next of the greedy"));
}

#[test]
fn a_thread_with_a_long_job_has_a_low_priority_and_ends_with_it() {
    let executor = Executor::start("test", 1).expect("threads");
    let (sender, receiver) = mpsc::channel();
    executor.submit(&flow("greedy"), move || {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        while own() == before {
            std::hint::spin_loop();
        }
        sender.send((before, own())).expect("the test listens");
    });
    let (before, after) = receiver.recv().unwrap();
    assert!(after > before, "{before} became {after}");
    let (sender, receiver) = mpsc::channel();
    executor.submit(&flow("greedy"), move || {
        let own = rustix::process::getpriority_process(None).unwrap();
        sender.send(own).expect("the test listens");
    });
    assert_eq!(
        receiver.recv(),
        Ok(before),
        "the next job has another thread"
    );
}

#[tokio::test]
async fn a_future_that_computes_for_long_goes_on_in_the_background() {
    let executor = Executor::start_for_futures("test", 1).expect("threads");
    let own = || rustix::process::getpriority_process(None).unwrap();
    let task = executor.spawn(flow("greedy"), async move {
        let before = own();
        while own() == before {
            let begun = cpu_nanos();
            while cpu_nanos() - begun < 5_000_000 {
                std::hint::spin_loop();
            }
            tokio::task::yield_now().await;
        }
        own() > before
    });
    assert_eq!(task.await, Some(true));
}
