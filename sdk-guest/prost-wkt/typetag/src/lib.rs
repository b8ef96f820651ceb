//! `#[typetag::serde(name = "…")]`, as it stands on every `impl` that `prost-wkt-build` writes, registering nothing.

use proc_macro::TokenStream;

/// Leaves the `impl` as it is.
#[proc_macro_attribute]
pub fn serde(_name: TokenStream, item: TokenStream) -> TokenStream {
    item
}
