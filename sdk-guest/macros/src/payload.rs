//! What `#[payload]` expands to: serde's and schemars' derives, and a way to decode that is in a component once.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::{Data, DeriveInput, Fields};

use crate::function::error;

pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !options.is_empty() {
        return Err(syn::Error::new_spanned(
            options,
            "`#[payload]` takes nothing: say how fields are written by `#[serde(…)]` below it",
        ));
    }
    let item: DeriveInput = syn::parse2(item)?;
    if matches!(item.data, Data::Union(_)) {
        return Err(error(&item.ident, "a union has no JSON: make it an enum"));
    }
    if !item.generics.params.is_empty() {
        return Err(error(
            &item.generics,
            "`#[payload]` takes types without parameters: derive `Serialize`, `Deserialize` and `JsonSchema` instead",
        ));
    }
    let name = &item.ident;
    let source = source(&item);
    Ok(quote! {
        #[derive(
            ::tenterhook_sdk::__private::serde::Serialize,
            ::tenterhook_sdk::__private::serde::Deserialize,
            ::tenterhook_sdk::__private::schemars::JsonSchema,
        )]
        // What is derived for "Self" is a pair of functions, and not the traits.
        #[serde(crate = "::tenterhook_sdk::__private::serde", remote = "Self")]
        #[schemars(crate = "::tenterhook_sdk::__private::schemars")]
        #item

        const _: () = {
            use ::tenterhook_sdk::__private::{serde, serde_json};

            impl serde::Serialize for #name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    #name::serialize(self, serializer)
                }
            }

            impl<'de> serde::Deserialize<'de> for #name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    let value = <serde_json::Value as serde::Deserialize>::deserialize(deserializer)?;
                    from_json(value).map_err(serde::de::Error::custom)
                }
            }

            // Once, whatever was decoded from.
            #[inline(never)]
            fn from_json(value: serde_json::Value) -> ::core::result::Result<#name, serde_json::Error> {
                #name::deserialize(#source)
            }
        };
    })
}

/// What a type is decoded from: its fields if it has names for them, for serde would also take them from an array, by
/// their order, and the code for that is a third of what decodes a struct.
fn source(item: &DeriveInput) -> TokenStream {
    match &item.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) && !is_transparent(item) => {
            let name = item.ident.to_string();
            quote!(::tenterhook_sdk::__private::fields(value, #name)?)
        }
        _ => quote!(value),
    }
}

/// Whether `#[serde(transparent)]` writes the one field in place of the struct.
fn is_transparent(item: &DeriveInput) -> bool {
    let attributes = item.attrs.iter();
    attributes
        .filter(|attribute| attribute.path().is_ident("serde"))
        .filter_map(|attribute| attribute.meta.require_list().ok())
        .flat_map(|list| list.tokens.clone())
        .any(|token| matches!(token, TokenTree::Ident(word) if word == "transparent"))
}
