//! Components by chance: arbitrary ones, arbitrary code in the frame of a plugin, and real ones with broken bytes.
//! Whatever comes is answered: with a coded refusal, a coded fault, or a result. A panic, an abort and a hang are the
//! host's faults.
//!
//! Each input comes from a number alone. Those that once showed a fault stand in [`CORPUS`], and are tried first.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tenterhook_domain::{
    Digest,
    component::{Inspection, InspectionContext, Inspector as _},
    grant::Grants,
    limit::LimitOverrides,
};
use tenterhook_workflow::guest::Fault;
use wasm_smith::{Config, MemoryOffsetChoices, Module};

use crate::{
    Place, guest, handmade, limits, owner, plugin,
    workflow::{NOON, init, start},
};

/// Inputs of one run.
const INPUTS: u64 = 10_000;
/// Inputs that are tried side by side.
const AT_ONCE: u64 = 2;
/// One input may take so long on a busy machine before it counts as a hang.
const HANG: Duration = Duration::from_secs(120);
/// Arbitrary code is made of so many arbitrary bytes.
const BYTES: usize = 2_048;
/// What a guest may use: enough to do something, too little to take long.
const FUEL: u64 = 1_000_000;
const MILLIS: u64 = 100;
/// Most bytes that are broken in a real component.
const BREAKS_MAX: usize = 8;
/// Every so many inputs a large real component is broken: most of those compile, and take long.
const LARGE_EVERY: u64 = 250;
/// Inputs that once showed a fault.
const CORPUS: &[u64] = &[0, 1, 2, 3];

/// An input, by its number.
fn input(number: u64, real: &[Vec<u8>]) -> Vec<u8> {
    let mut chance = fastrand::Rng::with_seed(number);
    match number % 4 {
        _ if number % LARGE_EVERY == LARGE_EVERY - 1 => broken(&guest("test-stamp"), &mut chance),
        0 => arbitrary_component(&mut chance).unwrap_or_default(),
        1 | 2 => arbitrary_plugin(&mut chance).unwrap_or_default(),
        _ => broken(&real[chance.usize(..real.len())], &mut chance),
    }
}

fn arbitrary_bytes(chance: &mut fastrand::Rng) -> Vec<u8> {
    std::iter::repeat_with(|| chance.u8(..))
        .take(BYTES)
        .collect()
}

/// Any component, or any module: most import and export what no host has.
fn arbitrary_component(chance: &mut fastrand::Rng) -> Option<Vec<u8>> {
    let bytes = arbitrary_bytes(chance);
    let mut source = arbitrary::Unstructured::new(&bytes);
    if chance.bool() {
        let module = Module::new(Config::default(), &mut source).ok()?;
        return Some(module.to_bytes());
    }
    let component = wasm_smith::Component::new(Config::default(), &mut source).ok()?;
    Some(component.to_bytes())
}

/// Any code in the frame of a plugin with workflows: it loads, and what it does is anything.
fn arbitrary_plugin(chance: &mut fastrand::Rng) -> Option<Vec<u8>> {
    let frame = handmade::Workflow::default();
    let bytes = arbitrary_bytes(chance);
    // Of what no engine of the host has, few have something: those are refused before they run.
    let exotic = chance.u8(..16) == 0;
    let config = Config {
        module_shape: Some(wat::parse_str(frame.module()).unwrap()),
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        gc_enabled: exotic,
        // The host has functions for references, and nothing that would be collected.
        reference_types_enabled: exotic,
        exceptions_enabled: exotic,
        memory64_enabled: exotic,
        relaxed_simd_enabled: exotic,
        threads_enabled: exotic,
        tail_call_enabled: exotic,
        wide_arithmetic_enabled: exotic,
        custom_page_sizes_enabled: exotic,
        extended_const_enabled: exotic,
        ..Config::default()
    };
    let module = Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).ok()?;
    handmade::try_encode(module.to_bytes(), &frame.world())
}

/// A real component with some of its bytes changed, left out, or said twice.
fn broken(real: &[u8], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = real.to_vec();
    for _ in 0..=chance.usize(..BREAKS_MAX) {
        let at = chance.usize(..bytes.len());
        let to = (at + chance.usize(1..=64)).min(bytes.len());
        match chance.u8(..4) {
            0 => bytes[at] = chance.u8(..),
            1 => bytes[at] ^= 1 << chance.u8(..8),
            2 => drop(bytes.drain(at..to)),
            _ => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

/// Uploads, compiles, instantiates and runs it. Answers how far it came.
async fn run(place: &Place, bytes: Vec<u8>) -> &'static str {
    let bytes = Bytes::from(bytes);
    let grants = Grants {
        limits: LimitOverrides(
            [
                ("activation_fuel".to_owned(), FUEL),
                ("activation_millis".to_owned(), MILLIS),
            ]
            .into(),
        ),
        ..Grants::default()
    };
    let context = InspectionContext {
        plugin: &plugin("payment"),
        grants: &grants,
        current: None,
    };
    let found = place.sandbox.inspect(context, bytes.clone(), &|_| {}).await;
    check_coded(&found.unwrap());
    let digest = Digest::of(&bytes);
    let Ok(component) = place.sandbox.load(digest, async { Ok(bytes) }).await else {
        return "refused";
    };
    let limits = limits(|limits| {
        limits.activation_fuel = FUEL;
        limits.activation_millis = MILLIS;
    });
    let Some(module) = component.workflows(limits, owner(digest)) else {
        return "loaded";
    };
    let done = (|| {
        let mut instance = module.instantiate(&init("Any", "null"), NOON)?;
        instance.activate(&start(), NOON)?;
        instance.poll_routine(0)
    })();
    match done {
        Err(Fault::Dead { code, message }) => {
            assert!(message.len() > code.as_str().len(), "{code} without a word");
            "trapped"
        }
        Err(Fault::Failure(_)) => "failed",
        Ok(_) => "ran",
    }
}

/// Whatever is refused has a code, and says why.
fn check_coded(found: &Inspection) {
    if let Some(refusal) = found.refusal() {
        assert!(refusal.code.is_some(), "{refusal:?}");
        assert!(!refusal.detail.is_empty(), "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_uploaded_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let place = Arc::new(Place::at(folder.path()));
    let real = Arc::new(vec![
        handmade::Workflow::default().component(),
        handmade::Activity::default().component(),
    ]);
    let next = Arc::new(AtomicU64::new(0));
    let workers = (0..AT_ONCE).map(|_| {
        let (place, real, next) = (place.clone(), real.clone(), next.clone());
        tokio::spawn(async move {
            let mut ends = std::collections::BTreeMap::<&str, u64>::new();
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let corpus = CORPUS.get(usize::try_from(turn).unwrap()).copied();
                let number = corpus.unwrap_or(turn);
                if turn >= INPUTS {
                    return ends;
                }
                let answered = AssertUnwindSafe(run(&place, input(number, &real)));
                let answered = tokio::time::timeout(HANG, answered.catch_unwind()).await;
                let end = answered
                    .unwrap_or_else(|_| panic!("input {number} hangs: put it into CORPUS"))
                    .unwrap_or_else(|_| panic!("input {number} panics: put it into CORPUS"));
                *ends.entry(end).or_default() += 1;
            }
        })
    });
    let mut ends = std::collections::BTreeMap::<&str, u64>::new();
    for worker in workers.collect::<Vec<_>>() {
        for (end, number) in worker.await.unwrap() {
            *ends.entry(end).or_default() += number;
        }
    }
    assert_eq!(ends.values().sum::<u64>(), INPUTS);
    // It shows something only where all depths are reached.
    for (end, least) in [("refused", 1_000), ("trapped", 1_000), ("ran", 5)] {
        let number = ends.get(end).copied().unwrap_or_default();
        assert!(number >= least, "too few {end}: {ends:?}");
    }
}
