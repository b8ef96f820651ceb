//! A component that is compiled and linked, ready to make instances.

use std::{fmt, sync::Arc};

use tenterhook_domain::{Code, Digest, Error, Result, limit::Limits};
use tenterhook_workflow::guest::Module;
use wasmtime::component::Component;

use crate::{
    activity::{self, ActivityModule, ActivityState},
    aot::Compiled,
    capability::Shared,
    engine::Kind,
    generated::{activity::ActivityPre, workflow::WorkflowPre},
    owner::Owner,
    workflow::{self, WorkflowState},
};

/// Compiled code of one release, shared by every instance of it.
pub struct LoadedComponent {
    digest: Digest,
    workflow: Option<WorkflowPre<WorkflowState>>,
    activity: Option<Arc<ActivityModule>>,
    shared: Arc<Shared>,
}

impl LoadedComponent {
    /// Links what was compiled.
    ///
    /// # Errors
    /// `component-import-unknown` or `component-export-invalid` when an interface has other types than ours.
    pub(crate) fn link(
        digest: Digest,
        compiled: Compiled,
        shared: &Arc<Shared>,
        linkers: &Linkers,
    ) -> Result<Self> {
        let mut loaded = Self {
            digest,
            workflow: None,
            activity: None,
            shared: shared.clone(),
        };
        for (kind, component) in compiled {
            match kind {
                Kind::Workflow => loaded.workflow = Some(linkers.workflow(&component)?),
                Kind::Activity => {
                    let pre = linkers.activity(&component)?;
                    loaded.activity = Some(Arc::new(ActivityModule::new(pre, shared.clone())));
                }
            }
        }
        Ok(loaded)
    }

    /// The release it is.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its workflows, for `owner` within `limits`; `None` if it has none.
    pub fn workflows(&self, limits: Arc<Limits>, owner: Arc<Owner>) -> Option<Arc<dyn Module>> {
        let pre = self.workflow.clone()?;
        let shared = self.shared.clone();
        let module = workflow::WorkflowModule::new(pre, limits, owner, shared);
        Some(Arc::new(module))
    }

    /// Its activities; `None` if it has none.
    pub fn activities(&self) -> Option<Arc<ActivityModule>> {
        self.activity.clone()
    }

    /// What instances of all components share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn workflow_pre(&self) -> Option<&WorkflowPre<WorkflowState>> {
        self.workflow.as_ref()
    }
}

impl fmt::Debug for LoadedComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedComponent")
            .field("digest", &self.digest)
            .field("workflows", &self.workflow.is_some())
            .field("activities", &self.activity.is_some())
            .finish()
    }
}

/// The linkers that every component starts from, made once.
pub(crate) struct Linkers {
    workflow: wasmtime::component::Linker<WorkflowState>,
    activity: wasmtime::component::Linker<ActivityState>,
}

impl Linkers {
    pub(crate) fn new(engines: &crate::engine::Engines) -> Result<Self> {
        let failed = |error: wasmtime::Error| {
            Error::new(Code::Internal, "the host's interfaces cannot be linked").caused_by(error)
        };
        Ok(Self {
            workflow: workflow::linker(engines.of(Kind::Workflow)).map_err(failed)?,
            activity: activity::linker(engines.of(Kind::Activity)).map_err(failed)?,
        })
    }

    fn workflow(&self, component: &Component) -> Result<WorkflowPre<WorkflowState>> {
        let mut linker = self.workflow.clone();
        workflow::deny_rest(&mut linker, component).map_err(import_invalid)?;
        let pre = linker.instantiate_pre(component).map_err(import_invalid)?;
        WorkflowPre::new(pre).map_err(export_invalid)
    }

    fn activity(&self, component: &Component) -> Result<ActivityPre<ActivityState>> {
        let mut linker = self.activity.clone();
        activity::deny_rest(&mut linker, component).map_err(import_invalid)?;
        let pre = linker.instantiate_pre(component).map_err(import_invalid)?;
        ActivityPre::new(pre).map_err(export_invalid)
    }
}

fn import_invalid(error: wasmtime::Error) -> Error {
    Error::new(
        Code::ComponentImportUnknown,
        format!("an import of the component has other types than the host offers: {error:#}"),
    )
}

fn export_invalid(error: wasmtime::Error) -> Error {
    Error::new(
        Code::ComponentExportInvalid,
        format!("an export of the component has other types than the host calls: {error:#}"),
    )
}
