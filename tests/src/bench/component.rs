//! The sandbox alone: loading a component, starting instances, stepping them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tempfile::TempDir;
use temporalio_protos::coresdk::workflow_activation::{
    WorkflowActivation, workflow_activation_job::Variant,
};
use tenterhook_domain::{
    Digest, PluginName, Scope,
    context::{ContextKey, ContextKeys},
    limit::Limits,
};
use tenterhook_sandbox::{LoadedComponent, Owner, Sandbox, SandboxConfig};
use tenterhook_workflow::{Pin, Run, RunIdentity, guest::Module};

use super::{
    Plan,
    native::NAMESPACE,
    recording::Recordings,
    replay,
    stage::{PLUGIN, Side},
    starter::Workload,
};

/// What the sandbox alone costs.
#[derive(Debug, Clone)]
pub struct Component {
    /// Size of the component.
    pub bytes: usize,
    /// Compiled from bytes.
    pub cold: Vec<Duration>,
    /// From compiled code on disk, in a new sandbox.
    pub compiled: Vec<Duration>,
    /// A run from nothing to its first commands, translation included.
    pub start: Vec<Duration>,
    /// A run from one activity's result to the next command, translation included.
    pub step: Vec<Duration>,
}

/// The bench plugin's workflows, loaded as the host loads them.
pub struct Guest {
    module: Arc<dyn Module>,
    limits: Arc<Limits>,
    keys: Arc<ContextKeys>,
    owner: Owner,
    _sandbox: Arc<Sandbox>,
    _folder: TempDir,
}

impl Guest {
    /// Loads `component`.
    ///
    /// # Errors
    /// When it cannot be loaded or has no workflows.
    pub async fn load(component: &[u8]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let sandbox = sandbox(&folder)?;
        let loaded = load(&sandbox, component).await?;
        let scope = Scope::new(Side::Host.name().parse()?, "production".parse()?);
        let owner = Owner {
            scope,
            plugin: PLUGIN.parse::<PluginName>()?,
            digest: loaded.digest(),
        };
        let limits = Arc::new(Limits::default());
        let module = loaded.workflows(limits.clone(), Arc::new(owner.clone()));
        Ok(Self {
            module: module.ok_or_else(|| anyhow::anyhow!("the bench plugin has no workflows"))?,
            limits,
            keys: Arc::new(ContextKeys::new(
                ContextKey::new("bench", [7; 32]),
                Vec::new(),
            )),
            owner,
            _sandbox: sandbox,
            _folder: folder,
        })
    }

    /// The run that `activation` begins, as the host's lane makes it; none if it begins none.
    pub fn run(&self, activation: &WorkflowActivation) -> Option<Run> {
        let init = activation.jobs.iter().find_map(|job| match &job.variant {
            Some(Variant::InitializeWorkflow(init)) => Some(init),
            _ => None,
        })?;
        let identity = RunIdentity {
            scope: self.owner.scope.clone(),
            plugin: self.owner.plugin.clone(),
            digest: self.owner.digest,
            namespace: NAMESPACE.to_owned(),
            task_queue: "bench".to_owned(),
            temporal_id: init.workflow_id.clone(),
            run_id: activation.run_id.clone(),
            pin: Pin::Marked,
        };
        Some(Run::new(
            identity,
            self.limits.clone(),
            self.keys.clone(),
            self.module.clone(),
        ))
    }
}

fn sandbox(folder: &TempDir) -> anyhow::Result<Arc<Sandbox>> {
    Ok(Sandbox::new(SandboxConfig {
        aot_dir: folder.path().join("compiled"),
        keyvalue: None,
    })?)
}

async fn load(sandbox: &Sandbox, component: &[u8]) -> anyhow::Result<Arc<LoadedComponent>> {
    let bytes = Bytes::copy_from_slice(component);
    Ok(sandbox
        .load(Digest::of(component), async { Ok(bytes) })
        .await?)
}

/// Measures loads, then starts and steps of the short history's activations.
///
/// # Errors
/// When the component does not load, or a run does not take the recorded steps.
pub async fn measure(plan: &Plan, recordings: &Recordings) -> anyhow::Result<Component> {
    let component = &recordings.component;
    let (mut cold, mut compiled) = (Vec::new(), Vec::new());
    for _ in 0..plan.loads {
        let folder = tempfile::tempdir()?;
        for times in [&mut cold, &mut compiled] {
            let sandbox = sandbox(&folder)?;
            let began = Instant::now();
            load(&sandbox, component).await?;
            times.push(began.elapsed());
        }
    }
    let guest = Guest::load(component).await?;
    let recorded = recordings.of(Side::Host, Workload::Ten)?.clone();
    let instances = plan.instances;
    let (start, step) = tokio::task::spawn_blocking(move || {
        let activations = replay::activations(&guest, &recorded)?;
        steps(&guest, &activations, instances)
    })
    .await??;
    Ok(Component {
        bytes: component.len(),
        cold,
        compiled,
        start,
        step,
    })
}

type Times = Vec<Duration>;

fn steps(
    guest: &Guest,
    activations: &[WorkflowActivation],
    instances: usize,
) -> anyhow::Result<(Times, Times)> {
    let (mut start, mut step) = (Vec::new(), Vec::new());
    for _ in 0..instances {
        let mut live: Option<Run> = None;
        for activation in activations {
            let activation = activation.clone();
            let began = Instant::now();
            let begun = guest.run(&activation);
            let begins = begun.is_some();
            let run = live.take().or(begun);
            let mut run =
                run.ok_or_else(|| anyhow::anyhow!("the recording does not begin with a start"))?;
            std::hint::black_box(run.activate(activation));
            let times = if begins { &mut start } else { &mut step };
            times.push(began.elapsed());
            anyhow::ensure!(!run.is_dead(), "the guest does not take the recorded steps");
            live = Some(run);
        }
    }
    Ok((start, step))
}
