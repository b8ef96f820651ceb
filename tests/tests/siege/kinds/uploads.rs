//! Uploading what is no plugin, or none that may serve.

use super::{Deed, Kind, Seen};
use crate::besieger::Place;

/// More than a component may have.
const TOO_LARGE: usize = 33 * 1024 * 1024;

pub(super) fn all() -> Vec<Kind> {
    let bytes =
        |name, bytes, zeros, code| upload(name, "x", Deed::UploadsBytes(bytes, zeros), code);
    let guest = |name, code| upload(name, name, Deed::Uploads(name), code);
    vec![
        bytes(
            "upload-text",
            b"not wasm at all".as_slice(),
            0,
            "component-invalid",
        ),
        bytes(
            "upload-core",
            b"\0asm\x01\0\0\0",
            0,
            "component-is-core-module",
        ),
        bytes("upload-zeros", b"", TOO_LARGE, "component-too-large").meets("component_bytes"),
        guest("test-unknown-import", "component-import-unknown"),
        guest("test-lying-metadata", "component-metadata-invalid"),
        guest("test-two-minds", "component-not-deterministic"),
    ]
}

fn upload(name: &str, plugin: &'static str, deed: Deed, code: &'static str) -> Kind {
    Kind {
        place: Place::Plain,
        plugin,
        name: name.to_owned(),
        deed,
        seen: Seen::Refused(code),
        limit: None,
    }
}
