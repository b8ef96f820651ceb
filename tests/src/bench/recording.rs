//! Histories of real runs, for replays without a server. Recording them warms both sides up.

use temporalio_protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{History, history_event::Attributes},
};

use super::{
    Plan,
    load::{self, next_id},
    stage::{Side, Stage},
    starter::Workload,
};

/// One-activity workflows that each side runs before anything is measured.
const WARM_UP: usize = 50;

/// One recorded history.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Who made it.
    pub side: Side,
    /// Of which workflow.
    pub workload: Workload,
    /// Its events.
    pub history: History,
}

impl Recorded {
    /// Completed workflow tasks: both sides must have taken the same steps to be comparable.
    pub fn tasks(&self) -> usize {
        let events = self.history.events.iter();
        events
            .filter(|event| event.event_type() == EventType::WorkflowTaskCompleted)
            .count()
    }

    /// The execution's id.
    pub fn workflow_id(&self) -> &str {
        match self
            .history
            .events
            .first()
            .and_then(|event| event.attributes.as_ref())
        {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                &started.workflow_id
            }
            _ => "",
        }
    }

    /// The same history as run number `number`: Core would take two of one run id for one run.
    pub fn copy(&self, number: usize) -> History {
        let mut history = self.history.clone();
        if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = history
            .events
            .first_mut()
            .and_then(|event| event.attributes.as_mut())
        {
            started.original_execution_run_id = format!("run-{number}");
        }
        history
    }
}

/// What the parts without a server need of those with one.
#[derive(Debug, Clone)]
pub struct Recordings {
    /// The bench plugin's component.
    pub component: Vec<u8>,
    /// Of each workload one by the native side and one by the host.
    pub histories: Vec<Recorded>,
}

/// Warms both sides up and records a short and a long history of each.
///
/// # Errors
/// When a workflow fails.
pub async fn record(stage: &Stage, plan: &Plan) -> anyhow::Result<Recordings> {
    let mut histories = Vec::new();
    for side in stage.sides() {
        load::round(stage, side, Workload::One, WARM_UP, load::CONCURRENCY).await?;
        for (workload, input) in [(Workload::Ten, 1), (Workload::Many, plan.long_activities)] {
            let starter = stage.starter(side);
            let started = starter.start(workload, &next_id(), Some(input)).await?;
            tokio::time::timeout(super::ROUND_WITHIN, starter.completed(&started)).await??;
            histories.push(Recorded {
                side,
                workload,
                history: starter.history(&started).await?,
            });
        }
    }
    Ok(Recordings {
        component: stage.component.clone(),
        histories,
    })
}

impl Recordings {
    /// The history of `workload` that `side` made.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(&self, side: Side, workload: Workload) -> anyhow::Result<&Recorded> {
        let found = self
            .histories
            .iter()
            .find(|it| it.side == side && it.workload == workload);
        found.ok_or_else(|| {
            anyhow::anyhow!(
                "no history of {} by {} was recorded",
                workload.name(),
                side.name()
            )
        })
    }
}
