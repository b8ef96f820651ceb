//! `#[activity]`: a function becomes an activity, a handle for it, and a call of it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Item, ItemFn, Visibility};

use crate::function::{Attributes, Function, Place, argument_name, error, hygienic, span};
use crate::options::Options;

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = match syn::parse2::<Item>(item)? {
        Item::Fn(function) => function,
        Item::Impl(other) => {
            return Err(error(
                &other.self_ty,
                "`#[activity]` stands on functions: write `#[activities]` on the `impl`, and `#[activity]` on those of its functions that are activities",
            ));
        }
        other => {
            return Err(error(
                &other,
                "`#[activity]` stands on a function: `fn charge(ctx: &ActivityContext, input: Charge) -> Result<Charged, ActivityError>`",
            ));
        }
    };
    let facts = Function::read(&function.sig, Options::parse(options)?, Place::Free)?;
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
    } = function;
    let attributes = Attributes::sort(attrs);
    let ident = &sig.ident;
    let others = &attributes.others;
    let (ctx, input) = (hygienic("ctx"), hygienic("input"));
    let passed = facts.input.as_ref().map(|_| quote!(, #input));
    let body = quote! {
        #(#others)*
        #sig #block
        let _ = &#input;
        #ident(#ctx #passed)
    };
    let handle = handle(&facts, &attributes, &vis, &body);
    let call = call(&facts, &attributes, &vis, &sig);
    Ok(quote!(#handle #call))
}

/// The type that stands for the activity, with what the SDK and Temporal want of it. `body` runs the function, with
/// `ctx` and `input`.
pub(crate) fn handle(
    facts: &Function,
    attributes: &Attributes,
    vis: &Visibility,
    body: &TokenStream,
) -> TokenStream {
    let Function {
        handle,
        name,
        output,
        ..
    } = facts;
    let Attributes {
        docs, conditions, ..
    } = attributes;
    let description = attributes.description();
    let input_type = facts.input_type();
    let presets = facts.presets();
    let (ctx, input) = (hygienic("ctx"), hygienic("input"));
    let fits = fits(facts);
    quote! {
        #(#docs)*
        #(#conditions)*
        #[allow(dead_code)]
        #[derive(Clone, Copy, Debug, Default)]
        #vis struct #handle;

        #(#conditions)*
        const _: () = {
            impl ::tenterhook_sdk::temporalio_workflow::common::ActivityDefinition for #handle {
                type Input = #input_type;
                type Output = <#output as ::tenterhook_sdk::__private::Returned>::Value;

                fn name(&self) -> &str {
                    <Self as ::tenterhook_sdk::Activity>::NAME
                }
            }

            impl ::tenterhook_sdk::Activity for #handle {
                const NAME: &'static str = #name;
                const DESCRIPTION: &'static str = #description;
                #presets

                fn execute(
                    #ctx: &::tenterhook_sdk::ActivityContext,
                    #input: #input_type,
                ) -> ::core::result::Result<
                    <Self as ::tenterhook_sdk::temporalio_workflow::common::ActivityDefinition>::Output,
                    ::tenterhook_sdk::ActivityError,
                > {
                    #body
                }
            }

            impl ::tenterhook_sdk::ActivitySet for #handle {
                const ENTRIES: &'static [::tenterhook_sdk::__private::ActivityEntry] =
                    &[::tenterhook_sdk::__private::ActivityEntry::of::<Self>()];
            }

            #fits
        };
    }
}

/// Says of the input and the result, each at its place, what their types lack.
fn fits(facts: &Function) -> TokenStream {
    let (handle, input_type) = (&facts.handle, facts.input_type());
    let input = quote_spanned! {span(facts.input.as_ref())=>
        const _: fn() = ::tenterhook_sdk::__private::fits::<#input_type>;
    };
    let output = quote_spanned! {span(Some(&facts.output))=>
        const _: fn() = ::tenterhook_sdk::__private::fits::<
            <#handle as ::tenterhook_sdk::temporalio_workflow::common::ActivityDefinition>::Output,
        >;
    };
    quote!(#input #output)
}

/// What workflows call in place of the function.
pub(crate) fn call(
    facts: &Function,
    attributes: &Attributes,
    vis: &Visibility,
    signature: &syn::Signature,
) -> TokenStream {
    let (handle, ident) = (&facts.handle, &signature.ident);
    let Attributes {
        docs, conditions, ..
    } = attributes;
    let (parameter, argument) = match &facts.input {
        None => (quote!(), quote!(())),
        Some(input) => {
            let name = argument_name(signature);
            (quote!(#name: #input), quote!(#name))
        }
    };
    quote! {
        #(#docs)*
        #(#conditions)*
        #[allow(dead_code)]
        #vis fn #ident(#parameter) -> ::tenterhook_sdk::ActivityCall<#handle> {
            ::tenterhook_sdk::ActivityCall::new(#argument)
        }
    }
}
