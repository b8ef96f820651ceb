//! What is uploaded: each input comes from its number alone.

use wasm_smith::{Config, MemoryOffsetChoices, Module};

use crate::{guest, handmade};

/// Arbitrary code is made of so many arbitrary bytes.
const BYTES: usize = 2_048;
/// Most breaks of a real component.
const BREAKS_MAX: usize = 8;
/// Most bytes of one break.
const BREAK_BYTES_MAX: usize = 64;
/// Every so many inputs a large real component is broken: what of those compiles takes long.
const LARGE_EVERY: u64 = 125;
/// Of the other broken components every so many is a real one that is small.
const SMALL_EVERY: u64 = 3;

/// Components of a toolchain, without the SDK: small.
const SMALL: [&str; 3] = ["test-garbage", "test-lying-metadata", "test-unknown-import"];
/// Whole plugins.
const LARGE: [&str; 8] = [
    "test-stamp",
    "test-native-sdk",
    "test-std",
    "test-hostile",
    "test-workflows",
    "test-languages",
    "payment",
    "listing",
];

/// Where inputs come from.
pub(super) struct Source {
    made: [Vec<u8>; 2],
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

impl Source {
    pub(super) fn new() -> Self {
        Self {
            made: [
                handmade::Workflow::default().component(),
                handmade::Activity::default().component(),
            ],
            small: SMALL.map(guest).to_vec(),
            large: LARGE.map(guest).to_vec(),
        }
    }

    /// The input of `number`.
    pub(super) fn input(&self, number: u64) -> Vec<u8> {
        let mut chance = fastrand::Rng::with_seed(number);
        if number % LARGE_EVERY == LARGE_EVERY - 1 {
            return broken(&self.large, &mut chance);
        }
        match number % 4 {
            0 => arbitrary_component(&mut chance).unwrap_or_default(),
            1 | 2 => arbitrary_plugin(&mut chance).unwrap_or_default(),
            _ if (number / 4).is_multiple_of(SMALL_EVERY) => broken(&self.small, &mut chance),
            _ => broken(&self.made, &mut chance),
        }
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

/// One of `whole` with some of its bytes changed, left out, said twice, or said in another place.
fn broken(whole: &[Vec<u8>], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = whole[chance.usize(..whole.len())].clone();
    for _ in 0..=chance.usize(..BREAKS_MAX) {
        let at = chance.usize(..bytes.len());
        let to = (at + chance.usize(1..=BREAK_BYTES_MAX)).min(bytes.len());
        match chance.u8(..5) {
            0 => bytes[at] = chance.u8(..),
            1 => bytes[at] ^= 1 << chance.u8(..8),
            2 => drop(bytes.drain(at..to)),
            3 => {
                let place = chance.usize(..=bytes.len() - (to - at));
                bytes.copy_within(at..to, place);
            }
            _ => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}
