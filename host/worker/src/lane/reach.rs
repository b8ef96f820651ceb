//! Signals and cancels to executions that are no children: whose they are is asked of Temporal before they are sent.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use temporalio_protos::{
    coresdk::workflow_completion::WorkflowActivationCompletion,
    temporal::api::common::v1::WorkflowExecution,
};
use tenterhook_domain::{Code, Error, Result, lane::Ids};
use tenterhook_workflow::{Reach, Run, RunIdentity, outside_targets};
use tokio::time::timeout;

use super::{
    Home, Shared,
    task::{Task, settle},
};
use crate::{connection::Temporal, gateway};

/// Questions of one task that are under way at once.
const QUESTIONS_MAX: usize = 8;
/// How long all questions of one task may take: they come out of the task's own time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Sends the completion of a task that is no replay, once it is known that each execution it signals, cancels or ends is
/// of a plugin that `run` may deal with.
pub(super) fn ask(
    shared: &Arc<Shared>,
    mut run: Run,
    completion: WorkflowActivationCompletion,
    task: Task,
) {
    let targets = outside_targets(&completion);
    if targets.is_empty() {
        return settle(shared, run, completion, &task);
    }
    let question = Question {
        temporal: shared.temporal.clone(),
        home: shared.home.clone(),
        identity: run.identity().clone(),
        reach: run.reach().clone(),
    };
    let of_shared = shared.clone();
    let asked = async move {
        let answers = timeout(ANSWER_WITHIN, question.all(targets)).await;
        let answer = answers.unwrap_or_else(|_elapsed| {
            Err(Error::new(
                Code::TemporalUnavailable,
                "Temporal does not say whose executions are signalled or cancelled: the task is tried again",
            ))
        });
        let completion = match answer {
            Ok(()) => completion,
            Err(error) => run.refuse(&error),
        };
        settle(&of_shared, run, completion, &task);
    };
    shared.tasks.spawn_on(asked, &shared.runtime);
}

/// Who asks.
struct Question {
    temporal: Temporal,
    home: Arc<Home>,
    identity: RunIdentity,
    reach: Reach,
}

impl Question {
    async fn all(&self, targets: BTreeSet<String>) -> Result<()> {
        stream::iter(targets)
            .map(|target| self.one(target))
            .buffer_unordered(QUESTIONS_MAX)
            .try_collect()
            .await
    }

    /// An id that changes hands between this question and the delivery is not seen.
    async fn one(&self, workflow_id: String) -> Result<()> {
        let id = self.identity.caller_id_of(&workflow_id);
        let id = id.unwrap_or_default();
        let newest = WorkflowExecution {
            workflow_id,
            run_id: String::new(),
        };
        let described = match gateway::ask(&self.temporal, newest, &id).await {
            // Temporal tells the workflow so.
            Err(error) if error.code() == Code::WorkflowNotFound => return Ok(()),
            described => described?,
        };
        let queue = described.execution_config.and_then(|it| it.task_queue);
        let info = described.workflow_execution_info.unwrap_or_default();
        let name = info.r#type.unwrap_or_default().name;
        let refused = |why: &str| {
            let detail = format!("a command that reaches workflow {id:?} is refused: {why}");
            Error::new(Code::CommandRefused, detail)
        };
        // Whose a plain id is, in a namespace that others use too, only its queue says.
        let is_plain = self.identity.naming.ids == Ids::Plain { apart: false };
        if is_plain && queue.is_none_or(|queue| queue.name != self.identity.task_queue) {
            return Err(refused("it is not on this lane"));
        }
        let Ok(owner) = self.home.type_name(&name) else {
            return Err(refused(&format!("its type {name:?} is no plugin's")));
        };
        self.reach
            .check(&self.identity.plugin, &owner.plugin)
            .map_err(|error| refused(error.detail()))
    }
}
