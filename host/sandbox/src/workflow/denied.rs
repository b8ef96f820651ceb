//! What an instance imports but may not use: every call is a trap that says so.
//!
//! Language runtimes import more than a program uses, so an import alone is no offence.

use tenterhook_domain::Code;
use wasmtime::{
    Engine,
    component::{
        Component, Linker, LinkerInstance, Resource, ResourceType,
        types::{ComponentInstance, ComponentItem},
    },
};

use super::state::WorkflowState;
use crate::{
    fault::Refusal,
    generated::workflow::wasi::io::{
        error::Error as IoError,
        poll::Pollable,
        streams::{InputStream, OutputStream},
    },
    outline::interface_of,
};

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

/// The interface and name of a resource, and what it is on the host.
type SharedResource = (&'static str, &'static str, fn() -> ResourceType);

/// Resources of offered interfaces, which denied interfaces may mention under names of their own.
const RESOURCES: &[SharedResource] = &[
    ("wasi:io/error", "error", ResourceType::host::<IoError>),
    ("wasi:io/poll", "pollable", ResourceType::host::<Pollable>),
    (
        "wasi:io/streams",
        "input-stream",
        ResourceType::host::<InputStream>,
    ),
    (
        "wasi:io/streams",
        "output-stream",
        ResourceType::host::<OutputStream>,
    ),
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
    let known = known_resources(&engine, component);
    for (name, import) in component.component_type().imports(&engine) {
        if offered.contains(&interface_of(name)) {
            continue;
        }
        match import.ty {
            ComponentItem::ComponentInstance(instance) => {
                let mut into = linker.instance(name)?;
                deny_instance(&mut into, name, &instance, &known, sentence)?;
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

/// Resources that a component's denied interfaces share with the offered ones.
struct Known {
    engine: Engine,
    resources: Vec<(ResourceType, ResourceType)>,
}

fn known_resources(engine: &Engine, component: &Component) -> Known {
    let mut resources = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            continue;
        };
        for (interface, resource, ours) in RESOURCES {
            if interface_of(name) != *interface {
                continue;
            }
            let export = instance.get_export(engine, resource);
            if let Some(ComponentItem::Resource(theirs)) = export.map(|export| export.ty) {
                // `wasi:io/streams` mentions `error` of `wasi:io/error`: the same type, found once is enough.
                resources.push((theirs, ours()));
            }
        }
    }
    Known {
        engine: engine.clone(),
        resources,
    }
}

fn deny_instance<T: Send + 'static>(
    linker: &mut LinkerInstance<'_, T>,
    interface: &str,
    instance: &ComponentInstance,
    known: &Known,
    sentence: fn(&str) -> String,
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(&known.engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => {
                deny_function(linker, name, format!("{interface}#{name}"), sentence)?;
            }
            ComponentItem::Resource(resource) => {
                let ours = known
                    .resources
                    .iter()
                    .find(|(theirs, _)| *theirs == resource);
                let ours = ours.map_or_else(ResourceType::host::<Nothing>, |(_, ours)| *ours);
                linker.resource(name, ours, |_, _| Ok(()))?;
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
