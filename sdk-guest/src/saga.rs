//! Undoing what a workflow has done, when it cannot go on.

mod undone;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, TimerOptions, WorkflowCancellationToken, WorkflowContext,
};

use crate::activity::Activity;
use crate::call::ActivityCall;
use crate::log::{self, Level};
use crate::outcome::ActivityOutcome;

pub use undone::{CompensationReport, Undone};

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
/// Each is tried until it succeeds: its activity without end, by its retry policy; and when that gives up all the same
/// (a failure that is not retryable), from the start after a pause of 1 s that doubles up to 5 min, for as long as the
/// workflow lives. Compensations are detached: cancelling the workflow does not cancel them.
///
/// ```ignore
/// let mut saga = Saga::new();
/// let outcome = async {
///     let reserved = saga.step(ctx, reserve(items), |reserved| release(reserved.id.clone())).await?;
///     saga.step(ctx, charge(amount), |charged| refund(charged.id.clone())).await?;
///     ship(reserved.id).run(ctx).await
/// }
/// .await;
/// match outcome {
///     Ok(shipped) => Ok(shipped),
///     Err(error) => Err(saga.compensate(ctx).await.failed(error)),
/// }
/// ```
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

    /// Sets the first pause before a compensation is tried again, which is 1 s otherwise.
    #[must_use]
    pub fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause.min(PAUSE_MAX);
        self
    }

    /// Runs a step, and registers what undoes it, made by `undo` of the step's output.
    ///
    /// The step is not interrupted by the workflow's cancellation, for a step cut in the middle leaves behind nobody
    /// knows what: ask `ctx.cancellation_token()` between steps. A step that fails for good has not taken effect, and
    /// nothing is registered. A step whose attempts are used up without a clear answer may have taken effect all the
    /// same (the charge was booked, the connection broke): its compensation first settles that. It repeats the step
    /// under the same activity id, hence the same idempotency key, until there is an answer, and then undoes what it
    /// says. An id that the call brings must be no other step's in the execution.
    ///
    /// # Errors
    /// The step's failure.
    pub async fn step<A, U>(
        &mut self,
        ctx: &WorkflowContext<W>,
        call: ActivityCall<A>,
        undo: impl Fn(&A::Output) -> ActivityCall<U> + 'static,
    ) -> Result<A::Output, ActivityExecutionError>
    where
        A: Activity<Input: Clone>,
        U: Activity<Input: Clone>,
    {
        let call = as_step(ctx, call);
        let outcome = call.clone().run(ctx).await;
        match &outcome {
            Ok(output) => self.undo(undo(output)),
            Err(error) if error.is_final() => {}
            Err(_) => self.settle(call, undo),
        }
        outcome
    }

    /// Runs the step after which there is no way back, for nothing undoes it: a shipment, a mail. Like other
    /// [steps](Self::step) it is not interrupted. Where its attempts are used up without a clear answer, it is repeated
    /// under the same activity id until there is one: who undid the steps before it, when it had taken effect after all,
    /// would have shipped what nobody paid.
    ///
    /// # Errors
    /// The step's failure, which is final: it has not taken effect.
    pub async fn last_step<A>(
        &self,
        ctx: &WorkflowContext<W>,
        call: ActivityCall<A>,
    ) -> Result<A::Output, ActivityExecutionError>
    where
        A: Activity<Input: Clone>,
    {
        let call = as_step(ctx, call);
        let mut outcome = call.clone().run(ctx).await;
        let again = call.endless(self.first_pause);
        while outcome.as_ref().is_err_and(|error| !error.is_final()) {
            outcome = again.clone().run(ctx).await;
        }
        outcome
    }

    /// Registers a compensation: detached, and tried without end. Its attempts come in the intervals of the retry policy
    /// that the call was given, otherwise in those of [`Retry::Forever`](crate::presets::Retry::Forever).
    pub fn undo<A: Activity<Input: Clone>>(&mut self, call: ActivityCall<A>) {
        let call = call.endless(self.first_pause);
        self.register(A::NAME.to_owned(), move |ctx| {
            let call = call.clone();
            async move { call.run(&ctx).await.map(drop) }
        });
    }

    /// Whatever `run` starts is out of reach of the workflow's cancellation; `name` is for logs and reports.
    fn register<F, R>(&mut self, name: String, run: F)
    where
        F: Fn(WorkflowContext<W>) -> R + 'static,
        R: Future<Output = Result<(), ActivityExecutionError>> + 'static,
    {
        self.compensations.push(Compensation {
            name,
            run: Box::new(move |ctx| Box::pin(run(ctx))),
        });
    }

    /// Registers the compensation of a step whose outcome is not known: it asks again, and undoes what it hears.
    fn settle<A, U>(
        &mut self,
        call: ActivityCall<A>,
        undo: impl Fn(&A::Output) -> ActivityCall<U> + 'static,
    ) where
        A: Activity<Input: Clone>,
        U: Activity<Input: Clone>,
    {
        let first_pause = self.first_pause;
        let again = call.endless(first_pause);
        let undo = Rc::new(undo);
        self.register(format!("settle {}", A::NAME), move |ctx| {
            let (again, undo) = (again.clone(), undo.clone());
            async move {
                match again.run(&ctx).await {
                    Ok(output) => {
                        let undo = undo(&output).endless(first_pause);
                        undo.run(&ctx).await.map(drop)
                    }
                    Err(error) if error.is_final() => Ok(()),
                    Err(error) => Err(error),
                }
            }
        });
    }

    /// How many compensations there are to run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.compensations.len()
    }

    /// Whether there is nothing to undo.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.compensations.is_empty()
    }

    /// Runs the compensations, the last registered first, each until it succeeds, and tells what became of them: end the
    /// workflow by [`Undone::failed`] or [`Undone::cancelled`], and whoever waits for it hears of it. Failures are in the
    /// log as they happen. Run again, it has nothing to do.
    pub async fn compensate(&mut self, ctx: &WorkflowContext<W>) -> Undone {
        let mut compensations = Vec::with_capacity(self.compensations.len());
        while let Some(compensation) = self.compensations.pop() {
            compensations.push(compensation.insist(ctx, self.first_pause).await);
        }
        Undone { compensations }
    }
}

/// The call out of reach of the workflow's cancellation, under an id by which it can be made again.
fn as_step<W, A: Activity>(ctx: &WorkflowContext<W>, call: ActivityCall<A>) -> ActivityCall<A> {
    match call.id() {
        Some(_) => call,
        None => call.activity_id(fresh_id(ctx)),
    }
    .detached()
}

/// An id that no other activity of the execution has, whichever saga it is of; the same in every replay. The stream is
/// the SDK's own, so authors draw the same numbers with and without it.
fn fresh_id<W>(ctx: &WorkflowContext<W>) -> String {
    let stream = ctx.random_stream("tenterhook-saga");
    format!("step-{:016x}", stream.random::<u64>())
}

impl<W: 'static> Compensation<W> {
    /// Tries until it succeeds.
    async fn insist(self, ctx: &WorkflowContext<W>, first_pause: Duration) -> CompensationReport {
        let mut report = CompensationReport {
            name: self.name,
            tries: 1,
            last_failure: None,
        };
        let mut pause = first_pause;
        while let Err(error) = (self.run)(ctx.clone()).await {
            let why = match error.reason() {
                Some(reason) => reason.to_string(),
                None => error.to_string(),
            };
            let message = format!(
                "compensation {} failed, next try in {} ms: {why}",
                report.name,
                pause.as_millis()
            );
            log::in_workflow(ctx, Level::Warn, &message);
            let timer = TimerOptions::builder(pause)
                .cancellation_token(WorkflowCancellationToken::new())
                .summary(format!("pause before {}", report.name))
                .build();
            ctx.timer(timer).await;
            pause = (pause * 2).min(PAUSE_MAX);
            report.tries = report.tries.saturating_add(1);
            report.last_failure = Some(why);
        }
        if report.tries > 1 {
            let message = format!("compensation {} succeeded at last", report.name);
            log::in_workflow(ctx, Level::Info, &message);
        }
        report
    }
}
