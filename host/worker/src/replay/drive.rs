//! Takes one history through Core's replay worker, which checks every command; the comparison beside it says which.

use std::time::Duration;

use futures_util::stream;
use temporalio_common::worker::WorkerTaskTypes;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            RemoveFromCache, WorkflowActivation, remove_from_cache::EvictionReason,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::{WorkflowCommand, workflow_command::Variant as Command},
        workflow_completion::{
            Failure, WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::{enums::v1::WorkflowTaskFailedCause, failure::v1::failure::FailureInfo},
};
use temporalio_sdk_core::{
    CompleteWfError, PollError, Worker, WorkerConfig, WorkerVersioningStrategy, init_replay_worker,
    replay::{HistoryForReplay, ReplayWorkerInput},
};
use tenterhook_domain::{Code, Error, Result, replay::Verdict};
use tenterhook_workflow::{Run, fail_task};
use tokio::sync::oneshot;

use super::{compare::Comparison, recorded::Recorded, step::Step};
use crate::{codec, executor::Executor};

/// Core wants some; a replay worker has one run at a time.
const WORKFLOW_TASKS: usize = 2;
/// How long Core may say nothing while a local activity is out that the history has no end of: there is none to come.
const QUIET: Duration = Duration::from_secs(2);
/// Longest sentence of Core's or a guest's that a verdict keeps, in characters.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// Replays `recorded` on the run that `make` makes of its first activation.
pub(super) async fn replay(
    threads: &Executor,
    recorded: &Recorded,
    make: impl Fn(&WorkflowActivation) -> Run,
) -> Result<(Verdict, End)> {
    let history =
        HistoryForReplay::new(recorded.history.clone(), recorded.workflow_id().to_owned());
    let config = config(recorded).map_err(|error| failed(&error))?;
    let input = ReplayWorkerInput::new(config, stream::iter([history]));
    let core = init_replay_worker(input).map_err(|error| failed(&error))?;
    core.validate().await.map_err(|error| failed(&error))?;
    let mut replay = Replay {
        recorded,
        comparison: Comparison::new(&recorded.tasks),
        run: None,
        local: LocalActivities::default(),
        verdict: None,
    };
    let ended = replay.drive(&core, threads, make).await;
    core.initiate_shutdown();
    if let Some(run) = replay.run.take() {
        // Unmapping an instance is nothing for a runtime's thread.
        threads.submit(&run.identity().into(), move || drop(run));
    }
    let ended = ended?;
    if ended == End::ByCore {
        core.shutdown().await;
    }
    Ok((replay.verdict.unwrap_or(Verdict::Same), ended))
}

/// Who ended a replay.
#[derive(PartialEq, Eq)]
pub(super) enum End {
    ByCore,
    /// Core waits for something that no history brings.
    ByUs,
}

struct Replay<'a> {
    recorded: &'a Recorded,
    comparison: Comparison<'a>,
    run: Option<Run>,
    local: LocalActivities,
    /// The first one stands.
    verdict: Option<Verdict>,
}

impl Replay<'_> {
    async fn drive(
        &mut self,
        core: &Worker,
        threads: &Executor,
        make: impl Fn(&WorkflowActivation) -> Run,
    ) -> Result<End> {
        loop {
            let polled = if self.local.is_stuck(self.recorded.local_activities) {
                match tokio::time::timeout(QUIET, core.poll_workflow_activation()).await {
                    Ok(polled) => polled,
                    Err(_elapsed) => {
                        self.stuck();
                        return Ok(End::ByUs);
                    }
                }
            } else {
                core.poll_workflow_activation().await
            };
            let activation = match polled {
                Ok(activation) => activation,
                Err(PollError::ShutDown) => return Ok(End::ByCore),
                Err(PollError::TonicError(status)) => return Err(failed(&status)),
            };
            if let Some(removal) = eviction(&activation) {
                self.evicted(removal);
            }
            let completion = self.answer(threads, activation, &make).await?;
            self.complete(core, completion).await?;
        }
    }

    async fn answer(
        &mut self,
        threads: &Executor,
        mut activation: WorkflowActivation,
        make: &impl Fn(&WorkflowActivation) -> Run,
    ) -> Result<WorkflowActivationCompletion> {
        let run_id = activation.run_id.clone();
        if activation.is_only_eviction() {
            if let Some(run) = self.run.take() {
                threads.submit(&run.identity().into(), move || drop(run));
            }
            return Ok(WorkflowActivationCompletion::empty(run_id));
        }
        if let Some(difference) = self.comparison.begin(u64::from(activation.history_length)) {
            self.verdict.get_or_insert(difference.into());
        }
        if self.verdict.is_some() {
            return Ok(given_up(&run_id));
        }
        self.local.resolved(&activation);
        codec::restore_all(&mut activation);
        let run = self.run.take().unwrap_or_else(|| make(&activation));
        let (run, completion) = activate(threads, run, activation).await?;
        self.run = Some(run);
        match &completion.status {
            Some(Status::Successful(success)) => {
                self.local.scheduled(&success.commands);
                self.comparison.take(&success.commands);
            }
            Some(Status::Failed(failure)) => self.verdict = Some(task_failed(failure)),
            None => {}
        }
        Ok(completion)
    }

    async fn complete(
        &mut self,
        core: &Worker,
        completion: WorkflowActivationCompletion,
    ) -> Result<()> {
        let completed = core.complete_workflow_activation(completion).await;
        let Err(CompleteWfError::MalformedWorkflowCompletion { reason, run_id }) = completed else {
            return Ok(());
        };
        self.verdict.get_or_insert(Verdict::TaskFailed {
            code: Code::CommandRefused.as_str().to_owned(),
            message: short(&format!("Temporal's Core refuses the commands: {reason}")),
        });
        core.complete_workflow_activation(given_up(&run_id))
            .await
            .map_err(|error| failed(&error))
    }

    /// Core lets go of the run: at the end of the history, or where it found something else than expected.
    fn evicted(&mut self, removal: &RemoveFromCache) {
        if self.verdict.is_some() {
            return;
        }
        let fallback = self.comparison.next_event();
        let difference = self.comparison.finish();
        let objects = !matches!(
            removal.reason(),
            EvictionReason::LangRequested
                | EvictionReason::CacheFull
                | EvictionReason::WorkflowExecutionEnding
        );
        if let Some(difference) = difference {
            self.verdict = Some(difference.into());
        } else if objects {
            let event = event_in(&removal.message).or(fallback).unwrap_or(0);
            let expected = self.recorded.event(event).map_or_else(
                || "nothing".to_owned(),
                |it| {
                    Step::of_event(it).map_or_else(
                        || crate::gateway::spelled(it.event_type()),
                        |step| step.to_string(),
                    )
                },
            );
            self.verdict = Some(Verdict::Diverges {
                event,
                expected,
                actual: short(&format!("Temporal's Core objects: {}", removal.message)),
            });
        }
    }

    /// The code waits for a local activity whose end the history does not have.
    fn stuck(&mut self) {
        let last = self.comparison.is_at_last();
        if let Some(difference) = self.comparison.finish() {
            self.verdict.get_or_insert(difference.into());
        } else if !last {
            let event = self.comparison.next_event().unwrap_or(0);
            let expected = self.recorded.event(event).and_then(Step::of_event);
            self.verdict.get_or_insert(Verdict::Diverges {
                event,
                expected: expected.map_or_else(|| "nothing".to_owned(), |step| step.to_string()),
                actual: format!("LocalActivity {}", self.local.name()),
            });
        }
    }
}

/// Local activities that the code waits for.
#[derive(Default)]
struct LocalActivities {
    out: Vec<(u32, String)>,
    ended: usize,
}

impl LocalActivities {
    fn scheduled(&mut self, commands: &[WorkflowCommand]) {
        for command in commands {
            if let Some(Command::ScheduleLocalActivity(it)) = &command.variant {
                self.out.push((it.seq, it.activity_type.clone()));
            }
        }
    }

    fn resolved(&mut self, activation: &WorkflowActivation) {
        for job in &activation.jobs {
            if let Some(Job::ResolveActivity(it)) = &job.variant
                && it.is_local
            {
                self.out.retain(|(seq, _)| *seq != it.seq);
                self.ended += 1;
            }
        }
    }

    /// True if one is out and the history's `ends` of local activities are used up.
    fn is_stuck(&self, ends: usize) -> bool {
        !self.out.is_empty() && self.ended >= ends
    }

    fn name(&self) -> &str {
        self.out.first().map_or("", |(_, name)| name.as_str())
    }
}

async fn activate(
    threads: &Executor,
    mut run: Run,
    activation: WorkflowActivation,
) -> Result<(Run, WorkflowActivationCompletion)> {
    let (sender, receiver) = oneshot::channel();
    threads.submit(&run.identity().into(), move || {
        let completion = run.activate(activation);
        // Nobody waits any more after the time limit.
        drop(sender.send((run, completion)));
    });
    receiver.await.map_err(|_| {
        Error::new(
            Code::Internal,
            "the host failed while it replayed a task: see its log",
        )
    })
}

fn config(recorded: &Recorded) -> Result<WorkerConfig, String> {
    WorkerConfig::builder()
        .namespace("replay")
        .task_queue(recorded.task_queue.clone())
        .versioning_strategy(WorkerVersioningStrategy::None {
            build_id: "replay".to_owned(),
        })
        .task_types(WorkerTaskTypes::workflow_only())
        .max_outstanding_workflow_tasks(WORKFLOW_TASKS)
        .build()
}

fn eviction(activation: &WorkflowActivation) -> Option<&RemoveFromCache> {
    activation.jobs.iter().find_map(|job| match &job.variant {
        Some(Job::RemoveFromCache(removal)) => Some(removal),
        _ => None,
    })
}

/// Ends the replay where it is: Core evicts the run.
fn given_up(run_id: &str) -> WorkflowActivationCompletion {
    fail_task(
        run_id,
        Code::NonDeterministic,
        "the replay ends here",
        WorkflowTaskFailedCause::NonDeterministicError,
    )
}

fn task_failed(failure: &Failure) -> Verdict {
    let said = failure.failure.clone().unwrap_or_default();
    let code = match &said.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) if !info.r#type.is_empty() => {
            info.r#type.clone()
        }
        _ => failure.force_cause().as_str_name().to_owned(),
    };
    let message = said.message.trim_start_matches(&format!("[{code}] "));
    Verdict::TaskFailed {
        message: short(message),
        code,
    }
}

/// The event that a sentence of Core's names.
fn event_in(message: &str) -> Option<u64> {
    ["HistoryEvent(id: ", "event_id: "]
        .iter()
        .find_map(|before| {
            let (_, after) = message.split_once(before)?;
            let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        })
}

fn short(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::Internal,
        format!("Temporal's replay worker failed: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_read_out_of_cores_words() {
        let said = "No command scheduled for event HistoryEvent(id: 13, TimerStarted)";
        assert_eq!(event_in(said), Some(13));
        let said =
            "says the transition is invalid during event EventInfo { event_id: 7, event_type: X }";
        assert_eq!(event_in(said), Some(7));
        assert_eq!(event_in("nothing of the kind"), None);
    }
}
