//! What the translation knows of a guest: `sandbox` implements it on WebAssembly, tests on plain Rust.

use tenterhook_domain::Code;

/// The arguments of `instantiate-workflow`, names already turned into the guest's own.
#[derive(Debug, Clone)]
pub struct Init {
    /// The Temporal namespace.
    pub namespace: String,
    /// The lane's task queue.
    pub task_queue: String,
    /// The run.
    pub run_id: String,
    /// An encoded `coresdk.workflow_activation.InitializeWorkflow`.
    pub initialize_workflow: Vec<u8>,
}

/// What workflow code can observe of the world during one activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Workflow time: milliseconds since the Unix epoch, not of this machine's clock. Nanoseconds are kept.
    pub time_nanos: u64,
    /// True while the guest repeats what it did before: logs stay silent.
    pub replaying: bool,
    /// Temporal's seed, new ones replacing old ones.
    pub seed: u64,
}

/// How a guest failed. Always one task's failure, never the host's.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The instance is dead: it trapped, or hit a limit. `message` says what and where, panic text included.
    Dead {
        /// Which limit or trap.
        code: Code,
        /// What the tenant's author is told.
        message: String,
    },
    /// The guest answered with a failure: encoded `temporal.api.failure.v1.Failure` bytes, not yet trusted.
    Failure(Vec<u8>),
}

/// `routine-kind` of the WIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutineKind {
    /// The workflow's main routine, id 0.
    Main,
    /// A signal handler, by signal name.
    Signal(String),
    /// An update handler.
    Update {
        /// The update's name.
        name: String,
        /// The caller's id for it.
        update_id: String,
        /// Core's id for it.
        protocol_instance_id: String,
    },
}

/// `activation-job-result` of the WIT; bytes are protobuf from the guest, not yet trusted.
#[derive(Debug, Clone, PartialEq)]
pub enum JobResult {
    /// Nothing to say.
    None,
    /// A signal or update routine began.
    Started {
        /// The id to poll it by.
        routine: u64,
        /// What it is.
        kind: RoutineKind,
    },
    /// A query's answer: an encoded `Payload`, or an encoded `Failure`.
    Query(Result<Vec<u8>, Vec<u8>>),
    /// An update validator said no: an encoded `Failure`.
    UpdateRejected(Vec<u8>),
}

/// `terminal-outcome` of the WIT.
#[derive(Debug, Clone, PartialEq)]
pub enum Terminal {
    /// An encoded `Payload`.
    Completed(Vec<u8>),
    /// An encoded `Failure`.
    Failed(Vec<u8>),
    /// Encoded details (`Payloads`), if any.
    Cancelled(Option<Vec<u8>>),
    /// An encoded `ContinueAsNewWorkflowExecution`.
    ContinueAsNew(Vec<u8>),
}

/// `routine-completion` of the WIT.
#[derive(Debug, Clone, PartialEq)]
pub enum Completion {
    /// The main routine waits.
    Blocked,
    /// The main routine fails the task.
    TaskFailed {
        /// An encoded `Failure`.
        failure: Vec<u8>,
        /// Temporal's `WorkflowTaskFailedCause`, if the guest forces one.
        cause: Option<u32>,
    },
    /// The workflow ends.
    Terminal(Terminal),
    /// A signal handler ended; `Err` is an encoded `Failure`.
    Signal(Result<(), Vec<u8>>),
    /// An update handler ended with an encoded `Payload`.
    UpdateCompleted {
        /// Core's id for the update.
        protocol_instance_id: String,
        /// The result.
        value: Vec<u8>,
    },
    /// An update handler ended with an encoded `Failure`.
    UpdateRejected {
        /// Core's id for the update.
        protocol_instance_id: String,
        /// The failure.
        failure: Vec<u8>,
    },
}

/// `routine-pending-state` of the WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingState {
    /// Waits in the handler.
    Handler,
    /// Waits in an interceptor for something Core never brings.
    Interceptor,
    /// Waits in an interceptor for a further activation.
    InterceptorWithActivation,
}

/// `routine-poll-result` of the WIT.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// How the routine stands; `None` for a signal or update routine that waits.
    pub completion: Option<Completion>,
    /// True if anything moved.
    pub made_progress: bool,
    /// Where it waits.
    pub pending: Option<PendingState>,
}

/// Compiled workflow code that instances are made of.
pub trait Module: Send + Sync {
    /// Makes the instance of one run and calls `instantiate-workflow`.
    ///
    /// # Errors
    /// A [`Fault`]; nothing is left behind.
    fn instantiate(&self, init: &Init, moment: Moment) -> Result<Box<dyn Instance>, Fault>;
}

/// The instance of one run. Dropped after any [`Fault::Dead`].
pub trait Instance: Send {
    /// Sets what the guest can observe, refills its fuel and deadline, and calls `activate` with an encoded
    /// `coresdk.workflow_activation.WorkflowActivation`.
    ///
    /// # Errors
    /// A [`Fault`].
    fn activate(&mut self, activation: &[u8], moment: Moment) -> Result<Vec<JobResult>, Fault>;
    /// Calls `poll-routine`, on what is left of the activation's fuel and deadline.
    ///
    /// # Errors
    /// A [`Fault`].
    fn poll_routine(&mut self, routine: u64) -> Result<Poll, Fault>;
    /// Takes the commands pushed since the last call: encoded `coresdk.workflow_commands.WorkflowCommand`s, in order.
    fn take_commands(&mut self) -> Vec<Vec<u8>>;
    /// What the workflow last said of itself by `set-current-details`.
    fn current_details(&self) -> Option<&str>;
    /// Linear memory it holds, in bytes.
    fn memory_bytes(&self) -> u64;
}
