//! Recorded histories through Core's replay worker: no server, so the worker alone is the limit.
//!
//! Three ways to answer the same activations: native workflow code in Temporal's SDK, the plugin in the
//! sandbox through this host's translation, and the sandbox's own answers played back, which leaves what
//! Core costs by itself. Each replays on one thread beside the one Core makes; the figure is activations a
//! second of CPU. Rounds alternate between the three.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures_util::stream;
use temporalio_client::WorkflowHistory;
use temporalio_common::worker::WorkerTaskTypes;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            WorkflowActivation, remove_from_cache::EvictionReason, workflow_activation_job::Variant,
        },
        workflow_completion::WorkflowActivationCompletion,
    },
    temporal::api::history::v1::History,
};
use temporalio_sdk::workflow_replayer::WorkflowReplayer;
use temporalio_sdk_core::{
    PollError, WorkerConfig, WorkerVersioningStrategy, init_replay_worker,
    replay::{HistoryForReplay, ReplayWorkerInput},
};
use tenterhook_workflow::Run;

use super::{
    Plan,
    component::Guest,
    native::{self, NAMESPACE},
    process::cpu_millis,
    recording::{Recorded, Recordings},
    stage::Side,
    starter::Workload,
};

/// Workflow tasks at once; a replay worker has one anyway.
const TASK_SLOTS: usize = 100;

/// Who answers the activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// Native workflow code in Temporal's SDK.
    Native,
    /// The plugin in the sandbox.
    Sandbox,
    /// Recorded answers: what Core costs by itself.
    Recorded,
}

/// What so many replays of one history came to.
#[derive(Debug, Clone)]
pub struct Replays {
    /// Who answered.
    pub answerer: Answerer,
    /// Of which workflow.
    pub workload: Workload,
    /// Events of the history.
    pub events: usize,
    /// How often it was replayed.
    pub histories: usize,
    /// Activations of all of them, evictions included.
    pub activations: usize,
    /// CPU in ms.
    pub cpu: f64,
    /// Time it took.
    pub wall: Duration,
}

/// Replays the recorded histories, each way, in alternating rounds.
///
/// # Errors
/// When a replay diverges.
pub async fn measure(plan: &Plan, recordings: Recordings) -> anyhow::Result<Vec<Replays>> {
    let guest = Guest::load(&recordings.component).await?;
    let plan = plan.clone();
    tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for workload in [Workload::Ten, Workload::Many] {
            let host = recordings.of(Side::Host, workload)?;
            let native = recordings.of(Side::Native, workload)?;
            anyhow::ensure!(
                host.tasks() == native.tasks(),
                "the two histories of {} have {} and {} workflow tasks and cannot be compared",
                workload.name(),
                host.tasks(),
                native.tasks()
            );
            let short = recordings.of(Side::Host, Workload::Ten)?.tasks();
            let times = (plan.replays * short / host.tasks()).max(1);
            for _ in 0..plan.replay_rounds {
                let sandbox = of_sandbox(&guest, host, times)?;
                all.push(of_native(native, times, sandbox.activations)?);
                all.push(sandbox);
                all.push(of_core(&guest, host, times)?);
            }
        }
        Ok(all)
    })
    .await?
}

/// The activations that Core makes of a history, without its eviction.
///
/// # Errors
/// When the replay diverges.
pub fn activations(guest: &Guest, recorded: &Recorded) -> anyhow::Result<Vec<WorkflowActivation>> {
    let mut seen = Vec::new();
    let mut runs = HashMap::new();
    drive(recorded, 1, |activation| {
        if !activation.is_only_eviction() {
            seen.push(activation.clone());
        }
        in_sandbox(guest, &mut runs, activation)
    })?;
    Ok(seen)
}

fn of_sandbox(guest: &Guest, recorded: &Recorded, times: usize) -> anyhow::Result<Replays> {
    let mut runs = HashMap::new();
    drive(recorded, times, |activation| {
        in_sandbox(guest, &mut runs, activation)
    })
}

fn of_core(guest: &Guest, recorded: &Recorded, times: usize) -> anyhow::Result<Replays> {
    let mut runs = HashMap::new();
    let mut answers = Vec::new();
    drive(recorded, 1, |activation| {
        let answer = in_sandbox(guest, &mut runs, activation)?;
        answers.push(answer.clone());
        Ok(answer)
    })?;
    let mut next = (0..answers.len()).cycle();
    let mut replays = drive(recorded, times, |activation| {
        let recorded = next.next().and_then(|index| answers.get(index));
        let mut answer = recorded.cloned().context("the history has answers")?;
        answer.run_id = activation.run_id;
        Ok(answer)
    })?;
    replays.answerer = Answerer::Recorded;
    Ok(replays)
}

fn in_sandbox(
    guest: &Guest,
    runs: &mut HashMap<String, Run>,
    activation: WorkflowActivation,
) -> anyhow::Result<WorkflowActivationCompletion> {
    let run_id = activation.run_id.clone();
    let mut run = match runs.remove(&run_id) {
        Some(run) => run,
        None => guest
            .run(&activation)
            .context("Core activates a run that never began")?,
    };
    let ends = activation.is_only_eviction();
    let completion = run.activate(activation);
    if !ends {
        anyhow::ensure!(!run.is_dead(), "a task failed: {completion:?}");
        runs.insert(run_id, run);
    }
    Ok(completion)
}

/// Replays `times` copies on this thread, answering each activation by `answer`.
fn drive(
    recorded: &Recorded,
    times: usize,
    mut answer: impl FnMut(WorkflowActivation) -> anyhow::Result<WorkflowActivationCompletion>,
) -> anyhow::Result<Replays> {
    let copies: Vec<History> = (0..times).map(|number| recorded.copy(number)).collect();
    let workflow_id = recorded.workflow_id().to_owned();
    let mut activations = 0;
    let replay = async {
        // Cloned once a history, as the SDK's replayer does.
        let histories = copies
            .iter()
            .cloned()
            .map(move |copy| HistoryForReplay::new(copy, workflow_id.clone()));
        let histories = stream::iter(histories.collect::<Vec<_>>());
        let core = init_replay_worker(ReplayWorkerInput::new(core_config()?, histories))?;
        core.validate().await?;
        loop {
            match core.poll_workflow_activation().await {
                Ok(activation) => {
                    activations += 1;
                    check_eviction(&activation)?;
                    core.complete_workflow_activation(answer(activation)?)
                        .await?;
                }
                Err(PollError::ShutDown) => break,
                Err(PollError::TonicError(status)) => bail!("the replay worker failed: {status}"),
            }
        }
        core.shutdown().await;
        Ok(())
    };
    let (cpu, wall) = timed(replay)?;
    Ok(Replays {
        answerer: Answerer::Sandbox,
        workload: recorded.workload,
        events: recorded.history.events.len(),
        histories: times,
        activations,
        cpu,
        wall,
    })
}

fn of_native(recorded: &Recorded, times: usize, activations: usize) -> anyhow::Result<Replays> {
    let replayer = WorkflowReplayer::new(native::replayer_options()?)?;
    let copies: Vec<WorkflowHistory> = (0..times)
        .map(|number| recorded.copy(number).into())
        .collect();
    let (cpu, wall) = timed(async {
        for result in replayer.replay_workflows(copies).await? {
            if let Some(failure) = result.replay_failure {
                bail!("the native replay diverges: {failure}");
            }
        }
        Ok(())
    })?;
    let events = recorded.history.events.len();
    Ok(Replays {
        answerer: Answerer::Native,
        workload: recorded.workload,
        events,
        histories: times,
        activations,
        cpu,
        wall,
    })
}

/// Runs `work` on this thread. Answers the CPU of this process in ms and the time it took.
fn timed(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<(f64, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let process = std::process::id();
    let (before, began) = (cpu_millis(process)?, Instant::now());
    runtime.block_on(work)?;
    Ok((cpu_millis(process)? - before, began.elapsed()))
}

fn core_config() -> anyhow::Result<WorkerConfig> {
    WorkerConfig::builder()
        .namespace(NAMESPACE)
        .task_queue("replay")
        .versioning_strategy(WorkerVersioningStrategy::None {
            build_id: "bench".to_owned(),
        })
        .task_types(WorkerTaskTypes::workflow_only())
        .max_outstanding_workflow_tasks(TASK_SLOTS)
        .build()
        .map_err(anyhow::Error::msg)
}

fn check_eviction(activation: &WorkflowActivation) -> anyhow::Result<()> {
    for job in &activation.jobs {
        if let Some(Variant::RemoveFromCache(removal)) = &job.variant
            && !matches!(
                removal.reason(),
                EvictionReason::CacheFull | EvictionReason::LangRequested
            )
        {
            bail!(
                "the replay diverges: {:?} {}",
                removal.reason(),
                removal.message
            );
        }
    }
    Ok(())
}
