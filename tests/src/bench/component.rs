//! The sandbox alone: loading a component, starting instances, stepping them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use tempfile::TempDir;
use temporalio_protos::coresdk::workflow_activation::{
    WorkflowActivation, workflow_activation_job::Variant,
};
use tenterhook_domain::{
    Digest, PluginName, Scope,
    context::{ContextKey, ContextKeys},
    lane::Naming,
    limit::Limits,
};
use tenterhook_sandbox::{
    ActivityAccess, ActivityHost, ActivityModule, ActivityTask, Cancellation, LoadedComponent,
    Owner, Payload, Sandbox, SandboxConfig,
};
use tenterhook_workflow::{Pin, Run, RunIdentity, guest::Module};

use super::{
    Plan,
    native::NAMESPACE,
    recording::Recordings,
    replay,
    stage::{PLUGIN, Side},
    starter::Workload,
};

/// Longest that an attempt of `Noop` may take.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(10);

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
    /// The end of an instance: its memory goes back to the system.
    pub end: Vec<Duration>,
    /// An activity attempt: a fresh instance, its answer, and its end.
    pub attempt: Vec<Duration>,
}

/// The bench plugin's workflows, loaded as the host loads them.
pub struct Guest {
    module: Arc<dyn Module>,
    limits: Arc<Limits>,
    keys: Arc<ContextKeys>,
    owner: Arc<Owner>,
    activities: Option<Arc<ActivityModule>>,
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
        let (owner, limits) = (Arc::new(owner), Arc::new(Limits::default()));
        let module = loaded.workflows(limits.clone(), owner.clone());
        Ok(Self {
            module: module.context("the bench plugin has no workflows")?,
            limits,
            keys: Arc::new(ContextKeys::new(
                ContextKey::new("bench", [7; 32]),
                Vec::new(),
            )),
            owner,
            activities: loaded.activities(),
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
            moves: 0,
            namespace: NAMESPACE.to_owned(),
            task_queue: "bench".to_owned(),
            temporal_id: init.workflow_id.clone(),
            run_id: activation.run_id.clone(),
            pin: Pin::Unwritten,
            weight: 1,
            naming: Naming::default(),
        };
        Some(Run::new(
            identity,
            self.limits.clone(),
            self.keys.clone(),
            self.module.clone(),
        ))
    }

    /// Makes one attempt of `Noop` in a fresh instance, as the host makes it.
    ///
    /// # Errors
    /// When the activity fails.
    pub async fn attempt(&self) -> anyhow::Result<()> {
        let module = self
            .activities
            .as_ref()
            .context("the bench plugin has no activities")?;
        let payload = Payload {
            metadata: vec![("encoding".to_owned(), b"json/plain".to_vec())],
            data: b"1".to_vec(),
        };
        let task = ActivityTask {
            activity_type: "Noop".to_owned(),
            input: vec![payload.clone()],
            ..ActivityTask::default()
        };
        let access = ActivityAccess {
            owner: self.owner.clone(),
            limits: self.limits.clone(),
            grants: Arc::default(),
            wants: Arc::default(),
            config: Arc::default(),
            weight: 1,
        };
        let answer = module
            .execute(task, access, Arc::new(Nobody), ATTEMPT_WITHIN)
            .await;
        let answer = answer.map_err(|fault| anyhow::anyhow!("the attempt died: {fault:?}"))?;
        let result =
            answer.map_err(|failure| anyhow::anyhow!("the attempt failed: {failure:?}"))?;
        anyhow::ensure!(result == Some(payload), "Noop answered {result:?}");
        Ok(())
    }
}

/// Whom an attempt of the bench reports to.
struct Nobody;

impl ActivityHost for Nobody {
    fn heartbeat(&self, _: Vec<Payload>) {}

    fn cancelled(&self) -> Option<Cancellation> {
        None
    }
}

fn sandbox(folder: &TempDir) -> anyhow::Result<Arc<Sandbox>> {
    Ok(Sandbox::new(SandboxConfig {
        aot_dir: folder.path().join("compiled"),
        keyvalue: None,
        secrets: None,
        resolver: None,
        outbound_connections: 100,
        memory_bytes: u64::MAX,
        tally: Arc::new(()),
        workflow_instances: 1_000,
        activity_instances: 100,
        compiler: None,
        share: None,
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
    let mut attempt = Vec::new();
    for _ in 0..instances {
        let began = Instant::now();
        guest.attempt().await?;
        attempt.push(began.elapsed());
    }
    let [start, step, end] = tokio::task::spawn_blocking(move || {
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
        end,
        attempt,
    })
}

/// Times of starts, steps and ends.
fn steps(
    guest: &Guest,
    activations: &[WorkflowActivation],
    instances: usize,
) -> anyhow::Result<[Vec<Duration>; 3]> {
    let (mut start, mut step, mut end) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..instances {
        let mut live: Option<Run> = None;
        for activation in activations {
            let activation = activation.clone();
            let began = Instant::now();
            let begun = guest.run(&activation);
            let begins = begun.is_some();
            let run = live.take().or(begun);
            let mut run = run.context("the recording does not begin with a start")?;
            std::hint::black_box(run.activate(activation));
            let times = if begins { &mut start } else { &mut step };
            times.push(began.elapsed());
            anyhow::ensure!(!run.is_dead(), "the guest does not take the recorded steps");
            live = Some(run);
        }
        let began = Instant::now();
        drop(live);
        end.push(began.elapsed());
    }
    Ok([start, step, end])
}
