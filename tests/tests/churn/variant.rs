//! Releases by the dozen from three builds: each of other bytes, so of another digest, and what its executions answer.

use serde_json::{Value, json};
use tenterhook_tests::host::guest;

/// What stands in the guest `test-stamp` for tests to replace.
const STAMP: &str = "stamp:0000000000000000000000000000";
/// The number that executions of `bench` get, and answer with.
const NUMBER: u64 = 7;

/// The plugins that are released again and again.
pub(crate) const PLUGINS: [&str; 3] = ["test-stamp", "test-pin", "bench"];

/// A component and the result of every execution on it.
#[derive(Clone)]
pub(crate) struct Variant {
    pub(crate) component: Vec<u8>,
    pub(crate) result: Value,
}

/// Variant `number` of `plugin`. A stamp is part of the code, so its executions tell every release from every other;
/// those of `test-pin` tell its two codes apart, those of `bench` nothing.
pub(crate) fn variant(plugin: &str, number: u32) -> Variant {
    match plugin {
        "test-stamp" => stamped(number),
        "test-pin" => {
            let code = 1 + number % 2;
            Variant {
                component: labelled(guest(&format!("test-pin-v{code}")).unwrap(), number),
                result: json!(format!("v{code} with activity v{code}")),
            }
        }
        _ => Variant {
            component: labelled(guest(plugin).unwrap(), number),
            result: json!(NUMBER),
        },
    }
}

/// The workflow of a plugin that the load starts, its input, and whether it waits for the signal `go`.
pub(crate) fn workflow(plugin: &str, sleeps: bool) -> (&'static str, Value, bool) {
    match plugin {
        "test-stamp" => ("test-stamp.Stamped", json!(sleeps), sleeps),
        "test-pin" => ("test-pin.Versioned", Value::Null, true),
        _ => ("bench.OneActivity", json!(NUMBER), false),
    }
}

fn stamped(number: u32) -> Variant {
    let stamp = format!("stamp:{number:028}");
    let mut component = guest("test-stamp").unwrap();
    let mut found = 0;
    let mut at = 0;
    while at + STAMP.len() <= component.len() {
        if &component[at..at + STAMP.len()] == STAMP.as_bytes() {
            component[at..at + STAMP.len()].copy_from_slice(stamp.as_bytes());
            found += 1;
            at += STAMP.len();
        } else {
            at += 1;
        }
    }
    assert_eq!(found, 1, "the stamp stands once in the component");
    Variant {
        component,
        result: json!([stamp, stamp, stamp]),
    }
}

/// The component with a custom section at its end, which changes its bytes and nothing else.
fn labelled(mut component: Vec<u8>, number: u32) -> Vec<u8> {
    let name = b"label";
    let label = number.to_le_bytes();
    // Id 0, size, length of the name, name, content; all sizes fit one byte.
    let size = u8::try_from(1 + name.len() + label.len()).unwrap();
    component.extend([0, size, u8::try_from(name.len()).unwrap()]);
    component.extend(name);
    component.extend(label);
    component
}
