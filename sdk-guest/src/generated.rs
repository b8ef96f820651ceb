//! What `wit-bindgen` makes of `wit/`: the plugin's exports, and the host functions a plugin may call.
//!
//! Private: the crate re-exports by name what authors may use. `plugin!` expands in the author's crate and
//! reaches the export macro through [`crate::__private`].

#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    reason = "generated code; its unsafe blocks are the canonical ABI's loads and stores"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "tenterhook:plugin/plugin",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "tenterhook_sdk::__private::generated",
});
