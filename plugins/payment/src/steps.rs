//! The steps of the saga, each with what undoes it.
//!
//! No step is interrupted: cancellation takes effect between steps, for a step cut in the middle leaves behind
//! nobody knows what. A step whose attempts are used up without a clear answer may have taken effect all the same
//! (the charge was booked, the connection broke). Its compensation first settles that: it repeats the step under
//! the same activity id, hence the same idempotency key, until the provider answers, and then undoes what it says.

use std::time::Duration;

use temporalio_workflow::{ActivityExecutionError, ActivityOptions, WorkflowContext};
use tenterhook_sdk::presets::{Retry, Timeout, activity_options};
use tenterhook_sdk::{ActivityOutcome, Saga};

use crate::gateway::{ChargeRequest, Charged, RefundRequest};
use crate::inventory::{ReleaseRequest, ReservationRequest, Reserved};
use crate::model::{PaymentRequest, RETRY_INITIAL_MS_MAX, RETRY_INITIAL_MS_MIN};
use crate::orders::{self, OrderStatusRequest, ShipmentRequest, Shipped};
use crate::process::ProcessPayment;
use crate::{
    ProcessPaymentGateway, RefundPayment, ReleaseInventory, ReserveInventory, TriggerFulfillment,
    UpdateOrderStatus, ValidatePayment,
};

/// Activity ids of the steps that are repeated to learn what came of them.
const RESERVE_ID: &str = "reserve";
const CHARGE_ID: &str = "charge";

type Context = WorkflowContext<ProcessPayment>;

/// The steps of one payment.
pub(crate) struct Steps {
    payment: PaymentRequest,
    saga: Saga<ProcessPayment>,
}

impl Steps {
    pub(crate) fn new(payment: PaymentRequest) -> Self {
        let mut saga = Saga::new();
        if let Some(pause) = first_pause(&payment) {
            saga = saga.with_first_pause(pause);
        }
        Self { payment, saga }
    }

    pub(crate) async fn validate(&mut self, ctx: &Context) -> Result<(), ActivityExecutionError> {
        let options = self.options(Retry::Standard);
        ctx.execute_activity(ValidatePayment, self.payment.clone(), options)
            .await?;
        // Registered first, so undone last: from here on the order hears of a failure.
        let failed = OrderStatusRequest {
            order_id: self.payment.order_id.clone(),
            status: orders::FAILED.to_owned(),
        };
        self.saga
            .add(UpdateOrderStatus, failed, self.options(Retry::Forever));
        Ok(())
    }

    pub(crate) async fn reserve(
        &mut self,
        ctx: &Context,
    ) -> Result<Reserved, ActivityExecutionError> {
        let input = ReservationRequest {
            order_id: self.payment.order_id.clone(),
            items: self.payment.items.clone(),
        };
        let options = self.identified(RESERVE_ID, Retry::Aggressive);
        let outcome = ctx
            .execute_activity(ReserveInventory, input.clone(), options)
            .await;
        match &outcome {
            Ok(reserved) => self.saga.add(
                ReleaseInventory,
                ReleaseRequest::of(reserved),
                self.options(Retry::Forever),
            ),
            Err(error) if error.is_final() => {}
            Err(_) => self.settle_reservation(input),
        }
        outcome
    }

    pub(crate) async fn charge(
        &mut self,
        ctx: &Context,
    ) -> Result<Charged, ActivityExecutionError> {
        let input = ChargeRequest {
            payment_id: self.payment.payment_id.clone(),
            amount: self.payment.amount,
            currency: self.payment.currency.clone(),
            method: self.payment.method.clone(),
        };
        let options = self.identified(CHARGE_ID, Retry::Aggressive);
        let outcome = ctx
            .execute_activity(ProcessPaymentGateway, input.clone(), options)
            .await;
        match &outcome {
            Ok(charged) => self.saga.add(
                RefundPayment,
                RefundRequest::of(&input, charged),
                self.options(Retry::Forever),
            ),
            Err(error) if error.is_final() => {}
            Err(_) => self.settle_charge(input),
        }
        outcome
    }

    pub(crate) async fn confirm(&mut self, ctx: &Context) -> Result<(), ActivityExecutionError> {
        let paid = OrderStatusRequest {
            order_id: self.payment.order_id.clone(),
            status: orders::PAID.to_owned(),
        };
        let options = self.options(Retry::Aggressive);
        ctx.execute_activity(UpdateOrderStatus, paid, options)
            .await
            .map(drop)
    }

    pub(crate) async fn fulfil(
        &mut self,
        ctx: &Context,
        reservation_id: String,
    ) -> Result<Shipped, ActivityExecutionError> {
        let input = ShipmentRequest {
            order_id: self.payment.order_id.clone(),
            reservation_id,
        };
        let options = self.options(Retry::Aggressive);
        ctx.execute_activity(TriggerFulfillment, input, options)
            .await
    }

    /// Undoes, in reverse, what was done.
    pub(crate) async fn undo(&mut self, ctx: &Context) {
        self.saga.compensate(ctx).await;
    }

    fn settle_reservation(&mut self, input: ReservationRequest) {
        let again = self.identified(RESERVE_ID, Retry::Forever);
        let release = self.options(Retry::Forever);
        self.saga
            .add_with("SettleReservation", move |ctx: Context| {
                let (input, again, release) = (input.clone(), again.clone(), release.clone());
                async move {
                    match ctx.execute_activity(ReserveInventory, input, again).await {
                        Ok(reserved) => {
                            let input = ReleaseRequest::of(&reserved);
                            ctx.execute_activity(ReleaseInventory, input, release).await
                        }
                        Err(error) if error.is_final() => Ok(()),
                        Err(error) => Err(error),
                    }
                }
            });
    }

    fn settle_charge(&mut self, input: ChargeRequest) {
        let again = self.identified(CHARGE_ID, Retry::Forever);
        let refund = self.options(Retry::Forever);
        self.saga.add_with("SettleCharge", move |ctx: Context| {
            let (input, again, refund) = (input.clone(), again.clone(), refund.clone());
            async move {
                let charge = ctx.execute_activity(ProcessPaymentGateway, input.clone(), again);
                match charge.await {
                    Ok(charged) => {
                        let input = RefundRequest::of(&input, &charged);
                        ctx.execute_activity(RefundPayment, input, refund)
                            .await
                            .map(drop)
                    }
                    Err(error) if error.is_final() => Ok(()),
                    Err(error) => Err(error),
                }
            }
        });
    }

    /// A preset, with the payment's own first pause, out of reach of the workflow's cancellation.
    fn options(&self, retry: Retry) -> ActivityOptions {
        let mut options = activity_options(Timeout::Short, retry);
        if let (Some(pause), Some(policy)) = (first_pause(&self.payment), &mut options.retry_policy)
        {
            policy.set_initial_interval(pause);
        }
        Saga::<ProcessPayment>::detached(options)
    }

    fn identified(&self, activity_id: &str, retry: Retry) -> ActivityOptions {
        let mut options = self.options(retry);
        options.activity_id = Some(activity_id.to_owned());
        options
    }
}

/// Within its bounds even before the payment is validated.
fn first_pause(payment: &PaymentRequest) -> Option<Duration> {
    let millis = payment.retry_initial_ms?;
    Some(Duration::from_millis(
        millis.clamp(RETRY_INITIAL_MS_MIN, RETRY_INITIAL_MS_MAX),
    ))
}
