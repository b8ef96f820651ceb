//! Asks a component what it is: `list-workflows` and `metadata.describe`, on a fresh instance that can do nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tenterhook_domain::{
    Code, Error, Result, component::WantedGrants, grant::Grants, limit::Limits,
};
use tenterhook_workflow::guest::{Fault, Moment};
use tokio::runtime::Handle;
use wasmtime::{
    AsContextMut,
    component::{Instance, Lift, TypedFunc},
};

use super::DESCRIBE_MILLIS;
use crate::{
    activity::{ActivityAccess, ActivityHost, ActivityModule, Cancellation, Payload},
    capability::Shared,
    component::LoadedComponent,
    fault::{self, Work},
    generated::{
        metadata::exports::tenterhook::plugin::metadata::Plugin,
        workflow::{
            WorkflowIndices, WorkflowPre, temporal::workflow_runtime::types::WorkflowDefinition,
        },
    },
    guest_log::Subject,
    outline::METADATA,
    owner::Owner,
    sandbox::aside,
    workflow::{self, WorkflowState},
};

/// Some moment in 2020: a component may look at the clock while it describes itself.
const MOMENT: Moment = Moment {
    time_nanos: 1_577_836_800_000_000_000,
    replaying: false,
    seed: 1,
};

/// What a component said.
#[derive(Default)]
pub(super) struct Described {
    pub(super) workflows: Vec<WorkflowDefinition>,
    pub(super) plugin: Option<Plugin>,
}

impl Described {
    /// The input schema that the component gives for its workflow `name`, where it gives one that can be read.
    pub(super) fn input_schema(&self, name: &str) -> Option<serde_json::Value> {
        let workflows = &self.plugin.as_ref()?.workflows;
        let workflow = workflows
            .iter()
            .find(|workflow| workflow.definition.name == name)?;
        serde_json::from_str(workflow.definition.input_schema.as_ref()?).ok()
    }
}

/// Asks `loaded` what it is. `has_metadata`: it exports `metadata`.
pub(super) async fn describe(
    loaded: &LoadedComponent,
    owner: Arc<Owner>,
    limits: Arc<Limits>,
    has_metadata: bool,
) -> Result<Described> {
    if let Some(pre) = loaded.workflow_pre() {
        let (pre, shared) = (pre.clone(), loaded.shared().clone());
        let describe = move || describe_by_workflow(&pre, &owner, &limits, &shared, has_metadata);
        return aside(describe).await;
    }
    let Some(module) = loaded.activities() else {
        return Ok(Described::default());
    };
    let runtime = Handle::current();
    aside(move || runtime.block_on(describe_by_activity(&module, owner, limits))).await
}

fn describe_by_workflow(
    pre: &WorkflowPre<WorkflowState>,
    owner: &Arc<Owner>,
    limits: &Arc<Limits>,
    shared: &Shared,
    has_metadata: bool,
) -> Result<Described> {
    let asked = |error: &wasmtime::Error, last_words: &str| {
        failed(fault::of(error, Work::Activation, limits, last_words))
    };
    let mut store = workflow::store(
        pre.engine(),
        limits,
        owner,
        shared,
        Subject::Inspection,
        MOMENT,
    )
    .map_err(|error| asked(&error, ""))?;
    let answer = pre
        .instance_pre()
        .instantiate(&mut store)
        .and_then(|instance| {
            let guest = WorkflowIndices::new(pre.instance_pre())?.load(&mut store, &instance)?;
            let workflows = guest
                .temporal_workflow_runtime_workflow_guest()
                .call_list_workflows(&mut store)?;
            let plugin = if has_metadata {
                let (plugin,) = describe_func(&mut store, &instance)?.call(&mut store, ())?;
                Some(plugin)
            } else {
                None
            };
            Ok(Described { workflows, plugin })
        });
    store.data_mut().log.end();
    answer.map_err(|error| asked(&error, &store.data().log.last_words()))
}

async fn describe_by_activity(
    module: &ActivityModule,
    owner: Arc<Owner>,
    limits: Arc<Limits>,
) -> Result<Described> {
    let access = ActivityAccess {
        owner,
        limits: limits.clone(),
        grants: Arc::new(Grants::default()),
        wants: Arc::new(WantedGrants::default()),
        config: Arc::new(BTreeMap::new()),
        weight: 1,
    };
    let mut store = module.store(
        &access,
        Subject::Inspection,
        Arc::new(NoHost),
        module.shared().memory.nothing(),
    );
    let log = store.data().log.clone();
    let ask = async {
        let instance = module
            .pre()
            .instance_pre()
            .instantiate_async(&mut store)
            .await?;
        let describe = describe_func(&mut store, &instance)?;
        let (plugin,) = describe.call_async(&mut store, ()).await?;
        Ok(plugin)
    };
    let asked = tokio::time::timeout(Duration::from_millis(DESCRIBE_MILLIS), ask).await;
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.end();
    match asked {
        Ok(Ok(plugin)) => Ok(Described {
            workflows: Vec::new(),
            plugin: Some(plugin),
        }),
        Ok(Err(error)) => Err(failed(fault::of(
            &error,
            Work::Attempt,
            &limits,
            &log.last_words(),
        ))),
        Err(_) => Err(Error::new(
            Code::ComponentMetadataInvalid,
            format!("the component did not describe itself within {DESCRIBE_MILLIS} ms"),
        )),
    }
}

/// `describe` of the instance's `metadata`.
fn describe_func(
    mut store: impl AsContextMut,
    instance: &Instance,
) -> wasmtime::Result<TypedFunc<(), (Plugin,)>>
where
    Plugin: Lift,
{
    let missing = || wasmtime::format_err!("the component has no {METADATA}#describe");
    let interface = instance
        .get_export_index(&mut store, None, METADATA)
        .ok_or_else(missing)?;
    let describe = instance
        .get_export_index(&mut store, Some(&interface), "describe")
        .ok_or_else(missing)?;
    instance.get_typed_func(&mut store, describe)
}

fn failed(fault: Fault) -> Error {
    let detail = match fault {
        // No word about the component: it is looked at again.
        Fault::Dead { code, message } if code == Code::HostMemoryTaken => {
            return Error::new(code, message);
        }
        Fault::Dead { code, message } => format!("{message} ({code})"),
        Fault::Failure(_) => "it answered with a failure".to_owned(),
    };
    Error::new(
        Code::ComponentMetadataInvalid,
        format!("the component cannot say what it is: {detail}"),
    )
}

/// There is no attempt behind a description.
struct NoHost;

impl ActivityHost for NoHost {
    fn heartbeat(&self, _: Vec<Payload>) {}

    fn cancelled(&self) -> Option<Cancellation> {
        None
    }
}
