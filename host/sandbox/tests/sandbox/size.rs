//! The plugins that ship are small: they are uploaded, stored and compiled by every host.

use std::{fs, path::Path};

use bytes::Bytes;

use crate::{Place, guest};

/// The most bytes of a component without workflows and activities, as `cargo xtask guests` builds it: Temporal's runtime.
const BYTES_MAX: usize = 576 * 1024;
/// The most that each workflow and each activity adds. So one of up to 12 of them is under 1 MiB.
const TYPE_BYTES_MAX: usize = 36 * 1024;

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

#[tokio::test(flavor = "multi_thread")]
async fn shipped_components_are_small_for_what_they_do() {
    let (place, shipped) = (Place::new(), shipped());
    assert!(shipped.iter().any(|name| name == "payment"), "{shipped:?}");
    for name in shipped {
        let component = guest(&name);
        let bytes = component.len();
        let (plugin, component) = (name.parse().unwrap(), Bytes::from(component));
        let described = place.sandbox.describe(&plugin, component);
        let (_, metadata) = described.await.unwrap();
        let types = metadata.workflows.len() + metadata.activities.len();
        let most = BYTES_MAX + types * TYPE_BYTES_MAX;
        assert!(
            bytes < most,
            "{name} has {bytes} bytes, and for {types} types {most} at most"
        );
    }
}
