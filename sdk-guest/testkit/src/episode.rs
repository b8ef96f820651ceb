//! One run: its instance, its history, and what it has under way.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde_json::Value;
use temporalio_protos::{
    coresdk::{
        workflow_activation::workflow_activation_job::Variant as Job,
        workflow_commands::{ScheduleActivity, StartChildWorkflowExecution},
    },
    temporal::api::{
        common::v1::{Payload, Payloads, WorkflowExecution},
        failure::v1::Failure,
        history::v1::{WorkflowExecutionStartedEventAttributes, history_event::Attributes},
    },
};
use tenterhook_domain::TypeName;
use tenterhook_workflow::Run;

use crate::{agenda::RunKey, history::History, tape::Tape};

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Completed(Option<Payload>),
    Failed(Box<Failure>),
    Cancelled(Option<Payloads>),
    ContinuedAsNew(RunKey),
    TimedOut,
    Terminated,
    /// A task failed: on a host it would be tried again and again.
    Stuck {
        /// The stable code, or Temporal's cause.
        code: String,
        message: String,
    },
}

/// One run of an execution.
pub(crate) struct Episode {
    pub(crate) run: Run,
    pub(crate) type_name: TypeName,
    pub(crate) started: Box<WorkflowExecutionStartedEventAttributes>,
    pub(crate) tape: Tape,
    pub(crate) history: History,
    /// What the next task brings.
    pub(crate) jobs: Vec<Job>,
    pub(crate) activities: BTreeMap<u32, Activity>,
    /// By number: the event that started it, and its step.
    pub(crate) timers: BTreeMap<u32, (i64, usize)>,
    pub(crate) children: BTreeMap<u32, Child>,
    pub(crate) parent: Option<Parent>,
    pub(crate) patches: Vec<String>,
    /// What was asked, until it is answered: by Core's id, the update's id and name with what it carries.
    pub(crate) updates: HashMap<String, Asked>,
    pub(crate) end: Option<End>,
    /// When the execution of which this is a run may live no longer.
    pub(crate) expires: Option<Duration>,
    /// Its worker was lost: the next task makes the instance again.
    pub(crate) is_lost: bool,
}

/// Who waits for a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parent {
    pub(crate) run: RunKey,
    pub(crate) seq: u32,
}

/// An update on its way.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) input: Vec<Payload>,
    pub(crate) accepted: i64,
    /// The workflow took it, in the task under way or before.
    pub(crate) is_accepted: bool,
}

/// An activity under way.
pub(crate) struct Activity {
    pub(crate) order: Box<ScheduleActivity>,
    pub(crate) scheduled: i64,
    pub(crate) scheduled_at: Duration,
    /// The attempt under way, or the last one.
    pub(crate) attempt: u32,
    pub(crate) is_running: bool,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) heartbeat: Option<Value>,
    /// The event that asked for its cancellation.
    pub(crate) cancel_requested: Option<i64>,
    /// The workflow was told already that it is cancelled.
    pub(crate) is_told: bool,
    /// Its number among the steps of the test.
    pub(crate) step: usize,
}

/// A child under way.
pub(crate) struct Child {
    pub(crate) order: Box<StartChildWorkflowExecution>,
    pub(crate) initiated: i64,
    pub(crate) started: i64,
    /// None for a mock.
    pub(crate) run: Option<RunKey>,
    pub(crate) execution: WorkflowExecution,
    /// The workflow was told already that it is cancelled.
    pub(crate) is_told: bool,
    /// Its number among the steps of the test.
    pub(crate) step: usize,
}

impl Episode {
    /// The execution as Temporal knows it.
    pub(crate) fn execution(&self) -> WorkflowExecution {
        let identity = self.run.identity();
        WorkflowExecution {
            workflow_id: identity.temporal_id.clone(),
            run_id: identity.run_id.clone(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, now: Duration, attributes: Attributes) -> i64 {
        self.history.push(now, attributes)
    }
}
