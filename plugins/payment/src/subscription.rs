//! The workflow `SubscriptionPayment`: one run a period, which continues as new.
//!
//! A charge is made under an id that stays the same until the gateway has said no: where its answer was lost, the next
//! try asks for the same charge again, and nobody pays twice. Money that was taken and cannot be booked goes back.

mod dunning;
pub(crate) mod model;
mod period;
pub(crate) mod record;

use temporalio_workflow::{
    ActivityExecutionError, ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{Activity, ActivityCall, ActivityOutcome, ErrorKind, Saga, time};

use self::dunning::Collected;
use self::model::{
    Carried, PlanChange, Reason, SubscriptionRequest, SubscriptionResult, SubscriptionState,
    SubscriptionStep,
};
use self::period::Period;
use self::record::{
    Details, SubscriptionRef, SubscriptionStatus, SubscriptionUpdate, get_subscription_details,
    update_subscription,
};
use crate::gateway::{RefundRequest, refund_payment};

/// One subscription, and the period of it that this run is about.
#[workflow]
pub(crate) struct SubscriptionPayment {
    request: SubscriptionRequest,
    step: SubscriptionStep,
    period: Option<Period>,
    /// Charges of this period that the gateway declined.
    declined: u32,
    periods_paid: u64,
    /// The signal `cancel` came.
    cancel: bool,
    /// The last plan that was changed to, until the next period begins.
    plan: Option<PlanChange>,
}

type Context = WorkflowContext<SubscriptionPayment>;

/// Why a run does not go on.
enum Stop {
    /// A step failed.
    Failed(Box<ActivityExecutionError>),
    /// The input or the subscription is wrong.
    Wrong(Box<WorkflowTermination>),
    /// The workflow was cancelled.
    Cancelled,
}

impl From<ActivityExecutionError> for Stop {
    fn from(error: ActivityExecutionError) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<WorkflowTermination> for Stop {
    fn from(termination: WorkflowTermination) -> Self {
        Self::Wrong(Box::new(termination))
    }
}

#[workflow_methods]
impl SubscriptionPayment {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, mut request: SubscriptionRequest) -> Self {
        let carried = request.carried.take().unwrap_or_default();
        Self {
            request,
            step: SubscriptionStep::Loading,
            period: None,
            declined: 0,
            periods_paid: carried.periods_paid,
            cancel: carried.cancel,
            plan: carried.plan,
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<SubscriptionResult> {
        let request = ctx.state(|subscription| subscription.request.clone());
        let id = request.subscription_id.clone();
        log::in_workflow(
            ctx,
            Level::Info,
            &format!("subscription {id}: a run begins"),
        );
        let mut saga = Saga::new();
        if let Some(pause) = request.first_pause() {
            saga = saga.with_first_pause(pause);
        }
        let ended = match go_on(ctx, &request, &mut saga).await {
            Ok(ended) => ended,
            Err(stop) => {
                enter(ctx, SubscriptionStep::Compensating);
                let undone = saga.compensate(ctx).await;
                let (step, termination) = match stop {
                    Stop::Failed(error) => (SubscriptionStep::Failed, undone.failed(*error)),
                    // Found out before a charge is made: there was nothing to undo.
                    Stop::Wrong(why) => (SubscriptionStep::Failed, *why),
                    Stop::Cancelled => (SubscriptionStep::Stopped, undone.cancelled()),
                };
                enter(ctx, step);
                let message = format!("subscription {id} is not charged any more: {termination}");
                log::in_workflow(ctx, Level::Warn, &message);
                return Err(termination);
            }
        };
        if let Some(reason) = ended {
            enter(ctx, SubscriptionStep::Ended);
            let message = format!("subscription {id} ends: {reason:?}");
            log::in_workflow(ctx, Level::Info, &message);
            return Ok(ctx.state(|subscription| subscription.result(reason)));
        }
        log::in_workflow(
            ctx,
            Level::Info,
            &format!("subscription {id}: a period is over"),
        );
        let next = ctx.state(SubscriptionPayment::next_run);
        ctx.continue_as_new(next, ContinueAsNewOptions::default())?;
        // Not reached: the line above always leaves.
        Ok(ctx.state(|subscription| subscription.result(Reason::Cancelled)))
    }

    /// The subscription ends with the period that is paid; at once where none is.
    #[signal]
    pub(crate) fn cancel(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.cancel = true;
    }

    /// Another plan from the next period on. The last word counts.
    #[signal]
    pub(crate) fn change_plan(&mut self, _ctx: &mut SyncWorkflowContext<Self>, plan: PlanChange) {
        self.plan = Some(plan);
    }

    #[query]
    pub(crate) fn status(&self, _ctx: &WorkflowContextView) -> SubscriptionState {
        SubscriptionState {
            subscription_id: self.request.subscription_id.clone(),
            step: self.step,
            period_start: self.period.as_ref().map(|period| period.start.clone()),
            period_end: self.period.as_ref().map(|period| period.end.clone()),
            declined: self.declined,
            periods_paid: self.periods_paid,
            cancelling: self.cancel,
            next_plan: self.plan.as_ref().map(|plan| plan.plan.clone()),
        }
    }
}

impl SubscriptionPayment {
    fn result(&self, reason: Reason) -> SubscriptionResult {
        SubscriptionResult {
            subscription_id: self.request.subscription_id.clone(),
            reason,
            periods_paid: self.periods_paid,
        }
    }

    fn next_run(&self) -> SubscriptionRequest {
        SubscriptionRequest {
            carried: Some(Carried {
                periods_paid: self.periods_paid,
                cancel: self.cancel,
                plan: self.plan.clone(),
            }),
            ..self.request.clone()
        }
    }
}

/// One period. Answers why the subscription ends, if it does.
async fn go_on(
    ctx: &Context,
    request: &SubscriptionRequest,
    saga: &mut Saga<SubscriptionPayment>,
) -> Result<Option<Reason>, Stop> {
    request.validate()?;
    let subscription = SubscriptionRef {
        subscription_id: request.subscription_id.clone(),
    };
    let details = step(request, get_subscription_details(subscription));
    let mut details = details.run(ctx).await?;
    if details.status == SubscriptionStatus::Cancelled {
        return Ok(Some(Reason::Cancelled));
    }
    let mut period = Period::running(&details)?;
    if details.status == SubscriptionStatus::Pending || period.is_over(time::now(ctx))? {
        if details.cancel_at_period_end || ctx.state(|subscription| subscription.cancel) {
            return end(ctx, request, Reason::Cancelled, saga).await;
        }
        change_plan(ctx, request, &mut details).await?;
        period = period.due(ctx, request, &details)?;
        ctx.state_mut(|subscription| subscription.period = Some(period.clone()));
        match dunning::collect(ctx, request, &details, &period, saga).await? {
            Collected::Paid => book(ctx, request, &period, saga).await?,
            Collected::Cancelled => return end(ctx, request, Reason::Cancelled, saga).await,
            Collected::Refused => return end(ctx, request, Reason::NotPaid, saga).await,
        }
    }
    ctx.state_mut(|subscription| subscription.period = Some(period.clone()));
    sleep(ctx, request, &details, &period).await?;
    Ok(None)
}

/// Takes up the last change of plan.
async fn change_plan(
    ctx: &Context,
    request: &SubscriptionRequest,
    details: &mut Details,
) -> Result<(), Stop> {
    let Some(change) = ctx.state(|subscription| subscription.plan.clone()) else {
        return Ok(());
    };
    let update = SubscriptionUpdate {
        plan: Some(change.plan.clone()),
        price: Some(change.price),
        currency: Some(change.currency.clone()),
        ..SubscriptionUpdate::of(request)
    };
    *details = step(request, update_subscription(update)).run(ctx).await?;
    // A further change that came meanwhile is the next period's.
    ctx.state_mut(|subscription| {
        if subscription.plan.as_ref() == Some(&change) {
            subscription.plan = None;
        }
    });
    Ok(())
}

/// Writes down that a period is paid; the charge is refunded if that is not possible. Where nobody hears whether it is
/// written down, it is asked until somebody does: a refund of what the service has as paid would be a period for nothing.
async fn book(
    ctx: &Context,
    request: &SubscriptionRequest,
    period: &Period,
    saga: &mut Saga<SubscriptionPayment>,
) -> Result<(), Stop> {
    let update = SubscriptionUpdate {
        status: Some(SubscriptionStatus::Active),
        period_start: Some(period.start.clone()),
        period_end: Some(period.end.clone()),
        ..SubscriptionUpdate::of(request)
    };
    let update = step(request, update_subscription(update)).activity_id("book");
    saga.last_step(ctx, update).await?;
    // It is paid and booked: there is nothing to undo any more.
    *saga = Saga::new();
    ctx.state_mut(|subscription| subscription.periods_paid += 1);
    Ok(())
}

/// Until the period is over. That the subscription ends with it is written down as soon as it is known.
async fn sleep(
    ctx: &Context,
    request: &SubscriptionRequest,
    details: &Details,
    period: &Period,
) -> Result<(), Stop> {
    enter(ctx, SubscriptionStep::Sleeping);
    let mut told = details.cancel_at_period_end;
    loop {
        let left = period.left(time::now(ctx))?;
        let cancelled = |subscription: &SubscriptionPayment| subscription.cancel && !told;
        match wait::until(ctx, left, "sleeps until the next period", cancelled).await {
            Waited::Elapsed => return Ok(()),
            Waited::Cancelled => return Err(Stop::Cancelled),
            Waited::Met => {
                let update = SubscriptionUpdate {
                    cancel_at_period_end: Some(true),
                    ..SubscriptionUpdate::of(request)
                };
                step(request, update_subscription(update)).run(ctx).await?;
                told = true;
            }
        }
    }
}

/// Writes down that the subscription is over, which it may be already; until it is heard whether it is.
async fn end(
    ctx: &Context,
    request: &SubscriptionRequest,
    reason: Reason,
    saga: &Saga<SubscriptionPayment>,
) -> Result<Option<Reason>, Stop> {
    let update = SubscriptionUpdate {
        status: Some(SubscriptionStatus::Cancelled),
        ..SubscriptionUpdate::of(request)
    };
    let update = step(request, update_subscription(update)).activity_id("end");
    match saga.last_step(ctx, update).await {
        Err(error) if error.type_name() != Some(ErrorKind::Conflict.name()) => Err(error.into()),
        _ => Ok(Some(reason)),
    }
}

/// What undoes a charge.
fn refund(
    charge: &crate::gateway::ChargeRequest,
    charged: &crate::gateway::Charged,
) -> ActivityCall<crate::gateway::RefundPayment> {
    refund_payment(RefundRequest::of(charge, charged))
}

/// A step: out of reach of the workflow's cancellation, at the request's own pace.
fn step<A: Activity>(request: &SubscriptionRequest, call: ActivityCall<A>) -> ActivityCall<A> {
    let call = call.detached();
    let Some(pause) = request.first_pause() else {
        return call;
    };
    let mut policy = A::RETRY.policy();
    policy.set_initial_interval(pause);
    call.retry_policy(policy)
}

fn enter(ctx: &Context, next: SubscriptionStep) {
    ctx.state_mut(|subscription| subscription.step = next);
    ctx.set_current_details(format!("{next:?}"));
}
