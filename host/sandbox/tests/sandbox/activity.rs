//! Activity attempts: results, failures, limits, heartbeats and cancellation.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tenterhook_domain::{Code, component::WantedGrants, grant::Grants, limit::Limits};
use tenterhook_sandbox::{
    ActivityAccess, ActivityHost, ActivityModule, ActivityResult, ActivityTask, Cancellation,
    Payload, TaskInfo,
};
use tenterhook_workflow::guest::Fault;

use crate::{Place, guest, handmade, limits, owner};

/// Longer than any attempt here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A host that remembers heartbeats and cancels after some questions.
#[derive(Default)]
pub(crate) struct Host {
    heartbeats: Mutex<Vec<Vec<Payload>>>,
    asked: AtomicUsize,
    cancel_at: usize,
}

impl Host {
    /// Which cancels at the question of that number.
    pub(crate) fn cancelled_after(questions: usize) -> Self {
        Self {
            cancel_at: questions,
            ..Self::default()
        }
    }

    /// What the last heartbeat carried.
    pub(crate) fn last_heartbeat(&self) -> Vec<Payload> {
        let heartbeats = self.heartbeats.lock().unwrap();
        heartbeats.last().cloned().unwrap_or_default()
    }
}

impl ActivityHost for Host {
    fn heartbeat(&self, details: Vec<Payload>) {
        self.heartbeats.lock().unwrap().push(details);
    }

    fn cancelled(&self) -> Option<Cancellation> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        (self.cancel_at > 0 && asked >= self.cancel_at).then_some(Cancellation::Requested)
    }
}

pub(crate) fn task(activity_type: &str, input: &str) -> ActivityTask {
    ActivityTask {
        activity_type: activity_type.to_owned(),
        input: vec![Payload {
            metadata: vec![("encoding".to_owned(), b"json/plain".to_vec())],
            data: input.as_bytes().to_vec(),
        }],
        heartbeat_details: Vec::new(),
        info: TaskInfo {
            activity_id: "1".to_owned(),
            workflow_id: "order-1".to_owned(),
            run_id: "run".to_owned(),
            attempt: 1,
            idempotency_key: "key-1".to_owned(),
            ..TaskInfo::default()
        },
    }
}

pub(crate) fn access(limits: Arc<Limits>, grants: Grants) -> ActivityAccess {
    ActivityAccess {
        owner: owner(tenterhook_domain::Digest::of(b"")),
        limits,
        grants: Arc::new(grants),
        wants: Arc::new(WantedGrants::default()),
        config: Arc::new(BTreeMap::new()),
        weight: 1,
    }
}

async fn run_made(
    made: handmade::Activity<'_>,
    limits: Arc<Limits>,
    host: Arc<Host>,
    within: Duration,
) -> Result<ActivityResult, Fault> {
    let place = Place::new();
    let module = place.load(&made.component()).await.activities().unwrap();
    module
        .execute(
            task("Any", "null"),
            access(limits, Grants::default()),
            host,
            within,
        )
        .await
}

async fn check_dies(execute: &str, limits: Arc<Limits>, code: Code, says: &[&str]) {
    let made = handmade::Activity {
        execute,
        ..handmade::Activity::default()
    };
    let ended = run_made(made, limits, Arc::default(), LONG).await;
    let Err(Fault::Dead { code: got, message }) = &ended else {
        panic!("{ended:?}")
    };
    assert_eq!(*got, code, "{message}");
    for part in says {
        assert!(message.contains(part), "{part:?} in {message}");
    }
}

async fn payment() -> (Place, Arc<ActivityModule>) {
    let place = Place::new();
    let module = place.load(&guest("payment")).await.activities().unwrap();
    (place, module)
}

#[tokio::test]
async fn a_result_and_a_failure_come_back() {
    let (_place, module) = payment().await;
    let run = |input: &'static str| {
        module.execute(
            task("ValidatePayment", input),
            access(Arc::default(), Grants::default()),
            Arc::<Host>::default(),
            LONG,
        )
    };
    let good = r#"{"payment_id":"p","order_id":"o","customer_id":"c","amount":5,"currency":"EUR","method":"card",
        "items":[{"sku":"s","quantity":1}]}"#;
    run(good).await.unwrap().unwrap();
    let failure = run(&*good.replace("EUR", "eur").leak())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(failure.error.kind, "ValidationError");
    assert!(failure.non_retryable);
    assert!(failure.error.message.contains("currency"));
    assert!(!failure.error.details.is_empty());
    let failure = run("[]").await.unwrap().unwrap_err();
    assert!(!failure.error.message.is_empty());
}

#[tokio::test]
async fn an_attempt_that_computes_for_ever_is_ended_and_stops_nobody() {
    let made = handmade::Activity {
        execute: "(loop $l (br $l))",
        ..handmade::Activity::default()
    };
    let spinning = run_made(
        made,
        Arc::default(),
        Arc::default(),
        Duration::from_millis(300),
    );
    let (_place, module) = payment().await;
    // One thread runs both: the second gets its turns only because the first gives way.
    let other = async {
        for _ in 0..5 {
            let ended = module
                .execute(
                    task("ValidatePayment", "{}"),
                    access(Arc::default(), Grants::default()),
                    Arc::<Host>::default(),
                    LONG,
                )
                .await;
            assert!(ended.is_ok(), "{ended:?}");
        }
        tokio::time::Instant::now()
    };
    let (spun, _) = tokio::join!(spinning, other);
    let Err(Fault::Dead { code, message }) = spun else {
        panic!("{spun:?}")
    };
    assert_eq!(code, Code::GuestDeadlineExceeded);
    assert!(message.contains("300 ms"), "{message}");
}

#[tokio::test]
async fn the_limit_on_time_holds_whatever_the_task_says() {
    check_dies(
        "(loop $l (br $l))",
        limits(|limits| limits.activity_millis = 100),
        Code::GuestDeadlineExceeded,
        &["100 ms", "activity_millis"],
    )
    .await;
}

#[tokio::test]
async fn traps_and_memory() {
    check_dies(
        "unreachable",
        Arc::default(),
        Code::GuestTrapped,
        &["unreachable"],
    )
    .await;
    check_dies(
        "(loop $l (drop (memory.grow (i32.const 1))) (br $l))",
        limits(|limits| limits.memory_bytes = 1024 * 1024),
        Code::GuestMemoryExceeded,
        &["memory_bytes"],
    )
    .await;
}

#[tokio::test]
async fn a_result_that_is_too_large_is_a_fault() {
    // Ok(some(payload)) with 2,000 bytes of data.
    check_dies(
        "(i32.store8 (i32.const 200) (i32.const 1)) (i32.store (i32.const 216) (i32.const 2000))",
        limits(|limits| limits.payload_bytes = 1024),
        Code::GuestPayloadTooLarge,
        &["1024", "payload_bytes"],
    )
    .await;
}

#[tokio::test]
async fn heartbeats_and_cancellation_pass() {
    let host = Arc::new(Host {
        cancel_at: 3,
        ..Host::default()
    });
    let made = handmade::Activity {
        import: Some((
            "tenterhook:plugin/activity-context@0.1.0",
            "cancelled",
            "(param i32)",
        )),
        execute: "(loop $l (call $call (i32.const 512)) (br_if $l (i32.eqz (i32.load8_u (i32.const 512)))))",
        ..handmade::Activity::default()
    };
    let ended = run_made(made, Arc::default(), host.clone(), LONG).await;
    assert_eq!(ended, Ok(Ok(None)));
    assert_eq!(host.asked.load(Ordering::SeqCst), 3);

    let made = handmade::Activity {
        import: Some((
            "tenterhook:plugin/activity-context@0.1.0",
            "heartbeat",
            "(param i32 i32)",
        )),
        execute: "(call $call (i32.const 0) (i32.const 0)) (call $call (i32.const 1024) (i32.const 1))",
        ..handmade::Activity::default()
    };
    let host = Arc::<Host>::default();
    run_made(made, Arc::default(), host.clone(), LONG)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        *host.heartbeats.lock().unwrap(),
        [vec![], vec![Payload::default()]]
    );
}

#[tokio::test]
async fn configuration_and_keyvalue_need_a_grant() {
    // config.get-all answers result<list, error>: 1 at the start is an error.
    let made = handmade::Activity {
        import: Some(("wasi:config/store@0.2.0-rc.1", "get-all", "(param i32)")),
        execute: "(call $call (i32.const 512))
                  (if (i32.eqz (i32.load8_u (i32.const 512))) (then unreachable))",
        ..handmade::Activity::default()
    };
    let ended = run_made(made, Arc::default(), Arc::default(), LONG).await;
    assert_eq!(ended, Ok(Ok(None)));
    let made = handmade::Activity {
        import: Some((
            "wasi:keyvalue/store@0.2.0-draft",
            "open",
            "(param i32 i32 i32)",
        )),
        execute: "(call $call (i32.const 0) (i32.const 0) (i32.const 512))
                  (if (i32.eqz (i32.load8_u (i32.const 512))) (then unreachable))",
        ..handmade::Activity::default()
    };
    let ended = run_made(made, Arc::default(), Arc::default(), LONG).await;
    assert_eq!(ended, Ok(Ok(None)));
}
