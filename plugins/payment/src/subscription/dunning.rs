//! Getting a period paid: a charge, and what follows where it is declined.
//!
//! Charge, pause, charge again, to the end of the pauses; then the subscription is past due; then one last charge.

use temporalio_workflow::ActivityExecutionError;
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::presets::Retry;
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{Activity, ActivityCall, ActivityOutcome, Saga};

use super::model::{SubscriptionRequest, SubscriptionStep};
use super::period::Period;
use super::record::{Details, SubscriptionStatus, SubscriptionUpdate, update_subscription};
use super::{Context, Stop, SubscriptionPayment, enter, refund, step};
use crate::gateway::{
    ChargeRequest, Charged, PAYMENT_DECLINED, ProcessPaymentGateway, process_payment_gateway,
};

/// How a period's dunning ended.
pub(super) enum Collected {
    Paid,
    /// The signal `cancel` came before it was paid.
    Cancelled,
    /// Every charge was declined.
    Refused,
}

/// The charge of one period, and what is known of it.
struct Collecting<'a> {
    ctx: &'a Context,
    request: &'a SubscriptionRequest,
    charge: ChargeRequest,
    /// Charges that were declined: the next one has another id.
    declined: u32,
    /// The last one was not answered, so it may have been made.
    unclear: bool,
}

/// Gets a period paid. What was taken is refunded by `saga`.
pub(super) async fn collect(
    ctx: &Context,
    request: &SubscriptionRequest,
    details: &Details,
    period: &Period,
    saga: &mut Saga<SubscriptionPayment>,
) -> Result<Collected, Stop> {
    let charge = ChargeRequest {
        payment_id: format!("{}:{}", details.subscription_id, period.start),
        amount: details.price,
        currency: details.currency.clone(),
        method: details.payment_method.clone(),
    };
    let mut collecting = Collecting {
        ctx,
        request,
        charge,
        declined: 0,
        unclear: false,
    };
    let (charged, ended) = match collecting.collect().await {
        Ok(Ok(charged)) => (Some(charged), Ok(Collected::Paid)),
        Ok(Err(ended)) => (None, Ok(ended)),
        Err(stop) => (None, Err(stop)),
    };
    let charged = match charged {
        None if collecting.unclear => collecting.settle().await?,
        charged => charged,
    };
    let Some(charged) = charged else {
        return ended;
    };
    saga.undo(refund(&collecting.charge, &charged));
    // Where the workflow was cancelled meanwhile, the saga gives the money back.
    ended.map(|_| Collected::Paid)
}

impl Collecting<'_> {
    /// The charge, or how it ended without one.
    async fn collect(&mut self) -> Result<Result<Charged, Collected>, Stop> {
        let mut pauses = self.request.pauses().into_iter();
        let mut past_due = false;
        enter(self.ctx, SubscriptionStep::Charging);
        loop {
            if self.ctx.cancellation_token().is_cancelled() {
                return Err(Stop::Cancelled);
            }
            if let Some(charged) = self.try_once(self.call()).await? {
                return Ok(Ok(charged));
            }
            let (next, pause) = match pauses.next() {
                Some(pause) => (SubscriptionStep::Dunning, pause),
                None if past_due => return Ok(Err(Collected::Refused)),
                None => {
                    self.mark_past_due().await?;
                    past_due = true;
                    (SubscriptionStep::PastDue, self.request.grace())
                }
            };
            enter(self.ctx, next);
            let cancelled = |subscription: &SubscriptionPayment| subscription.cancel;
            match wait::until(self.ctx, pause, "waits before the next charge", cancelled).await {
                Waited::Elapsed => {}
                Waited::Met => return Ok(Err(Collected::Cancelled)),
                Waited::Cancelled => return Err(Stop::Cancelled),
            }
        }
    }

    /// Asks until there is an answer what became of the last charge.
    async fn settle(&mut self) -> Result<Option<Charged>, Stop> {
        let mut policy = Retry::Forever.policy();
        if let Some(pause) = self.request.first_pause() {
            policy.set_initial_interval(pause);
        }
        let call = self.call().retry_policy(policy);
        self.try_once(call).await
    }

    /// One charge; nothing where it was declined or not answered.
    async fn try_once(
        &mut self,
        call: ActivityCall<ProcessPaymentGateway>,
    ) -> Result<Option<Charged>, Stop> {
        let error = match call.run(self.ctx).await {
            Ok(charged) => {
                self.unclear = false;
                return Ok(Some(charged));
            }
            Err(error) => error,
        };
        self.unclear = !error.is_final();
        if error.is_final() && error.type_name() != Some(PAYMENT_DECLINED) {
            return Err(error.into());
        }
        if error.is_final() {
            self.declined += 1;
            let declined = self.declined;
            self.ctx
                .state_mut(|subscription| subscription.declined = declined);
        }
        self.say(&error);
        Ok(None)
    }

    /// Under the id of those before that were not answered.
    fn call(&self) -> ActivityCall<ProcessPaymentGateway> {
        step(self.request, process_payment_gateway(self.charge.clone()))
            .activity_id(format!("charge-{}", self.declined + 1))
    }

    async fn mark_past_due(&self) -> Result<(), Stop> {
        let update = SubscriptionUpdate {
            status: Some(SubscriptionStatus::PastDue),
            ..SubscriptionUpdate::of(self.request)
        };
        let update = step(self.request, update_subscription(update));
        update.run(self.ctx).await?;
        Ok(())
    }

    fn say(&self, error: &ActivityExecutionError) {
        let what = match self.unclear {
            true => "is not answered",
            false => "is declined",
        };
        let message = format!(
            "{} {} of {what}: {error}",
            ProcessPaymentGateway::NAME,
            self.charge.payment_id
        );
        log::in_workflow(self.ctx, Level::Warn, &message);
    }
}
