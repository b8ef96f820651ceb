//! Mocks: what stands in for an activity, or for a child workflow.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{failure::Failure, payload};

/// One attempt of a mocked activity. Reads as its input: `call.order_id` is `call.input.order_id`.
#[derive(Debug)]
pub struct Call<I> {
    /// What the workflow passed.
    pub input: I,
    /// The first attempt is 1.
    pub attempt: u32,
    /// The activity's id in its workflow.
    pub activity_id: String,
    /// The id its caller knows the workflow by.
    pub workflow_id: String,
    /// The same for every attempt: what a provider is given, so that it does nothing twice.
    pub idempotency_key: String,
    /// Workflow time since the test began.
    pub at: Duration,
    /// What the last heartbeat of the attempt before carried; null if it carried nothing.
    pub heartbeat_details: Value,
    heartbeat: Arc<Mutex<Option<Value>>>,
}

impl<I> Deref for Call<I> {
    type Target = I;

    fn deref(&self) -> &I {
        &self.input
    }
}

impl<I> Call<I> {
    /// Leaves `details` for the next attempt, as a heartbeat does.
    pub fn heartbeat(&self, details: impl Serialize) {
        let value = payload::json(Some(&payload::of(&details)));
        *self
            .heartbeat
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(value);
    }
}

pub(crate) type Answer = Result<Value, Failure>;
type Stand = dyn Fn(Call<Value>) -> Answer + Send + Sync;

/// What stands in for an activity or a child workflow.
#[derive(Clone)]
pub struct Mock {
    name: String,
    answer: Arc<Stand>,
    takes: Duration,
}

impl Mock {
    /// With each attempt taking `time` of workflow time, where it would take none. Longer than one of its time-outs, it
    /// has its effect, and times out.
    pub fn takes(&mut self, time: Duration) -> &mut Self {
        self.takes = time;
        self
    }

    pub(crate) fn new<I: DeserializeOwned, O: Serialize>(
        name: &str,
        answer: impl Fn(&Call<I>) -> Result<O, Failure> + Send + Sync + 'static,
    ) -> Self {
        let said = name.to_owned();
        let typed = move |call: Call<Value>| {
            let input = payload::typed(&call.input).unwrap_or_else(|error| {
                panic!(
                    "the mock of {said} cannot read its input {}: {error}",
                    call.input
                )
            });
            let call = Call {
                input,
                attempt: call.attempt,
                activity_id: call.activity_id,
                workflow_id: call.workflow_id,
                idempotency_key: call.idempotency_key,
                at: call.at,
                heartbeat_details: call.heartbeat_details,
                heartbeat: call.heartbeat,
            };
            let output = answer(&call)?;
            Ok(payload::json(Some(&payload::of(&output))))
        };
        Self {
            name: name.to_owned(),
            answer: Arc::new(typed),
            takes: Duration::ZERO,
        }
    }

    pub(crate) fn time(&self) -> Duration {
        self.takes
    }

    /// Its answer, and what it left by a heartbeat.
    pub(crate) fn call(&self, facts: Facts) -> (Answer, Option<Value>) {
        let heartbeat = Arc::default();
        let call = Call {
            input: facts.input,
            attempt: facts.attempt,
            activity_id: facts.activity_id,
            workflow_id: facts.workflow_id,
            idempotency_key: facts.idempotency_key,
            at: facts.at,
            heartbeat_details: facts.heartbeat_details,
            heartbeat: Arc::clone(&heartbeat),
        };
        let answer = (self.answer)(call);
        let left = heartbeat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        (answer, left)
    }
}

impl std::fmt::Debug for Mock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mock").field("name", &self.name).finish()
    }
}

/// What an attempt is, before its input is read.
pub(crate) struct Facts {
    pub(crate) input: Value,
    pub(crate) attempt: u32,
    pub(crate) activity_id: String,
    pub(crate) workflow_id: String,
    pub(crate) idempotency_key: String,
    pub(crate) at: Duration,
    pub(crate) heartbeat_details: Value,
}

/// Mocks by Temporal's type, `plugin.Name`.
pub(crate) type Mocks = BTreeMap<String, Mock>;
