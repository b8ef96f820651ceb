//! `#[activities]`: the functions of a struct that have `#[activity]` become activities, and the struct their group.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, ImplItem, ImplItemFn, Item, ItemImpl, Type};

use crate::activity::{call, handle};
use crate::function::{Attributes, Function, Place, error, hygienic};
use crate::options::Options;

/// One activity of the group.
struct Member {
    facts: Function,
    /// The handle, which stands beside the `impl`.
    handle: TokenStream,
}

pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !options.is_empty() {
        return Err(error(
            options,
            "`#[activities]` has no options: give them to `#[activity]` on the functions",
        ));
    }
    let mut block = match syn::parse2::<Item>(item)? {
        Item::Impl(block) => block,
        other => {
            return Err(error(
                &other,
                "`#[activities]` stands on the `impl` of a struct; a function has `#[activity]`",
            ));
        }
    };
    let group = plain(&block)?;
    let mut members = Vec::new();
    let mut items = Vec::new();
    for item in std::mem::take(&mut block.items) {
        match item {
            ImplItem::Fn(mut function) => match take_attribute(&mut function.attrs)? {
                None => items.push(quote!(#function)),
                Some(attribute) => {
                    let (member, methods) = member(&group, function, &attribute)?;
                    members.push(member);
                    items.push(methods);
                }
            },
            other => items.push(quote!(#other)),
        }
    }
    if members.is_empty() {
        return Err(error(
            &block.self_ty,
            "there is no activity here: write `#[activity]` on those functions that are activities",
        ));
    }
    let attributes = &block.attrs;
    let handles: Vec<_> = members.iter().map(|member| &member.facts.handle).collect();
    let definitions = members.iter().map(|member| &member.handle);
    Ok(quote! {
        #(#attributes)*
        impl #group {
            #(#items)*
        }

        #(#definitions)*

        impl ::tenterhook_sdk::ActivitySet for #group {
            const ENTRIES: &'static [::tenterhook_sdk::__private::ActivityEntry] =
                &[#(::tenterhook_sdk::__private::ActivityEntry::of::<#handles>()),*];
        }
    })
}

/// The struct, if it is one that can be made out of nothing.
fn plain(block: &ItemImpl) -> syn::Result<Type> {
    if let Some((_, of, _)) = &block.trait_ {
        return Err(error(
            of,
            "`#[activities]` stands on the struct's own `impl`, not on that of a trait",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(error(
            &block.generics,
            "a group of activities is one type: remove the generics",
        ));
    }
    Ok(block.self_ty.as_ref().clone())
}

/// Takes `#[activity]` out of a function's attributes.
fn take_attribute(attributes: &mut Vec<Attribute>) -> syn::Result<Option<Attribute>> {
    let is_activity = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == "activity")
    };
    let Some(at) = attributes.iter().position(is_activity) else {
        return Ok(None);
    };
    let found = attributes.remove(at);
    match attributes.iter().find(|attribute| is_activity(attribute)) {
        None => Ok(Some(found)),
        Some(second) => Err(error(second, "one `#[activity]` is enough")),
    }
}

/// The function under a name of its own, and the call under its name; beside them the handle.
fn member(
    group: &Type,
    function: ImplItemFn,
    attribute: &Attribute,
) -> syn::Result<(Member, TokenStream)> {
    let facts = Function::read(&function.sig, Options::of(attribute)?, Place::Method)?;
    let attributes = Attributes::sort(function.attrs);
    let (ctx, input) = (hygienic("ctx"), hygienic("input"));
    let inner = format_ident!("__activity_{}", function.sig.ident);
    let me = facts
        .on_self
        .then(|| quote!(&<#group as ::core::default::Default>::default(),));
    let passed = facts.input.as_ref().map(|_| quote!(, #input));
    let body = quote! {
        let _ = &#input;
        <#group>::#inner(#me #ctx #passed)
    };
    let handle = handle(&facts, &attributes, &function.vis, &body);
    let call = call(&facts, &attributes, &function.vis, &function.sig);
    let mut signature = function.sig;
    signature.ident = inner;
    let (others, conditions, block) = (&attributes.others, &attributes.conditions, &function.block);
    let methods = quote! {
        #(#others)*
        #(#conditions)*
        #[doc(hidden)]
        #signature #block

        #call
    };
    Ok((Member { facts, handle }, methods))
}
