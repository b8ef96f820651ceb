//! What a test says to an execution.

use serde::Serialize;
use temporalio_protos::temporal::api::common::v1::Payload;

use crate::payload;

/// What is said to an execution: to be planned with [`Execution::at`](crate::Execution::at) and
/// [`Execution::after`](crate::Execution::after).
#[derive(Debug, Clone)]
pub struct Message(pub(crate) Kind);

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Signal {
        name: String,
        input: Vec<Payload>,
    },
    Update {
        id: String,
        name: String,
        input: Vec<Payload>,
    },
    Cancel,
    Terminate,
    Crash,
}

impl Message {
    /// A signal.
    pub fn signal(name: impl Into<String>, input: &(impl Serialize + ?Sized)) -> Self {
        Self(Kind::Signal {
            name: name.into(),
            input: payload::argument(input),
        })
    }

    /// An update. What came of it is asked by `id` at the end: [`Ended::update`](crate::Ended::update).
    pub fn update(
        id: impl Into<String>,
        name: impl Into<String>,
        input: &(impl Serialize + ?Sized),
    ) -> Self {
        Self(Kind::Update {
            id: id.into(),
            name: name.into(),
            input: payload::argument(input),
        })
    }

    /// A request to cancel the execution.
    pub fn cancel() -> Self {
        Self(Kind::Cancel)
    }

    /// The end of the execution, without asking it.
    pub fn terminate() -> Self {
        Self(Kind::Terminate)
    }

    /// The loss of its worker: the instance is dropped, and made again from history at the next task.
    pub fn crash() -> Self {
        Self(Kind::Crash)
    }
}
