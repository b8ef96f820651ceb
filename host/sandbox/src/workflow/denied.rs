//! What an instance imports but may not use: every call is a trap that says so.
//!
//! Language runtimes import more than a program uses, so an import alone is no offence.

use tenterhook_domain::Code;
use wasmtime::component::{
    Component, Linker, LinkerInstance, Resource, ResourceType,
    types::{ComponentInstance, ComponentItem},
};

use super::state::WorkflowState;
use crate::{fault::Refusal, outline::interface_of};

/// Interfaces that [`super::linker`] offers.
const OFFERED: &[&str] = &[
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:logging/logging",
    "wasi:filesystem/preopens",
    "temporal:workflow-runtime/workflow-host",
    "temporal:workflow-runtime/types",
];

/// Stands for any resource of a denied interface; there never is one.
pub(crate) struct Nothing;

/// Offers `wasi:filesystem/preopens`, which language runtimes ask at their start: there are no folders.
pub(super) fn add_preopens(linker: &mut Linker<WorkflowState>) -> wasmtime::Result<()> {
    linker
        .instance("wasi:filesystem/preopens@0.2.12")?
        .func_wrap("get-directories", |_, (): ()| {
            Ok((Vec::<(Resource<Nothing>, String)>::new(),))
        })
}

/// Denies what `component` imports beyond what workflows are offered.
pub(crate) fn deny_rest(
    linker: &mut Linker<WorkflowState>,
    component: &Component,
) -> wasmtime::Result<()> {
    deny(linker, component, OFFERED, |name| {
        format!(
            "workflow code called {name}: a workflow must repeat exactly, so it may not reach outside. Do it in an \
             activity"
        )
    })
}

/// Denies what `component` imports beyond `offered`; `sentence` is what a caller of a function is told.
pub(crate) fn deny<T: Send + 'static>(
    linker: &mut Linker<T>,
    component: &Component,
    offered: &[&str],
    sentence: fn(&str) -> String,
) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        if offered.contains(&interface_of(name)) {
            continue;
        }
        match import.ty {
            ComponentItem::ComponentInstance(instance) => {
                let mut into = linker.instance(name)?;
                deny_instance(&mut into, &engine, name, &instance, sentence)?;
            }
            ComponentItem::ComponentFunc(_) => {
                deny_function(&mut linker.root(), name, name.to_owned(), sentence)?;
            }
            // Types need no definition, and modules or components as imports are refused at upload.
            _ => {}
        }
    }
    Ok(())
}

fn deny_instance<T: Send + 'static>(
    linker: &mut LinkerInstance<'_, T>,
    engine: &wasmtime::Engine,
    interface: &str,
    instance: &ComponentInstance,
    sentence: fn(&str) -> String,
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => {
                deny_function(linker, name, format!("{interface}#{name}"), sentence)?;
            }
            ComponentItem::Resource(_) => {
                linker.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn deny_function<T: Send + 'static>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    full_name: String,
    sentence: fn(&str) -> String,
) -> wasmtime::Result<()> {
    linker.func_new(name, move |_, _, _, _| {
        Err(Refusal::new(Code::GuestCapabilityDenied, sentence(&full_name)).into())
    })
}
