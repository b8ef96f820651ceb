//! Guests written with the SDK that misbehave: what their authors and operators are told.

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tenterhook_domain::{Code, grant::Grants, limit::Limits};
use tenterhook_sandbox::processor::time_taken;
use tenterhook_workflow::guest::{Fault, Moment};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    Place,
    activity::{Host, LONG, access, task},
    guest,
    inspect::{inspect, refusal_is},
    limits, owner,
    workflow::{NOON, init, start},
};

/// Turns of `Computes` that take a while: a tenth of a second and more.
const TURNS: &str = "100000000";

/// Lines written by a guest of this thread, while it is there.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (lines, guard)
    }

    /// All that was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    pub(crate) fn of_guest(&self) -> Vec<String> {
        self.text()
            .lines()
            .filter(|line| line.contains(" guest: "))
            .map(str::to_owned)
            .collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Runs the first task of a workflow of `test-hostile`.
async fn first_task(
    workflow_type: &str,
    input: &str,
    limits: Arc<Limits>,
    moment: Moment,
) -> Result<(), Fault> {
    let place = Place::new();
    let component = place.load(&guest("test-hostile")).await;
    let module = component
        .workflows(limits, owner(component.digest()))
        .unwrap();
    let mut instance = module.instantiate(&init(workflow_type, input), moment)?;
    instance.activate(&start(), moment)?;
    instance.poll_routine(0)?;
    Ok(())
}

fn check_dead<T: std::fmt::Debug>(ended: Result<T, Fault>, code: Code, says: &[&str]) {
    let Err(Fault::Dead { code: got, message }) = &ended else {
        panic!("{ended:?}")
    };
    assert_eq!(*got, code, "{message}");
    for part in says {
        assert!(message.contains(part), "{part:?} in {message}");
    }
}

async fn check_workflow(workflow_type: &str, input: &str, code: Code, says: &[&str]) {
    let ended = first_task(workflow_type, input, Arc::default(), NOON).await;
    check_dead(ended, code, says);
}

#[tokio::test]
async fn a_panic_is_told_with_its_words_and_place() {
    check_workflow(
        "Panics",
        "null",
        Code::GuestTrapped,
        &["on purpose", "workflows.rs:", "panicked at"],
    )
    .await;
}

#[tokio::test]
async fn workflows_end_at_their_limits() {
    check_workflow(
        "Spins",
        "null",
        Code::GuestFuelExhausted,
        &["activation_fuel"],
    )
    .await;
    check_workflow(
        "Grows",
        "null",
        Code::GuestMemoryExceeded,
        &["memory_bytes"],
    )
    .await;
    check_workflow("Overflows", "null", Code::GuestTrapped, &["stack"]).await;
    check_workflow(
        "FloodsCommands",
        "null",
        Code::GuestTooManyCommands,
        &["activation_commands"],
    )
    .await;
    check_workflow(
        "Sleeps",
        "null",
        Code::GuestCapabilityDenied,
        &["std::thread::sleep", "timers"],
    )
    .await;
}

#[tokio::test]
async fn a_busy_machine_is_not_the_plugins_fault() {
    let place = Place::new();
    let component = place.load(&guest("test-hostile")).await;
    let compute = |activation_millis| {
        let limits = limits(|limits| {
            limits.activation_fuel = u64::MAX / 2;
            limits.activation_millis = activation_millis;
        });
        let module = component.workflows(limits, owner(component.digest()));
        let mut instance = module
            .unwrap()
            .instantiate(&init("Computes", TURNS), NOON)?;
        instance.activate(&start(), NOON)?;
        instance.poll_routine(0).map(drop)
    };
    let before = time_taken();
    compute(60_000).unwrap();
    let alone = u64::try_from((time_taken() - before).as_millis()).unwrap();
    assert!(alone > 50, "{alone} ms are too few to compare");

    // Each takes many times longer than alone, and no more of the processor.
    let threads = 8 * thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| compute(alone * 3)))
            .collect();
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
    check_dead(
        compute(alone / 3),
        Code::GuestDeadlineExceeded,
        &["activation_millis", "processor time"],
    );
}

#[tokio::test]
async fn log_lines_are_labelled_bounded_and_silent_on_replay() {
    let (lines, _guard) = Lines::capture();
    let few = || limits(|limits| limits.log_lines = 10);
    first_task("FloodsLog", "null", few(), NOON).await.unwrap();
    let seen = lines.of_guest();
    assert_eq!(seen.len(), 11, "{seen:#?}");
    for label in [
        "tenant=acme",
        "environment=production",
        "plugin=payment",
        "digest=sha256:",
        "run_id=run",
        "of a flood",
    ] {
        assert!(seen[0].contains(label), "{label} in {}", seen[0]);
    }
    assert!(
        seen[10].contains("199990 lines were dropped"),
        "{}",
        seen[10]
    );

    let replaying = Moment {
        replaying: true,
        ..NOON
    };
    first_task("FloodsLog", "null", few(), replaying)
        .await
        .unwrap();
    assert_eq!(lines.of_guest().len(), 11);
}

/// Runs an activity of `test-hostile`.
async fn attempt(
    activity_type: &str,
    input: &str,
    limits: Arc<Limits>,
) -> Result<tenterhook_sandbox::ActivityResult, Fault> {
    let place = Place::new();
    let module = place
        .load(&guest("test-hostile"))
        .await
        .activities()
        .unwrap();
    module
        .execute(
            task(activity_type, input),
            access(limits, Grants::default()),
            Arc::<Host>::default(),
            LONG,
        )
        .await
}

#[tokio::test]
async fn activities_end_at_their_limits() {
    let ended = attempt("Panic", "\"no luck today\"", Arc::default()).await;
    check_dead(
        ended,
        Code::GuestTrapped,
        &["no luck today", "activities.rs:"],
    );
    let ended = attempt("Grow", "null", Arc::default()).await;
    check_dead(ended, Code::GuestMemoryExceeded, &["memory_bytes"]);
    let ended = attempt("Overflow", "null", Arc::default()).await;
    check_dead(ended, Code::GuestTrapped, &["stack"]);
    let short = limits(|limits| limits.activity_millis = 100);
    let ended = attempt("Spin", "null", short.clone()).await;
    check_dead(ended, Code::GuestDeadlineExceeded, &["activity_millis"]);
    let ended = attempt("Sleep", "60000", short).await;
    check_dead(ended, Code::GuestDeadlineExceeded, &["activity_millis"]);
    let small = limits(|limits| limits.payload_bytes = 1024);
    let ended = attempt("HugeResult", "5000", small.clone()).await;
    check_dead(ended, Code::GuestPayloadTooLarge, &["payload_bytes"]);
    let ended = attempt("HugeHeartbeat", "5000", small).await;
    check_dead(ended, Code::GuestPayloadTooLarge, &["heartbeat"]);
}

#[tokio::test]
async fn an_activity_may_sleep_and_log() {
    let (lines, _guard) = Lines::capture();
    attempt("Sleep", "10", Arc::default())
        .await
        .unwrap()
        .unwrap();
    let few = limits(|limits| limits.log_lines = 5);
    attempt("FloodLog", "20", few).await.unwrap().unwrap();
    let seen = lines.of_guest();
    assert_eq!(seen.len(), 6, "{seen:#?}");
    for label in [
        "tenant=acme",
        "workflow_id=order-1",
        "activity=FloodLog",
        "attempt=1",
    ] {
        assert!(seen[0].contains(label), "{label} in {}", seen[0]);
    }
    assert!(seen[5].contains("15 lines were dropped"), "{}", seen[5]);
}

#[tokio::test]
async fn a_dropped_attempt_ends() {
    let spinning = attempt("Spin", "null", Arc::default());
    let given_up = tokio::time::timeout(Duration::from_millis(200), spinning).await;
    assert!(given_up.is_err());
    let ended = attempt("Innocent", "\"four\"", Arc::default()).await;
    assert_eq!(ended.unwrap().unwrap().unwrap().data, b"4");
}

#[tokio::test]
async fn lies_and_unknown_imports_are_refused_at_upload() {
    let lies = &["\"somebody-else\"", "\"not a version\"", "\"Missing\""];
    let found = inspect(guest("test-lying-metadata"), "test-lying-metadata").await;
    refusal_is(&found, Code::ComponentMetadataInvalid, lies);
    let found = inspect(guest("test-unknown-import"), "test-unknown-import").await;
    refusal_is(
        &found,
        Code::ComponentImportUnknown,
        &["nobody:offers/this"],
    );
}

#[tokio::test]
async fn guests_for_tests_pass_inspection() {
    for name in ["test-hostile", "test-workflows", "test-garbage"] {
        let found = inspect(guest(name), name).await;
        assert!(found.refusal().is_none(), "{name}: {found:?}");
    }
}
