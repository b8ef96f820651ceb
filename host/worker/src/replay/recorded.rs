//! A recorded history, made ready to be replayed and compared.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::RangeInclusive,
};

use temporalio_protos::{
    constants::{LOCAL_ACTIVITY_MARKER_NAME, PATCH_MARKER_NAME},
    coresdk::common::decode_change_marker_details,
    temporal::api::{
        enums::v1::EventType,
        history::v1::{
            History, HistoryEvent, WorkflowExecutionStartedEventAttributes,
            history_event::Attributes,
        },
        taskqueue::v1::TaskQueue,
    },
};
use temporalio_sdk_core::replay::HistoryInfo;
use tenterhook_domain::{Code, Error, Result};
use tenterhook_workflow::ReleasePin;

use super::{export, step::Step};

/// One history, cut where the code's last word stands: what came after that, no code has seen.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub(super) history: History,
    pub(super) tasks: Vec<Task>,
    pub(super) local_activities: usize,
    pub(super) pinned: Option<ReleasePin>,
    pub(super) task_queue: String,
    path: u64,
    patch_bytes: usize,
    workflow_id: String,
    run_id: String,
    workflow_type: String,
    events: u64,
    open: bool,
}

/// One finished workflow task, or several that Core takes as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// Its `WorkflowTaskStarted`; of several, from the first to the last.
    pub(super) started: RangeInclusive<u64>,
    /// What it led to, by event.
    pub(super) steps: Vec<(u64, Step)>,
    /// The event after the last one it led to.
    pub(super) after: u64,
}

impl Recorded {
    /// Reads an exported history. `name` stands in for the workflow id where the history has none.
    ///
    /// # Errors
    /// `history-invalid`.
    pub fn of_export(name: &str, json: &[u8]) -> Result<Self> {
        let history = export::read(json)?;
        let id = started(&history)?.workflow_id.clone();
        let id = if id.is_empty() { name.to_owned() } else { id };
        Self::new(history, id)
    }

    /// Makes `history` of the execution `workflow_id` ready.
    ///
    /// # Errors
    /// `history-invalid`.
    pub(crate) fn new(mut history: History, workflow_id: String) -> Result<Self> {
        let attributes = started(&history)?;
        if attributes.original_execution_run_id.is_empty() {
            return Err(invalid("its first event names no run"));
        }
        let run_id = attributes.original_execution_run_id.clone();
        let workflow_type = attributes.workflow_type.clone().unwrap_or_default().name;
        let task_queue = attributes.task_queue.clone().unwrap_or_default().name;
        let gap = (1..)
            .zip(&history.events)
            .find(|(id, event)| event.event_id != *id);
        if let Some((id, event)) = gap {
            return Err(invalid(format!(
                "event {} stands where event {id} should: export it as a whole",
                event.event_id
            )));
        }
        let events = history.events.len() as u64;
        let open = !history.events.last().is_some_and(is_close);
        let path = path(&history.events);
        give_queue(&mut history);
        cut(&mut history);
        let tasks = tasks(&history.events);
        if !tasks.is_empty() {
            HistoryInfo::new_from_history(&history, None).map_err(invalid)?;
        }
        let patches: Vec<String> = markers(&history.events, PATCH_MARKER_NAME)
            .filter_map(patch)
            .collect();
        let pinned = ReleasePin::latest(patches.iter().map(String::as_str));
        Ok(Self {
            local_activities: markers(&history.events, LOCAL_ACTIVITY_MARKER_NAME).count(),
            pinned,
            // Each in quotes and with a comma, as Temporal lists them.
            patch_bytes: patches.iter().map(|id| id.len() + 3).sum(),
            history,
            tasks,
            task_queue,
            path,
            workflow_id,
            run_id,
            workflow_type,
            events,
            open,
        })
    }

    /// The execution as Temporal knows it.
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The workflow type, `plugin.Name`.
    pub fn workflow_type(&self) -> &str {
        &self.workflow_type
    }

    /// Events it has, those that no code has seen included.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// True if the execution was open when the history was read.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Bytes that the ids of all patches in it take in Temporal's list of them.
    pub(crate) fn patch_bytes(&self) -> usize {
        self.patch_bytes
    }

    /// The same for histories that took the same way: the same events with the same names, whatever their data.
    pub(super) fn path(&self) -> u64 {
        self.path
    }

    /// The type of event `id`, as Temporal's tools print it.
    pub(super) fn event(&self, id: u64) -> Option<&HistoryEvent> {
        let index = usize::try_from(id).ok()?.checked_sub(1)?;
        self.history.events.get(index)
    }
}

fn started(history: &History) -> Result<&WorkflowExecutionStartedEventAttributes> {
    match history.events.first().and_then(|it| it.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => Ok(started),
        _ => Err(invalid("its first event is not WorkflowExecutionStarted")),
    }
}

/// Core wants the name of a queue, which old exports may lack.
fn give_queue(history: &mut History) {
    if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = history
        .events
        .first_mut()
        .and_then(|event| event.attributes.as_mut())
    {
        started.task_queue.get_or_insert_with(TaskQueue::default);
    }
}

/// Drops what follows the last finished task and its commands.
fn cut(history: &mut History) {
    let last = history.events.iter().rposition(|event| {
        event.event_type() == EventType::WorkflowTaskCompleted || event.is_command_event()
    });
    history.events.truncate(last.map_or(0, |last| last + 1));
}

fn tasks(events: &[HistoryEvent]) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut goes_on = false;
    let mut events = events.iter().peekable();
    while let Some(event) = events.next() {
        let Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) = &event.attributes
        else {
            continue;
        };
        let started = id(completed.started_event_id);
        let mut task = Task {
            started: started..=started,
            steps: Vec::new(),
            after: id(event.event_id) + 1,
        };
        if goes_on && let Some(before) = tasks.pop() {
            task.started = *before.started.start()..=started;
        }
        // Nothing came of it, and the next was scheduled at once: Core takes the two as one.
        goes_on = events
            .peek()
            .is_some_and(|next| next.event_type() == EventType::WorkflowTaskScheduled);
        while let Some(event) = events.next_if(|event| event.is_command_event()) {
            task.after = id(event.event_id) + 1;
            task.steps
                .extend(Step::of_event(event).map(|step| (id(event.event_id), step)));
        }
        tasks.push(task);
    }
    tasks
}

/// The markers called `name`.
fn markers<'a>(
    events: &'a [HistoryEvent],
    name: &'a str,
) -> impl Iterator<Item = &'a HistoryEvent> {
    events.iter().filter(move |event| {
        matches!(&event.attributes, Some(Attributes::MarkerRecordedEventAttributes(marker)) if marker.marker_name == name)
    })
}

/// The id of a patch marker's patch.
fn patch(marker: &HistoryEvent) -> Option<String> {
    let Some(Attributes::MarkerRecordedEventAttributes(marker)) = &marker.attributes else {
        return None;
    };
    decode_change_marker_details(&marker.details).map(|(id, _)| id)
}

fn is_close(event: &HistoryEvent) -> bool {
    event.is_final_wf_execution_event()
}

/// Which ways a history went. How often a loop went round is not another way: each pair of neighbours counts once.
fn path(events: &[HistoryEvent]) -> u64 {
    let mut pairs = BTreeSet::new();
    let mut before = 0;
    for event in events {
        if matches!(
            event.event_type(),
            EventType::WorkflowTaskScheduled
                | EventType::WorkflowTaskStarted
                | EventType::WorkflowTaskCompleted
        ) {
            continue;
        }
        let mut hasher = DefaultHasher::new();
        event.event_type.hash(&mut hasher);
        if let Some(step) = Step::of_event(event) {
            step.to_string().hash(&mut hasher);
        }
        if let Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) =
            &event.attributes
        {
            signal.signal_name.hash(&mut hasher);
        }
        let this = hasher.finish();
        pairs.insert((before, this));
        before = this;
    }
    let mut hasher = DefaultHasher::new();
    pairs.hash(&mut hasher);
    hasher.finish()
}

/// An event id of Temporal's: never negative.
pub(super) fn id(event_id: i64) -> u64 {
    u64::try_from(event_id).unwrap_or(0)
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::HistoryInvalid,
        format!("the history cannot be replayed: {why}"),
    )
}

#[cfg(test)]
#[path = "recorded/tests.rs"]
mod tests;
