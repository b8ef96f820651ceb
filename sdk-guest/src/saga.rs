//! Undoing what a workflow has done, when it cannot go on.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, TimerOptions, WorkflowCancellationToken,
    WorkflowContext,
};

use crate::log::{self, Level};

/// The pause before a compensation is tried a second time, and the longest pause between two tries.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);

type Attempt = Pin<Box<dyn Future<Output = Result<(), ActivityExecutionError>>>>;

struct Compensation<W> {
    name: String,
    run: Box<dyn Fn(WorkflowContext<W>) -> Attempt>,
}

/// Compensations, registered as a workflow goes along and run in reverse when it fails or is cancelled.
///
/// Each is tried until it succeeds: the retry policy of its activity first, then, when that gives up (its attempts
/// are used up, or the failure is not retryable), from the start after a pause of 1 s that doubles up to 5 min, for
/// as long as the workflow lives. Compensations run in a scope of their own: cancelling the workflow does not cancel
/// them.
pub struct Saga<W> {
    compensations: Vec<Compensation<W>>,
    first_pause: Duration,
}

impl<W> Default for Saga<W> {
    fn default() -> Self {
        Self {
            compensations: Vec::new(),
            first_pause: PAUSE_FIRST,
        }
    }
}

impl<W: 'static> Saga<W> {
    /// A saga with nothing to undo yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the pause before a compensation that gave up is tried again.
    #[must_use]
    pub fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause.min(PAUSE_MAX);
        self
    }

    /// Registers an activity that undoes what has just been, or is just about to be done.
    ///
    /// The options' cancellation token is replaced by one that the workflow's cancellation does not reach.
    pub fn add<A>(&mut self, activity: A, input: A::Input, options: ActivityOptions)
    where
        A: ActivityDefinition + Clone + 'static,
        A::Input: Clone,
    {
        self.add_with(activity.name().to_owned(), move |ctx| {
            let (activity, input, options) = (activity.clone(), input.clone(), options.clone());
            async move {
                let options = detached(options);
                ctx.execute_activity(activity, input, options)
                    .await
                    .map(drop)
            }
        });
    }

    /// Registers workflow code that undoes something; `name` names it in the log. It must start every operation in
    /// a scope that the workflow's cancellation does not reach, see [`detached`](Self::detached).
    pub fn add_with<F, R>(&mut self, name: impl Into<String>, run: F)
    where
        F: Fn(WorkflowContext<W>) -> R + 'static,
        R: Future<Output = Result<(), ActivityExecutionError>> + 'static,
    {
        self.compensations.push(Compensation {
            name: name.into(),
            run: Box::new(move |ctx| Box::pin(run(ctx))),
        });
    }

    /// The same options, out of reach of the workflow's cancellation.
    #[must_use]
    pub fn detached(options: ActivityOptions) -> ActivityOptions {
        detached(options)
    }

    /// Runs the compensations, the last registered first, each until it succeeds. Run again, it has nothing to do.
    pub async fn compensate(&mut self, ctx: &WorkflowContext<W>) {
        while let Some(compensation) = self.compensations.pop() {
            let mut pause = self.first_pause;
            while let Err(error) = (compensation.run)(ctx.clone()).await {
                let message = format!(
                    "compensation {} failed, next try in {} ms: {error}",
                    compensation.name,
                    pause.as_millis()
                );
                log::in_workflow(ctx, Level::Warn, &message);
                let timer = TimerOptions::builder(pause)
                    .cancellation_token(WorkflowCancellationToken::new())
                    .summary(format!("pause before {}", compensation.name))
                    .build();
                ctx.timer(timer).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

fn detached(mut options: ActivityOptions) -> ActivityOptions {
    options.cancellation_token = Some(WorkflowCancellationToken::new());
    options
}
