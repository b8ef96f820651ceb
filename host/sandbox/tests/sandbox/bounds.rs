//! Limits of single things that an attempt hands over, a key, a value, a line: what it is told, and what is counted.

use std::sync::Arc;

use tenterhook_domain::{Code, grant::Grants, limit::Limits};
use tenterhook_sandbox::{ActivityAccess, ActivityModule, SandboxConfig};

use crate::{
    Place,
    activity::{Host, LONG, access, task},
    config, guest, handmade,
    hostile::Lines,
    keeping::{Memory, granted},
    limits,
    outbound::{Access, Answer, Server, charge},
    tally::Counted,
};

const OPENS: (&str, &str, &str) = (
    "wasi:keyvalue/store@0.2.0-draft",
    "open",
    "(param i32 i32 i32)",
);

/// Opens the bucket "" into `$bucket`.
const OPEN: &str = r"
    (local $bucket i32)
    (call $call (i32.const 0) (i32.const 0) (i32.const 512))
    (local.set $bucket (i32.load (i32.const 516)))";

/// Answers with the words of the error at 512, and with nothing where there is none.
const ANSWER_ERROR: &str = r"
    (if (i32.load8_u (i32.const 512)) (then
        (i32.store8 (i32.const 200) (i32.const 1))
        (i32.store (i32.const 212) (i32.load (i32.const 520)))
        (i32.store (i32.const 216) (i32.load (i32.const 524)))))";

/// An attempt that opens a bucket, calls `function` with `arguments` after it, and answers what it was told.
fn keeping(interface: &str, function: &str, parameters: usize, arguments: &str) -> Vec<u8> {
    let execute = format!(
        "{OPEN} (call $then (local.get $bucket) {arguments} (i32.const 512)) {ANSWER_ERROR}"
    );
    let ty = format!("(param {})", "i32 ".repeat(parameters + 2));
    handmade::Activity {
        execute: &execute,
        import: Some(OPENS),
        then: Some((interface, function, &ty)),
    }
    .component()
}

/// A place with a store and a tally.
fn place() -> (Arc<Memory>, Arc<Counted>, Place) {
    let (memory, counted) = (Arc::<Memory>::default(), Arc::<Counted>::default());
    let aot_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
    let place = Place::of(SandboxConfig {
        keyvalue: Some(memory.clone()),
        tally: counted.clone(),
        ..config(&aot_dir)
    });
    (memory, counted, place)
}

/// What the attempt was told, if it was told something.
async fn told(module: &ActivityModule, access: ActivityAccess) -> Option<String> {
    let host = Arc::<Host>::default();
    let ended = module
        .execute(task("Any", "null"), access, host, LONG)
        .await;
    let answer = ended.unwrap().unwrap()?;
    Some(String::from_utf8(answer.data).unwrap())
}

/// Keys and values each in every call that hands one over: within the limit it is carried, above it is refused by name.
#[tokio::test]
async fn what_is_kept_is_bounded_in_size_wherever_it_is_handed_over() {
    const STORE: &str = "wasi:keyvalue/store@0.2.0-draft";
    const BATCH: &str = "wasi:keyvalue/batch@0.2.0-draft";
    const ATOMICS: &str = "wasi:keyvalue/atomics@0.2.0-draft";
    const STATE: &str = "tenterhook:plugin/state@0.1.0";
    const KEY: &str = "keyvalue_key_bytes";
    const VALUE: &str = "keyvalue_value_bytes";
    // A list of one pair at 640: a key of 20 bytes at 1024, and a value of 30.
    const PAIR: &str = "
        (block (result i32)
            (i32.store (i32.const 640) (i32.const 1024)) (i32.store (i32.const 644) (i32.const 20))
            (i32.store (i32.const 648) (i32.const 2048)) (i32.store (i32.const 652) (i32.const 30))
            (i32.const 640))
        (i32.const 1)";
    let key = "(i32.const 1024) (i32.const 20)";
    let value = "(i32.const 2048) (i32.const 30)";
    let calls: [(&str, &str, usize, String, &[&str]); 9] = [
        (STORE, "[method]bucket.get", 2, key.to_owned(), &[KEY]),
        (
            STORE,
            "[method]bucket.set",
            4,
            format!("{key} {value}"),
            &[KEY, VALUE],
        ),
        (STORE, "[method]bucket.delete", 2, key.to_owned(), &[KEY]),
        (STORE, "[method]bucket.exists", 2, key.to_owned(), &[KEY]),
        (BATCH, "set-many", 2, PAIR.to_owned(), &[KEY, VALUE]),
        (BATCH, "get-many", 2, PAIR.to_owned(), &[KEY]),
        (BATCH, "delete-many", 2, PAIR.to_owned(), &[KEY]),
        (ATOMICS, "increment", 2, key.to_owned(), &[KEY]),
        (
            STATE,
            "compare-and-set",
            8,
            format!("{key} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) {value}"),
            &[KEY, VALUE],
        ),
    ];
    let (memory, counted, place) = place();
    for (interface, function, parameters, arguments, bounded) in calls {
        let component = match function {
            // Its number is no `i32`.
            "increment" => increment(&arguments),
            _ => keeping(interface, function, parameters, &arguments),
        };
        let module = place.load(&component).await.activities().unwrap();
        let with = |set: fn(&mut Limits)| ActivityAccess {
            limits: limits(set),
            ..granted()
        };
        let exactly = with(|limits| {
            limits.keyvalue_key_bytes = 20;
            limits.keyvalue_value_bytes = 30;
        });
        let said = told(&module, exactly).await;
        assert_eq!(said, None, "{function} within its limits");
        assert_eq!(counted.take(), Vec::<String>::new());
        memory.take_asked();
        for name in bounded {
            let (access, bytes, most) = match *name {
                KEY => (with(|limits| limits.keyvalue_key_bytes = 19), 20, 19),
                _ => (with(|limits| limits.keyvalue_value_bytes = 29), 30, 29),
            };
            let said = told(&module, access).await.unwrap();
            for part in [
                Code::KeyvalueLimitExceeded.as_str(),
                &format!("has {bytes} bytes, its limit {name} is {most}"),
                &format!("raise {name} in the plugin's grants"),
            ] {
                assert!(said.contains(part), "{function}: {part:?} in {said}");
            }
            assert_eq!(counted.take(), [format!("acme payment {name}")]);
            assert_eq!(memory.take_asked(), [], "{function} reached the store");
        }
    }
}

/// An attempt that adds 1 to the number at `key`.
fn increment(key: &str) -> Vec<u8> {
    let execute = format!(
        "{OPEN} (call $then (local.get $bucket) {key} (i64.const 1) (i32.const 512))
         (i32.store (i32.const 520) (i32.load (i32.const 524)))
         (i32.store (i32.const 524) (i32.load (i32.const 528)))
         {ANSWER_ERROR}"
    );
    handmade::Activity {
        execute: &execute,
        import: Some(OPENS),
        then: Some((
            "wasi:keyvalue/atomics@0.2.0-draft",
            "increment",
            "(param i32 i32 i32 i64 i32)",
        )),
    }
    .component()
}

#[tokio::test]
async fn state_is_asked_for_no_oftener_than_it_may_be() {
    let (memory, counted, place) = place();
    let execute = format!("{OPEN} {ANSWER_ERROR}");
    let made = handmade::Activity {
        execute: &execute,
        import: Some(OPENS),
        ..handmade::Activity::default()
    };
    let module = place.load(&made.component()).await.activities().unwrap();
    let access = ActivityAccess {
        limits: limits(|limits| limits.keyvalue_per_second = 0),
        ..granted()
    };
    let said = told(&module, access).await.unwrap();
    for part in [
        Code::KeyvalueLimitExceeded.as_str(),
        "keyvalue_per_second is 0",
        "raise keyvalue_per_second",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert_eq!(counted.take(), ["acme payment keyvalue_per_second"]);
    assert_eq!(memory.take_asked(), []);
}

/// Lines are cut at the limit, whole characters of them; that it happened is told once and counted.
#[tokio::test]
async fn a_line_is_cut_at_its_limit_and_the_log_says_by_which() {
    // 30 bytes at 1024: 28 letters, and one character of two bytes that the limit goes through.
    let execute = r"
        (memory.fill (i32.const 1024) (i32.const 97) (i32.const 28))
        (i32.store16 (i32.const 1052) (i32.const 0xa9c3))
        (call $call (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 30))
        (call $call (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 30))
        (call $call (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 28))";
    let made = handmade::Activity {
        execute,
        import: Some((
            "wasi:logging/logging@0.1.0-draft",
            "log",
            "(param i32 i32 i32 i32 i32)",
        )),
        ..handmade::Activity::default()
    };
    let (_, counted, place) = place();
    let module = place.load(&made.component()).await.activities().unwrap();
    let (letters, accent) = ("a".repeat(28), "é");
    for (most, shown, cut) in [
        (30, format!("{letters}{accent}"), 0),
        (29, letters.clone(), 2),
        (28, letters.clone(), 2),
        (27, "a".repeat(27), 3),
    ] {
        let (lines, _guard) = Lines::capture();
        let access = access(
            limits(|limits| limits.log_line_bytes = most),
            Grants::default(),
        );
        assert_eq!(told(&module, access).await, None, "the attempt goes on");
        let seen = lines.of_guest();
        assert!(
            seen[0].ends_with(&format!(" {shown}")) || seen[0].contains(&format!(" {shown} ")),
            "{most}: {}",
            seen[0]
        );
        assert!(
            !seen[0].contains(&format!("{shown}a")),
            "{most}: {}",
            seen[0]
        );
        if cut == 0 {
            assert_eq!((seen.len(), counted.take()), (3, Vec::new()));
            continue;
        }
        assert_eq!(seen.len(), 4, "{seen:#?}");
        let words = format!("{cut} lines were cut off: the limit log_line_bytes is {most}");
        assert!(seen[3].contains(&words), "{}", seen[3]);
        assert!(seen[3].contains("raise log_line_bytes in the plugin's grants"));
        assert_eq!(counted.take(), ["acme payment log_line_bytes"]);
    }
}

/// The same of lines that come over a stream, in a workflow.
#[tokio::test]
async fn a_line_of_a_stream_is_cut_and_counted_too() {
    let (lines, _guard) = Lines::capture();
    let (_, counted, place) = place();
    let component = place.load(&guest("test-hostile")).await;
    let owner = crate::owner(component.digest());
    let limits = limits(|limits| {
        limits.log_line_bytes = 6;
        limits.log_lines = 4;
    });
    let module = component.workflows(limits, owner).unwrap();
    let noon = crate::workflow::NOON;
    let init = crate::workflow::init("FloodsLog", "null");
    let mut instance = module.instantiate(&init, noon).unwrap();
    instance.activate(&crate::workflow::start(), noon).unwrap();
    instance.poll_routine(0).unwrap();
    let seen = lines.of_guest();
    let told = "4 lines were cut off: the limit log_line_bytes is 6";
    assert!(seen.iter().any(|line| line.contains(told)), "{seen:#?}");
    let hits = counted.take();
    for limit in ["log_lines", "log_line_bytes"] {
        let hit = format!("acme payment {limit}");
        assert_eq!(hits.iter().filter(|it| **it == hit).count(), 1, "{hits:?}");
    }
}

/// A request may end by the guest's own time-out or by the limit: of the limit it is told, and only that is counted.
#[tokio::test]
async fn a_request_that_takes_too_long_is_told_by_which_limit() {
    let server = Server::start(Answer::Never).await;
    let (_, counted, place) = place();
    let module = place.load(&guest("payment")).await.activities().unwrap();
    let mut access = Access::to(&server);
    access.limits = limits(|limits| limits.outbound_millis = 100);
    let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
    let words = format!("{failure:?}");
    for part in [
        Code::OutboundLimitExceeded.as_str(),
        "outbound_millis is 100",
        "raise outbound_millis",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(counted.take(), ["acme payment outbound_millis"]);
    // The same while the answer's body does not come.
    server.answer(Answer::Cut(10));
    let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
    let words = format!("{failure:?}");
    assert!(words.contains("outbound_millis is 100"), "{words}");
    assert_eq!(counted.take(), ["acme payment outbound_millis"]);
}
