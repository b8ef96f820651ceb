//! What `plugin!` becomes: the component's two exports of ours, and Temporal's.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, Path};

use super::{Plugin, Workflow, last};

pub(super) fn expand(plugin: &Plugin) -> TokenStream {
    let describe = describe(plugin);
    let execute = execute(plugin);
    let workflows: Vec<_> = plugin.workflows.iter().map(|row| &row.path).collect();
    let module = (!workflows.is_empty()).then(|| {
        quote! {
            #[cfg(target_arch = "wasm32")]
            ::tenterhook_sdk::temporalio_workflow::export_workflow_module!([#(#workflows),*]);
        }
    });
    quote! {
        const _: () = {
            struct TenterhookPlugin;

            #describe
            #execute

            #[cfg(target_arch = "wasm32")]
            ::tenterhook_sdk::__private::export!(
                TenterhookPlugin with_types_in ::tenterhook_sdk::__private::generated
            );

            // Natively nobody calls it; say that it is wanted all the same.
            #[cfg(not(target_arch = "wasm32"))]
            const _: ::tenterhook_sdk::__private::Exports = (
                <TenterhookPlugin as ::tenterhook_sdk::__private::MetadataGuest>::describe,
                <TenterhookPlugin as ::tenterhook_sdk::__private::ActivitiesGuest>::execute,
            );
        };
        #module
    }
}

fn describe(plugin: &Plugin) -> TokenStream {
    let name = match &plugin.name {
        Some(name) => quote!(#name),
        None => quote!(::core::env!("CARGO_PKG_NAME")),
    };
    let version = match &plugin.version {
        Some(version) => quote!(#version),
        None => quote!(::core::env!("CARGO_PKG_VERSION")),
    };
    let workflows = plugin.workflows.iter().map(workflow);
    let wants = plugin.wants.as_ref().map(|wants| {
        let (http, keyvalue, config) = (&wants.http, wants.keyvalue, &wants.config);
        quote!(plugin.wants(&[#(#http),*], #keyvalue, &[#(#config),*]);)
    });
    quote! {
        impl ::tenterhook_sdk::__private::MetadataGuest for TenterhookPlugin {
            fn describe() -> ::tenterhook_sdk::__private::Plugin {
                let mut plugin = ::tenterhook_sdk::__private::PluginBuilder::new(
                    #name,
                    #version,
                    ::core::env!("CARGO_PKG_DESCRIPTION"),
                );
                #(#workflows)*
                plugin.activities(ACTIVITIES);
                #wants
                plugin.build()
            }
        }
    }
}

fn workflow(row: &Workflow) -> TokenStream {
    let Workflow {
        description,
        path,
        handlers,
    } = row;
    let handlers = handlers
        .iter()
        .map(|(kind, name)| handler(path, kind, name));
    let new = quote_spanned! {path.span()=>
        ::tenterhook_sdk::__private::WorkflowBuilder::new::<#path, _, _>
    };
    quote! {{
        #[allow(unused_mut)]
        let mut workflow = #new(#description);
        #(#handlers)*
        plugin.workflow(workflow.build());
    }}
}

/// At the handler's name, so that what is wrong with it is said there.
///
/// Temporal's macro leaves a constant of the workflow for each handler. Where there is none, the name is found in the trait
/// here, whose constant says the mend.
fn handler(path: &Path, kind: &Ident, name: &Ident) -> TokenStream {
    let mend = format!(
        "`{}` has no handler `{name}`: list the name of one of its methods with `#[signal]`, `#[query]` or `#[update]`",
        last(path)
    );
    quote_spanned! {name.span()=> {
        #[allow(dead_code, non_upper_case_globals)]
        trait Handler {
            const #name: ::tenterhook_sdk::__private::NoSuchHandler = ::core::panic!(#mend);
        }
        impl Handler for #path {}
        const _: () = {
            let _ = <#path>::#name;
        };
        workflow.#kind(<#path>::#name);
    }}
}

fn execute(plugin: &Plugin) -> TokenStream {
    let sets = plugin
        .activities
        .iter()
        .map(|path| quote_spanned!(path.span()=> ::tenterhook_sdk::__private::entries::<#path>()));
    quote! {
        const ACTIVITIES: &[&[::tenterhook_sdk::__private::ActivityEntry]] = &[#(#sets),*];
        const _: () = ::tenterhook_sdk::__private::assert_distinct(ACTIVITIES);

        impl ::tenterhook_sdk::__private::ActivitiesGuest for TenterhookPlugin {
            fn execute(
                task: ::tenterhook_sdk::__private::Task,
            ) -> ::core::result::Result<
                ::core::option::Option<::tenterhook_sdk::__private::Payload>,
                ::tenterhook_sdk::__private::Failure,
            > {
                ::tenterhook_sdk::__private::execute(ACTIVITIES, task)
            }
        }
    }
}
