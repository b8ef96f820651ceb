//! Any bytes at any place where a workflow's code hands some over: the first byte says where, the rest are the bytes.
//!
//! What must hold is held by the same function that the tests of `host/workflow` call by chance.

#![no_main]
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../../host/workflow/tests/translation/bytes.rs"]
mod bytes;
#[path = "../../host/workflow/tests/translation/scene.rs"]
mod scene;
#[path = "../../host/workflow/tests/translation/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some((place, bytes)) = input.split_first() {
        bytes::feed(*place, bytes.to_vec());
    }
});
