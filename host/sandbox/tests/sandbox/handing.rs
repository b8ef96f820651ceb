//! Whatever bytes an attempt hands to the host, as its answer, as a line or as a key: they are carried or refused with a
//! code, and never more of them than the limits allow.
//!
//! One component a place: it takes what it hands over from its input, so that each case runs real code and compiles none.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tenterhook_domain::{Code, grant::Grants};
use tenterhook_sandbox::{
    ActivityAccess, ActivityModule, ActivityResult, ActivityTask, Payload, SandboxConfig,
};
use tenterhook_workflow::guest::Fault;
use tokio::runtime::Runtime;

use crate::{
    Place,
    activity::{Host, LONG, access, task},
    config, handmade,
    hostile::Lines,
    keeping::{Memory, granted},
    limits,
};

const CASES: u32 = 2_000;
/// Where the input is put, and the answer begins.
const AT: u32 = 192;
/// Words of an input. The record of an answer has 28.
const WORDS: usize = 200;
/// Most bytes of an answer here.
const ANSWER_BYTES: u64 = 1_024;

/// A word that is often a small number, often a place in the input, and sometimes anything.
fn word() -> impl Strategy<Value = u32> {
    let last = AT + 4 * u32::try_from(WORDS).unwrap();
    prop_oneof![
        16 => 0_u32..3,
        6 => (AT / 4..last / 4).prop_map(|place| 4 * place),
        2 => 0_u32..80,
        1 => 1_000_u32..3_000,
        1 => any::<u32>(),
        // Letters, so that some of it is text.
        2 => prop::array::uniform4(b'a'..=b'z').prop_map(u32::from_le_bytes),
    ]
}

/// A list or a text: some place in the input, aligned, and how much is there.
fn list() -> impl Strategy<Value = [u32; 2]> {
    let last = AT + 4 * u32::try_from(WORDS).unwrap();
    let place = (AT / 4..last / 4).prop_map(|place| 4 * place);
    let much = prop_oneof![6 => 0_u32..3, 3 => 0_u32..40, 1 => 1_000_u32..3_000];
    (place, much).prop_map(|(place, much)| [place, much])
}

/// The beginning of an answer of the right form: `Ok` with nothing or a payload.
fn result() -> impl Strategy<Value = Vec<u32>> {
    let words = (0_u32..2, list(), list());
    words.prop_map(|(is_some, metadata, data)| [&[0, 0, is_some][..], &metadata, &data].concat())
}

/// The same for a failure.
fn failure() -> impl Strategy<Value = Vec<u32>> {
    let link = (list(), list(), list(), 0_u32..2, list());
    let rest = (list(), 0_u32..2, any::<u32>(), 0_u32..2);
    (link, rest).prop_map(|(link, rest)| {
        let (message, kind, details, has_trace, trace) = link;
        let (causes, flag, delay, benign) = rest;
        let lists = [message, kind, details].concat();
        let rest = [flag, flag, 0, delay, 0, benign];
        [&[1, 0][..], &lists, &[has_trace], &trace, &causes, &rest].concat()
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let any = prop::collection::vec(word(), 28..WORDS);
    let start = prop_oneof![Just(Vec::new()), result(), failure()];
    let words = (start, any).prop_map(|(start, any)| [start, any].concat());
    words.prop_map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// Runs an attempt with `input`.
fn run(
    runtime: &Runtime,
    module: &ActivityModule,
    access: ActivityAccess,
    input: Vec<u8>,
) -> Result<ActivityResult, Fault> {
    let task = ActivityTask {
        input: vec![Payload {
            metadata: Vec::new(),
            data: input,
        }],
        ..task("Any", "null")
    };
    let attempt = module.execute(task, access, Arc::<Host>::default(), LONG);
    runtime.block_on(attempt)
}

/// A fault has a code that is the guest's, and says something.
fn coded(fault: &Fault) -> Result<Code, TestCaseError> {
    let Fault::Dead { code, message } = fault else {
        return Err(TestCaseError::fail(format!("{fault:?}")));
    };
    let guests = [Code::GuestTrapped, Code::GuestPayloadTooLarge];
    prop_assert!(guests.contains(code), "{code}: {message}");
    prop_assert!(!message.is_empty());
    Ok(*code)
}

/// Holds `check` for many inputs. It answers with what became of one; each of `fates` has to come up.
fn for_each(
    fates: &[&'static str],
    check: impl Fn(Vec<u8>) -> Result<&'static str, TestCaseError>,
) {
    let seen = RefCell::new(BTreeMap::<&str, u32>::new());
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(CASES)
    };
    let ended = TestRunner::new(config).run(&input(), |input| {
        *seen.borrow_mut().entry(check(input)?).or_default() += 1;
        Ok(())
    });
    ended.unwrap();
    let seen = seen.into_inner();
    for fate in fates {
        assert!(seen.contains_key(fate), "never {fate}: {seen:?}");
    }
}

fn stage(
    made: &handmade::Activity<'_>,
    config: SandboxConfig,
) -> (Runtime, Place, Arc<ActivityModule>) {
    let runtime = Runtime::new().unwrap();
    let place = Place::of(config);
    let component = runtime.block_on(place.load(&made.component()));
    (runtime, place, component.activities().unwrap())
}

fn shared_config() -> SandboxConfig {
    let aot_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
    config(&aot_dir)
}

#[test]
fn an_answer_is_carried_or_refused_with_a_code() {
    let made = handmade::Activity {
        execute: handmade::INPUT_TO_ANSWER,
        ..handmade::Activity::default()
    };
    let (runtime, _place, module) = stage(&made, shared_config());
    let size = |payload: &Payload| {
        let metadata = payload.metadata.iter();
        let metadata: usize = metadata.map(|(key, value)| key.len() + value.len()).sum();
        (metadata + payload.data.len()) as u64
    };
    for_each(
        &["nothing", "a result", "a failure", "trapped", "too large"],
        |input| {
            let access = access(
                limits(|limits| limits.payload_bytes = ANSWER_BYTES),
                Grants::default(),
            );
            Ok(match run(&runtime, &module, access, input) {
                Ok(Ok(None)) => "nothing",
                Ok(Ok(Some(payload))) => {
                    prop_assert!(size(&payload) <= ANSWER_BYTES);
                    "a result"
                }
                Ok(Err(failure)) => {
                    for link in failure.causes.iter().chain([&failure.error]) {
                        let text = link.message.len() + link.kind.len();
                        let details: u64 = link.details.iter().map(size).sum();
                        prop_assert!(text as u64 + details <= ANSWER_BYTES);
                    }
                    "a failure"
                }
                Err(fault) => match coded(&fault)? {
                    Code::GuestPayloadTooLarge => "too large",
                    _ => "trapped",
                },
            })
        },
    );
}

#[test]
fn a_line_is_one_line_whatever_is_in_it() {
    let execute = format!(
        "{} (call $call (i32.load (i32.const 192)) (i32.load (i32.const 196)) (i32.load (i32.const 200))
             (i32.load (i32.const 204)) (i32.load (i32.const 208)))
         (memory.fill (i32.const 192) (i32.const 0) (i32.const 128))",
        handmade::INPUT_TO_ANSWER
    );
    let made = handmade::Activity {
        execute: &execute,
        import: Some((
            "wasi:logging/logging@0.1.0-draft",
            "log",
            "(param i32 i32 i32 i32 i32)",
        )),
        ..handmade::Activity::default()
    };
    let (runtime, _place, module) = stage(&made, shared_config());
    for_each(&["written", "cut", "trapped"], |input| {
        let (lines, _guard) = Lines::capture();
        let access = access(
            limits(|limits| limits.log_line_bytes = 64),
            Grants::default(),
        );
        let ended = run(&runtime, &module, access, input);
        let seen = lines.of_guest();
        let all = lines.text();
        let obeyed = |c: char| c.is_control() && !"\t\n".contains(c);
        prop_assert!(!all.contains(obeyed), "{all:?}");
        // One line of the guest's, and one that says what was cut off of it.
        prop_assert!(
            seen.len() <= 2 && all.lines().count() == seen.len(),
            "{all}"
        );
        // Each byte shows as three at most.
        prop_assert!(
            seen.iter().all(|line| line.len() < 2 * 3 * 64 + 500),
            "{all}"
        );
        Ok(match ended {
            Ok(ended) => {
                prop_assert_eq!(ended, Ok(None));
                if seen.len() == 2 { "cut" } else { "written" }
            }
            Err(fault) => {
                coded(&fault)?;
                "trapped"
            }
        })
    });
}

#[test]
fn a_store_is_asked_for_names_alone_that_fit() {
    let execute = format!(
        "{} (call $call (i32.load (i32.const 192)) (i32.load (i32.const 196)) (i32.const 30000))
         (if (i32.eqz (i32.load8_u (i32.const 30000))) (then
            (call $then (i32.load (i32.const 30004)) (i32.load (i32.const 200)) (i32.load (i32.const 204))
                (i32.load (i32.const 208)) (i32.load (i32.const 212)) (i32.const 30000))))
         (memory.fill (i32.const 192) (i32.const 0) (i32.const 128))",
        handmade::INPUT_TO_ANSWER
    );
    let store = "wasi:keyvalue/store@0.2.0-draft";
    let made = handmade::Activity {
        execute: &execute,
        import: Some((store, "open", "(param i32 i32 i32)")),
        then: Some((
            store,
            "[method]bucket.set",
            "(param i32 i32 i32 i32 i32 i32)",
        )),
    };
    let memory = Arc::<Memory>::default();
    let (runtime, _place, module) = stage(
        &made,
        SandboxConfig {
            keyvalue: Some(memory.clone()),
            ..shared_config()
        },
    );
    for_each(&["kept", "refused", "trapped"], |input| {
        let access = ActivityAccess {
            limits: limits(|limits| {
                limits.keyvalue_key_bytes = 40;
                limits.keyvalue_per_second = 1_000_000;
            }),
            ..granted()
        };
        let ended = run(&runtime, &module, access, input);
        let asked = memory.take_asked();
        for (bucket, key) in &asked {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            prop_assert!(
                bucket.len() <= 63 && bucket.chars().all(plain),
                "{bucket:?}"
            );
            prop_assert!((1..=40).contains(&key.len()), "{key:?}");
        }
        Ok(match ended {
            Ok(ended) => {
                prop_assert_eq!(ended, Ok(None));
                if asked.is_empty() { "refused" } else { "kept" }
            }
            Err(fault) => {
                coded(&fault)?;
                "trapped"
            }
        })
    });
}
