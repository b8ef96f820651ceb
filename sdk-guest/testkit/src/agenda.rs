//! What is due when. Time skips to the next of it.

use std::{collections::BTreeMap, time::Duration};

use temporalio_protos::{
    coresdk::workflow_commands::{
        RequestCancelExternalWorkflowExecution, SignalExternalWorkflowExecution,
    },
    temporal::api::enums::v1::TimeoutType,
};

use crate::{activities::Outcome, episode::End, message::Message};

/// A run of the simulation.
pub(crate) type RunKey = usize;

/// What happens at some time.
pub(crate) enum Due {
    /// The first task of a run.
    Begin(RunKey),
    /// A timer fires.
    Timer(RunKey, u32),
    /// An attempt of an activity begins.
    Attempt(RunKey, u32),
    /// An attempt of an activity has ended.
    Answer(RunKey, u32, Outcome),
    /// A time-out of an activity, unless its attempt of this number has ended.
    Late(RunKey, u32, TimeoutType, u32),
    /// A child is to be started.
    Child(RunKey, u32),
    /// A mocked child ends.
    ChildEnd(RunKey, u32, Box<End>),
    /// The execution of a run signals another.
    Signal(RunKey, i64, Box<SignalExternalWorkflowExecution>),
    /// The execution of a run asks another to be cancelled.
    Cancel(RunKey, i64, Box<RequestCancelExternalWorkflowExecution>),
    /// A cancel of a child, by its number.
    CancelChild(RunKey, i64, u32),
    /// A run takes too long.
    RunLate(RunKey),
    /// The test says something to the execution.
    Say(RunKey, Message),
}

/// What is due, in the order of time, and of what was planned first.
#[derive(Default)]
pub(crate) struct Agenda {
    due: BTreeMap<(Duration, u64), Due>,
    planned: u64,
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: Duration, due: Due) {
        self.planned += 1;
        self.due.insert((at, self.planned), due);
    }

    /// The next of what is due, and when.
    pub(crate) fn next(&mut self) -> Option<(Duration, Due)> {
        self.due.pop_first().map(|((at, _), due)| (at, due))
    }

    /// When the next of it is due.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }
}
