//! What goes into an attempt and what comes out, as the WIT `tenterhook:plugin/activities` has it.

/// One encoded value, as Temporal stores it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// Names the encoding, among others: `encoding` = `json/plain`.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// The encoded value.
    pub data: Vec<u8>,
}

impl Payload {
    /// Its size as the limit `payload_bytes` counts it.
    pub(crate) fn bytes(&self) -> u64 {
        let metadata: usize = self
            .metadata
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        (metadata + self.data.len()) as u64
    }
}

/// One link of a failure's chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureLink {
    /// What went wrong, for a person.
    pub message: String,
    /// The type name that retry policies match on.
    pub kind: String,
    /// Further values.
    pub details: Vec<Payload>,
    /// Where it happened.
    pub stack_trace: Option<String>,
}

impl FailureLink {
    pub(crate) fn bytes(&self) -> u64 {
        let text =
            self.message.len() + self.kind.len() + self.stack_trace.as_ref().map_or(0, String::len);
        text as u64 + self.details.iter().map(Payload::bytes).sum::<u64>()
    }
}

/// How an activity says that it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityFailure {
    /// The failure itself.
    pub error: FailureLink,
    /// Its causes, the nearest first.
    pub causes: Vec<FailureLink>,
    /// True: no further attempt, whatever the retry policy says.
    pub non_retryable: bool,
    /// Milliseconds until the next attempt.
    pub next_retry_delay: Option<u64>,
    /// True: an expected outcome.
    pub benign: bool,
}

/// What an attempt may know of itself. Times are milliseconds since the Unix epoch, durations milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskInfo {
    /// Temporal's id of the activity in its workflow.
    pub activity_id: String,
    /// The id its caller knows the workflow by.
    pub workflow_id: String,
    /// The run.
    pub run_id: String,
    /// The workflow's type inside its plugin.
    pub workflow_type: String,
    /// The tenant.
    pub tenant: String,
    /// The environment.
    pub environment: String,
    /// The plugin.
    pub plugin: String,
    /// The first attempt is 1.
    pub attempt: u32,
    /// When it was scheduled.
    pub scheduled_at: u64,
    /// When the host ends the attempt.
    pub deadline: u64,
    /// Heartbeat at least so often.
    pub heartbeat_timeout: Option<u64>,
    /// The same for every attempt of this activity.
    pub idempotency_key: String,
    /// True for a local activity.
    pub local: bool,
}

/// One attempt of an activity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityTask {
    /// The name inside the plugin.
    pub activity_type: String,
    /// Its arguments.
    pub input: Vec<Payload>,
    /// What the last heartbeat of the attempt before carried.
    pub heartbeat_details: Vec<Payload>,
    /// Of the attempt.
    pub info: TaskInfo,
}

/// Why the host wants an attempt to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The workflow cancelled the activity.
    Requested,
    /// The server no longer knows the activity.
    NotFound,
    /// The attempt's time is over.
    TimedOut,
    /// The host is shutting down.
    WorkerShutdown,
    /// An operator paused the activity.
    Paused,
    /// An operator reset the activity.
    Reset,
}

/// What a running attempt asks of the host. Called while the guest waits: it must not block.
pub trait ActivityHost: Send + Sync {
    /// The attempt is alive; `details` are for the next one.
    fn heartbeat(&self, details: Vec<Payload>);
    /// Set once the attempt should end.
    fn cancelled(&self) -> Option<Cancellation>;
}
