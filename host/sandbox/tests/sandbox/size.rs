//! The plugins that ship are small: they are uploaded, stored and compiled by every host.

use std::{fs, path::Path};

use crate::guest;

/// What README promises: less than so many bytes. Temporal's runtime is half of that, a workflow or an activity 30 KiB.
const BYTES_MAX: usize = 1024 * 1024;

/// Names of plugins that ship: all folders but those of tests, benchmarks and other languages.
fn shipped() -> Vec<String> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let names = fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap());
    let names = names.filter(|entry| entry.path().join("Cargo.toml").is_file());
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| !name.starts_with("test-") && name != "bench")
        .collect()
}

#[test]
fn shipped_components_are_under_a_mebibyte() {
    let shipped = shipped();
    assert!(shipped.iter().any(|name| name == "payment"), "{shipped:?}");
    for name in shipped {
        let bytes = guest(&name).len();
        assert!(bytes < BYTES_MAX, "{name} has {bytes} bytes");
    }
}
