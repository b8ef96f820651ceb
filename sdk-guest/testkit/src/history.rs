//! The history of one run, as Temporal's server would have written it.

use std::time::{Duration, UNIX_EPOCH};

use temporalio_protos::temporal::api::{
    common::v1::Payload,
    history::v1::{HistoryEvent, history_event::Attributes},
};

/// What an event weighs beside its payloads, in bytes: about as much as on Temporal.
const EVENT_BYTES: u64 = 150;

/// The events of one run. Ids begin at 1, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    events: Vec<HistoryEvent>,
    bytes: u64,
}

impl History {
    /// Adds an event at `now` (since the Unix epoch), and answers its id.
    pub(crate) fn push(&mut self, now: Duration, attributes: Attributes) -> i64 {
        let event_id = self.next_id();
        self.bytes += EVENT_BYTES;
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some((UNIX_EPOCH + now).into()),
            event_type: attributes.event_type().into(),
            attributes: Some(attributes),
            ..Default::default()
        });
        event_id
    }

    /// The id that the next event gets.
    pub(crate) fn next_id(&self) -> i64 {
        self.len() + 1
    }

    pub(crate) fn len(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }

    /// Counts what `payloads` weigh.
    pub(crate) fn weigh(&mut self, payloads: &[Payload]) {
        let bytes: usize = payloads.iter().map(|payload| payload.data.len()).sum();
        self.bytes += bytes as u64;
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn events(&self) -> &[HistoryEvent] {
        &self.events
    }
}
