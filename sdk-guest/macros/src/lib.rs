//! The macros of `tenterhook-sdk`, which re-exports and documents them.
//!
//! [`function`]: what a function must look like to be an activity; [`options`]: what `#[activity(…)]` takes;
//! [`activity`] and [`activities`]: what they expand to; [`plugin`]: the same for `plugin!`. Whatever can be said
//! about a misuse is said here, at the place where it stands and with the mend; what only the compiler can know
//! (a type that has no JSON) is said by the traits in `tenterhook_sdk::__private`.

mod activities;
mod activity;
mod function;
mod naming;
mod options;
mod payload;
mod plugin;

use proc_macro::TokenStream;

/// Makes an activity of a function; see `tenterhook_sdk::activity`.
#[proc_macro_attribute]
pub fn activity(options: TokenStream, item: TokenStream) -> TokenStream {
    finish(activity::expand(options.into(), item.into()))
}

/// Makes activities of the functions of a struct; see `tenterhook_sdk::activities`.
#[proc_macro_attribute]
pub fn activities(options: TokenStream, item: TokenStream) -> TokenStream {
    finish(activities::expand(&options.into(), item.into()))
}

/// Makes a struct or enum a value of inputs and results; see `tenterhook_sdk::payload`.
#[proc_macro_attribute]
pub fn payload(options: TokenStream, item: TokenStream) -> TokenStream {
    finish(payload::expand(&options.into(), item.into()))
}

/// Makes the crate a plugin; see `tenterhook_sdk::plugin`.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    finish(plugin::expand(input.into()))
}

fn finish(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
