//! One call of an activity by a workflow: the input, and how it is to be run.

mod running;

use std::time::Duration;

use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityExecutionError, ActivityOptions, CancellableFuture,
    LocalActivityOptions, RetryPolicy, WorkflowCancellationToken, WorkflowContext,
};

use running::Running;

use crate::activity::Activity;
use crate::presets::{Retry, Timeout};

/// A call of the activity `A` with an input, made by the function that [`#[activity]`](crate::activity) leaves in place
/// of the author's. It does nothing until it is [run](Self::run).
///
/// Where nothing else is said, the activity's own presets hold: `#[activity(timeout = Short, retry = Aggressive)]`,
/// otherwise [`Timeout::Medium`] and [`Retry::Standard`].
///
/// ```ignore
/// let charged = charge(request).retry(Retry::Aggressive).summary("the deposit").run(ctx).await?;
/// ```
#[derive(Debug)]
#[must_use = "a call does nothing until it is run"]
pub struct ActivityCall<A: Activity> {
    input: A::Input,
    how: How,
}

impl<A: Activity<Input: Clone>> Clone for ActivityCall<A> {
    fn clone(&self) -> Self {
        Self {
            input: self.input.clone(),
            how: self.how.clone(),
        }
    }
}

/// What was said about the call, none of which depends on the activity's types.
#[derive(Clone, Debug, Default)]
struct How {
    timeout: Option<Duration>,
    schedule_to_close: Option<Duration>,
    heartbeat_timeout: Option<Duration>,
    retry: Option<RetryPolicy>,
    activity_id: Option<String>,
    summary: Option<String>,
    detached: bool,
}

impl<A: Activity> ActivityCall<A> {
    /// A call with the activity's own presets.
    pub fn new(input: A::Input) -> Self {
        Self {
            input,
            how: How::default(),
        }
    }

    /// How long one attempt may take.
    pub fn timeout(self, timeout: Timeout) -> Self {
        self.start_to_close(timeout.duration())
    }

    /// How long one attempt may take, where no preset fits.
    pub fn start_to_close(mut self, timeout: Duration) -> Self {
        self.how.timeout = Some(timeout);
        self
    }

    /// How long all attempts together may take, with the pauses between them. Without it they have no common end.
    pub fn schedule_to_close(mut self, timeout: Duration) -> Self {
        self.how.schedule_to_close = Some(timeout);
        self
    }

    /// The longest pause between two heartbeats: an attempt that is silent for longer has died, and another is made.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.how.heartbeat_timeout = Some(timeout);
        self
    }

    /// How attempts are repeated.
    pub fn retry(self, retry: Retry) -> Self {
        self.retry_policy(retry.policy())
    }

    /// How attempts are repeated, where no preset fits.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.how.retry = Some(policy);
        self
    }

    /// The activity's id in its workflow, in place of a number. Two calls of one id have the same idempotency key.
    pub fn activity_id(mut self, id: impl Into<String>) -> Self {
        self.how.activity_id = Some(id.into());
        self
    }

    /// A line for people who look at the execution.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.how.summary = Some(summary.into());
        self
    }

    /// The workflow's cancellation does not reach the activity: for what must be brought to its end.
    pub fn detached(mut self) -> Self {
        self.how.detached = true;
        self
    }

    /// What goes in.
    #[must_use]
    pub fn input(&self) -> &A::Input {
        &self.input
    }

    /// The activity's id, if one was given.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.how.activity_id.as_deref()
    }

    /// The options of the command, as Temporal's SDK takes them.
    #[must_use]
    pub fn options(&self) -> ActivityOptions {
        self.how.options(A::TIMEOUT, A::RETRY)
    }

    /// The options of a local activity. It cannot heartbeat.
    #[must_use]
    pub fn local_options(&self) -> LocalActivityOptions {
        self.how.local_options(A::TIMEOUT, A::RETRY)
    }

    /// Schedules the activity; the future is its result. It can be cancelled, by itself or with the workflow.
    pub fn run<'a, W>(
        self,
        ctx: &'a WorkflowContext<W>,
    ) -> impl CancellableFuture<Output = Result<A::Output, ActivityExecutionError>> + use<'a, A, W>
    {
        Running::scheduled(ctx, A::NAME, &self.input, self.options())
    }

    /// As [`run`](Self::run), within the workflow's task: for what takes less time than its own scheduling.
    pub fn run_local<'a, W>(
        self,
        ctx: &'a WorkflowContext<W>,
    ) -> impl CancellableFuture<Output = Result<A::Output, ActivityExecutionError>> + use<'a, A, W>
    {
        Running::local(ctx, A::NAME, &self.input, self.local_options())
    }

    /// As a compensation: detached and tried without end, in the intervals that were given, otherwise from
    /// `first_pause`.
    pub(crate) fn endless(mut self, first_pause: Duration) -> Self {
        let mut policy = self.how.retry.take().unwrap_or_else(|| {
            let mut policy = Retry::Forever.policy();
            policy.set_initial_interval(first_pause);
            policy
        });
        policy.set_maximum_attempts(0);
        self.retry_policy(policy).detached()
    }
}

impl How {
    fn options(&self, timeout: Timeout, retry: Retry) -> ActivityOptions {
        let start_to_close = self.timeout.unwrap_or(timeout.duration());
        let close = match self.schedule_to_close {
            None => ActivityCloseTimeouts::StartToClose(start_to_close),
            Some(schedule_to_close) => ActivityCloseTimeouts::ScheduleAndStartToClose {
                schedule_to_close,
                start_to_close,
            },
        };
        let mut options = ActivityOptions::with_close_timeouts(close).build();
        options.retry_policy = Some(self.policy(retry));
        options.heartbeat_timeout = self.heartbeat_timeout;
        options.activity_id.clone_from(&self.activity_id);
        options.summary.clone_from(&self.summary);
        options.cancellation_token = self.token();
        options
    }

    fn local_options(&self, timeout: Timeout, retry: Retry) -> LocalActivityOptions {
        let mut options = LocalActivityOptions::default();
        options.start_to_close_timeout = Some(self.timeout.unwrap_or(timeout.duration()));
        options.schedule_to_close_timeout = self.schedule_to_close;
        options.retry_policy = self.policy(retry);
        options.activity_id.clone_from(&self.activity_id);
        options.summary.clone_from(&self.summary);
        options.cancellation_token = self.token();
        options
    }

    fn policy(&self, retry: Retry) -> RetryPolicy {
        self.retry.clone().unwrap_or_else(|| retry.policy())
    }

    fn token(&self) -> Option<WorkflowCancellationToken> {
        self.detached.then(WorkflowCancellationToken::new)
    }
}
