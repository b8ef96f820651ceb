//! Workflow instances: what they see, and how they end when they misbehave.

use std::sync::Arc;

use prost::Message as _;
use temporalio_protos::{
    coresdk::workflow_activation::{
        InitializeWorkflow, QueryWorkflow, WorkflowActivation, WorkflowActivationJob,
        workflow_activation_job::Variant,
    },
    temporal::api::common::v1::Payload,
};
use tenterhook_domain::{Code, limit::Limits};
use tenterhook_workflow::guest::{
    Completion, Fault, Init, Instance, JobResult, Module, Moment, Terminal,
};

use crate::{Place, guest, handmade, limits, owner};

pub(crate) const NOON: Moment = Moment {
    time_nanos: 1_700_000_000_123_456_789,
    replaying: false,
    seed: 42,
};

fn json(text: &str) -> Payload {
    let mut payload = Payload::default();
    payload
        .metadata
        .insert("encoding".to_owned(), b"json/plain".to_vec());
    payload.data = text.as_bytes().to_vec();
    payload
}

fn initialize(workflow_type: &str, input: &str) -> InitializeWorkflow {
    let mut init = InitializeWorkflow::default();
    init.workflow_type = workflow_type.to_owned();
    init.workflow_id = "order-1".to_owned();
    init.arguments = vec![json(input)];
    init.attempt = 1;
    init
}

pub(crate) fn init(workflow_type: &str, input: &str) -> Init {
    Init {
        namespace: "default".to_owned(),
        task_queue: "queue".to_owned(),
        run_id: "run".to_owned(),
        initialize_workflow: initialize(workflow_type, input).encode_to_vec(),
    }
}

fn activation(jobs: Vec<Variant>) -> Vec<u8> {
    let mut activation = WorkflowActivation::default();
    activation.run_id = "run".to_owned();
    for variant in jobs {
        let mut job = WorkflowActivationJob::default();
        job.variant = Some(variant);
        activation.jobs.push(job);
    }
    activation.encode_to_vec()
}

pub(crate) fn start() -> Vec<u8> {
    activation(vec![Variant::InitializeWorkflow(
        InitializeWorkflow::default(),
    )])
}

/// The module of a handmade workflow. The place must outlive it: the epoch ticker is the sandbox's.
pub(crate) async fn handmade_module(
    made: handmade::Workflow<'_>,
    limits: Arc<Limits>,
) -> (Place, Arc<dyn Module>) {
    let place = Place::new();
    let component = place.load(&made.component()).await;
    let module = component
        .workflows(limits, owner(component.digest()))
        .unwrap();
    (place, module)
}

pub(crate) fn make(module: &Arc<dyn Module>, moment: Moment) -> Box<dyn Instance> {
    module.instantiate(&init("Any", "null"), moment).unwrap()
}

/// The fault of an `activate` that is `activate` in WAT.
async fn check_dies(activate: &str, limits: Arc<Limits>, code: Code, says: &[&str]) {
    let made = handmade::Workflow {
        activate,
        ..handmade::Workflow::default()
    };
    check_made_dies(made, limits, code, says).await;
}

async fn check_made_dies(
    made: handmade::Workflow<'_>,
    limits: Arc<Limits>,
    code: Code,
    says: &[&str],
) {
    let (_place, module) = handmade_module(made, limits).await;
    let mut instance = make(&module, NOON);
    let fault = instance.activate(&start(), NOON).unwrap_err();
    let Fault::Dead { code: got, message } = &fault else {
        panic!("{fault:?}")
    };
    assert_eq!(*got, code, "{message}");
    for part in says {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert!(
        matches!(instance.activate(&start(), NOON), Err(Fault::Dead { .. })),
        "a dead instance stays dead"
    );
    assert!(matches!(instance.poll_routine(0), Err(Fault::Dead { .. })));
}

#[tokio::test]
async fn temporals_own_guest_runs() {
    let place = Place::new();
    let component = place.load(&guest("test-native-sdk")).await;
    let module = component
        .workflows(Arc::default(), owner(component.digest()))
        .unwrap();
    let mut instance = module
        .instantiate(&init("Echo", "\"hello\""), NOON)
        .unwrap();
    let results = instance.activate(&start(), NOON).unwrap();
    assert_eq!(results, [JobResult::None]);
    let poll = instance.poll_routine(0).unwrap();
    let Some(Completion::Terminal(Terminal::Completed(payload))) = poll.completion else {
        panic!("{poll:?}")
    };
    let payload = Payload::decode(&payload[..]).unwrap();
    assert_eq!(payload.data, b"\"hello\"");
    assert!(instance.memory_bytes() > 64 * 1024);
    assert!(component.activities().is_none());
}

#[tokio::test]
async fn a_waiting_workflow_pushes_its_command_and_answers_queries() {
    let place = Place::new();
    let component = place.load(&guest("test-native-sdk")).await;
    let module = component
        .workflows(Arc::default(), owner(component.digest()))
        .unwrap();
    let mut instance = module
        .instantiate(&init("TimerThenSignal", "1000"), NOON)
        .unwrap();
    instance.activate(&start(), NOON).unwrap();
    let poll = instance.poll_routine(0).unwrap();
    assert_eq!(poll.completion, Some(Completion::Blocked));
    assert_eq!(instance.take_commands().len(), 1);
    assert!(instance.take_commands().is_empty());

    let mut query = QueryWorkflow::default();
    query.query_id = "1".to_owned();
    query.query_type = "released".to_owned();
    let asked = activation(vec![Variant::QueryWorkflow(query)]);
    let results = instance.activate(&asked, NOON).unwrap();
    let [JobResult::Query(Ok(answer))] = &results[..] else {
        panic!("{results:?}")
    };
    assert_eq!(Payload::decode(&answer[..]).unwrap().data, b"false");
}

#[tokio::test]
async fn an_unknown_workflow_type_is_a_failure_of_the_guest() {
    let place = Place::new();
    let component = place.load(&guest("test-native-sdk")).await;
    let module = component
        .workflows(Arc::default(), owner(component.digest()))
        .unwrap();
    let fault = module.instantiate(&init("Nobody", "null"), NOON).err();
    assert!(matches!(fault, Some(Fault::Failure(_))), "{fault:?}");
}

#[tokio::test]
async fn spinning_ends_by_fuel() {
    check_dies(
        "(loop $l (br $l))",
        limits(|limits| limits.activation_fuel = 1_000_000),
        Code::GuestFuelExhausted,
        &["1000000", "activation_fuel", "grants"],
    )
    .await;
}

#[tokio::test]
async fn spinning_ends_by_time() {
    check_dies(
        "(loop $l (br $l))",
        limits(|limits| {
            limits.activation_fuel = u64::MAX;
            limits.activation_millis = 50;
        }),
        Code::GuestDeadlineExceeded,
        &["50 ms", "activation_millis"],
    )
    .await;
}

#[tokio::test]
async fn memory_is_bounded() {
    check_dies(
        "(loop $l (drop (memory.grow (i32.const 1))) (br $l))",
        limits(|limits| limits.memory_bytes = 1024 * 1024),
        Code::GuestMemoryExceeded,
        &["1048576", "memory_bytes"],
    )
    .await;
}

#[tokio::test]
async fn a_trap_says_which() {
    check_dies(
        "unreachable",
        Arc::default(),
        Code::GuestTrapped,
        &["unreachable"],
    )
    .await;
    check_dies(
        "(i32.store (i32.const -4) (i32.const 1))",
        Arc::default(),
        Code::GuestTrapped,
        &["outside its memory"],
    )
    .await;
}

#[tokio::test]
async fn malformed_results_are_faults() {
    // A list of job results that lies outside the memory.
    check_dies(
        "(i32.store (i32.const 196) (i32.const 65536)) (i32.store (i32.const 200) (i32.const 9))",
        Arc::default(),
        Code::GuestTrapped,
        &[],
    )
    .await;
    // No such case of the result.
    check_dies(
        "(i32.store (i32.const 192) (i32.const 255))",
        Arc::default(),
        Code::GuestTrapped,
        &[],
    )
    .await;
}

#[tokio::test]
async fn commands_are_bounded_in_number_and_size() {
    check_dies(
        "(loop $l (call $push (i32.const 0) (i32.const 8)) (br $l))",
        limits(|limits| limits.activation_commands = 10),
        Code::GuestTooManyCommands,
        &["10 commands", "activation_commands"],
    )
    .await;
    check_dies(
        "(drop (memory.grow (i32.const 64)))
         (loop $l (call $push (i32.const 0) (i32.const 4000000)) (br $l))",
        Arc::default(),
        Code::GuestPayloadTooLarge,
        &["16777216"],
    )
    .await;
}

#[tokio::test]
async fn what_only_activities_may_is_denied_by_name() {
    let denied = |import, activate| handmade::Workflow {
        import: Some(import),
        activate,
        ..handmade::Workflow::default()
    };
    check_made_dies(
        denied(
            ("wasi:config/store@0.2.0-rc.1", "get-all", "(param i32)"),
            "(call $call (i32.const 512))",
        ),
        Arc::default(),
        Code::GuestCapabilityDenied,
        &["wasi:config/store@0.2.0-rc.1#get-all", "activity"],
    )
    .await;
    check_made_dies(
        denied(
            (
                "tenterhook:plugin/activity-context@0.1.0",
                "cancelled",
                "(param i32)",
            ),
            "(call $call (i32.const 512))",
        ),
        Arc::default(),
        Code::GuestCapabilityDenied,
        &["activity-context"],
    )
    .await;
}

#[tokio::test]
async fn waiting_is_denied() {
    // poll of a list of no pollables can never be ready.
    check_made_dies(
        handmade::Workflow {
            import: Some(("wasi:io/poll@0.2.12", "poll", "(param i32 i32 i32)")),
            activate: "(call $call (i32.const 0) (i32.const 0) (i32.const 512))",
            ..handmade::Workflow::default()
        },
        Arc::default(),
        Code::GuestCapabilityDenied,
        &["timers", "wasi:io/poll"],
    )
    .await;
}

#[tokio::test]
async fn tables_are_bounded() {
    check_made_dies(
        handmade::Workflow {
            functions: "(table $many 1 funcref)",
            activate: "(drop (table.grow $many (ref.null func) (i32.const 2000)))",
            ..handmade::Workflow::default()
        },
        limits(|limits| limits.table_elements = 1_000),
        Code::GuestMemoryExceeded,
        &["table_elements", "1000"],
    )
    .await;
}

/// What `activate`, in WAT, leaves at 512, so many bytes of it.
pub(crate) async fn computed(activate: &str, bytes: usize) -> Vec<u8> {
    let activate = format!("{activate} (call $push (i32.const 512) (i32.const {bytes}))");
    let made = handmade::Workflow {
        activate: &activate,
        ..handmade::Workflow::default()
    };
    let (_place, module) = handmade_module(made, Arc::default()).await;
    let mut instance = make(&module, NOON);
    instance.activate(&start(), NOON).unwrap();
    instance.take_commands().concat()
}

/// Processors differ in the sign and the bits of a NaN that they make or pass on.
#[tokio::test]
async fn what_is_not_a_number_has_the_same_bits_everywhere() {
    for made in [
        "(f64.div (f64.load (i32.const 1024)) (f64.load (i32.const 1024)))",
        "(f64.add (f64.const nan:0x8000000000123) (f64.load (i32.const 1024)))",
        "(f64.sqrt (f64.const -1))",
    ] {
        let bits = computed(&format!("(f64.store (i32.const 512) {made})"), 8).await;
        assert_eq!(bits, 0x7ff8_0000_0000_0000_u64.to_le_bytes(), "{made}");
    }
}

/// Relaxed instructions answer what the processor does, but for workflows: an index out of range is zero.
#[tokio::test]
async fn relaxed_instructions_answer_the_same_everywhere() {
    let of = |byte: &str| format!("(v128.const i8x16{})", format!(" {byte}").repeat(16));
    let swizzled = format!(
        "(v128.store (i32.const 512) (i8x16.relaxed_swizzle {} {}))",
        of("7"),
        of("16")
    );
    assert_eq!(computed(&swizzled, 16).await, [0; 16]);
}

/// The eight bytes that an import without parameters answers, as commands of successive activations.
async fn observed(interface: &str, function: &str, moments: &[Moment]) -> Vec<u64> {
    let (_place, module) = handmade_module(
        handmade::Workflow {
            import: Some((interface, function, "(result i64)")),
            activate: "(i64.store (i32.const 512) (call $call))
                       (call $push (i32.const 512) (i32.const 8))",
            ..handmade::Workflow::default()
        },
        Arc::default(),
    )
    .await;
    let mut instance = make(&module, moments[0]);
    let mut seen = Vec::new();
    for moment in moments {
        instance.activate(&start(), *moment).unwrap();
        for command in instance.take_commands() {
            seen.push(u64::from_le_bytes(command.try_into().unwrap()));
        }
    }
    seen
}

#[tokio::test]
async fn clocks_are_workflow_time() {
    let later = Moment {
        time_nanos: NOON.time_nanos + 5,
        ..NOON
    };
    let seen = observed("wasi:clocks/monotonic-clock@0.2.12", "now", &[NOON, later]).await;
    assert_eq!(seen, [NOON.time_nanos, later.time_nanos]);
}

#[tokio::test]
async fn randomness_follows_from_the_seed() {
    let reseeded = Moment { seed: 43, ..NOON };
    let random = |moments: &'static [Moment]| {
        observed("wasi:random/random@0.2.12", "get-random-u64", moments)
    };
    let first = random(&[NOON, NOON]).await;
    assert_eq!(first, random(&[NOON, NOON]).await);
    assert_ne!(first[0], first[1]);
    let second = observed(
        "wasi:random/random@0.2.12",
        "get-random-u64",
        &[NOON, reseeded],
    )
    .await;
    assert_eq!(first[0], second[0]);
    assert_ne!(first[1], second[1]);
}

#[tokio::test]
async fn fuel_and_deadline_are_filled_up_for_each_activation() {
    // About 300,000 units an activation.
    let (_place, module) = handmade_module(
        handmade::Workflow {
            activate: "(local $n i32) (local.set $n (i32.const 50000))
                       (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))",
            ..handmade::Workflow::default()
        },
        limits(|limits| limits.activation_fuel = 1_000_000),
    )
    .await;
    let mut instance = make(&module, NOON);
    for _ in 0..20 {
        instance.activate(&start(), NOON).unwrap();
    }
}
