//! The steps of the saga, each with what undoes it.
//!
//! No step is interrupted: cancellation takes effect between steps. What becomes of a step without a clear answer is
//! [`Saga::step`]'s affair.

use std::time::Duration;

use temporalio_workflow::{ActivityExecutionError, WorkflowContext};
use tenterhook_sdk::{Activity, ActivityCall, Saga, Undone};

use crate::gateway::{
    ChargeRequest, Charged, RefundRequest, process_payment_gateway, refund_payment,
};
use crate::inventory::{
    ReleaseRequest, ReservationRequest, Reserved, release_inventory, reserve_inventory,
};
use crate::model::{PaymentRequest, RETRY_INITIAL_MS_MAX, RETRY_INITIAL_MS_MIN};
use crate::orders::{
    self, OrderStatusRequest, ShipmentRequest, Shipped, trigger_fulfillment, update_order_status,
};
use crate::process::ProcessPayment;
use crate::validation::validate_payment;

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
        let validated = self.step(validate_payment(self.payment.clone())).run(ctx);
        validated.await?;
        // Registered first, so undone last: from here on the order hears of a failure.
        self.saga.undo(self.order_is(orders::FAILED));
        Ok(())
    }

    pub(crate) async fn reserve(
        &mut self,
        ctx: &Context,
    ) -> Result<Reserved, ActivityExecutionError> {
        let request = ReservationRequest {
            order_id: self.payment.order_id.clone(),
            items: self.payment.items.clone(),
        };
        let reserve = self.step(reserve_inventory(request)).activity_id("reserve");
        let release = |reserved: &Reserved| release_inventory(ReleaseRequest::of(reserved));
        self.saga.step(ctx, reserve, release).await
    }

    pub(crate) async fn charge(
        &mut self,
        ctx: &Context,
    ) -> Result<Charged, ActivityExecutionError> {
        let request = ChargeRequest {
            payment_id: self.payment.payment_id.clone(),
            amount: self.payment.amount,
            currency: self.payment.currency.clone(),
            method: self.payment.method.clone(),
        };
        let charge = process_payment_gateway(request.clone());
        let charge = self.step(charge).activity_id("charge");
        let refund = move |charged: &Charged| refund_payment(RefundRequest::of(&request, charged));
        self.saga.step(ctx, charge, refund).await
    }

    pub(crate) async fn confirm(&mut self, ctx: &Context) -> Result<(), ActivityExecutionError> {
        let paid = self.step(self.order_is(orders::PAID));
        paid.run(ctx).await.map(drop)
    }

    pub(crate) async fn fulfil(
        &mut self,
        ctx: &Context,
        reservation_id: String,
    ) -> Result<Shipped, ActivityExecutionError> {
        let request = ShipmentRequest {
            order_id: self.payment.order_id.clone(),
            reservation_id,
        };
        let ship = self.step(trigger_fulfillment(request));
        self.saga.last_step(ctx, ship.activity_id("ship")).await
    }

    /// Undoes, in reverse, what was done.
    pub(crate) async fn undo(&mut self, ctx: &Context) -> Undone {
        self.saga.compensate(ctx).await
    }

    fn order_is(&self, status: &str) -> ActivityCall<orders::UpdateOrderStatus> {
        update_order_status(OrderStatusRequest {
            order_id: self.payment.order_id.clone(),
            status: status.to_owned(),
        })
    }

    /// Out of reach of the workflow's cancellation, with the payment's own first pause.
    fn step<A: Activity>(&self, call: ActivityCall<A>) -> ActivityCall<A> {
        let call = call.detached();
        let Some(pause) = first_pause(&self.payment) else {
            return call;
        };
        let mut policy = A::RETRY.policy();
        policy.set_initial_interval(pause);
        call.retry_policy(policy)
    }
}

/// Within its bounds even before the payment is validated.
fn first_pause(payment: &PaymentRequest) -> Option<Duration> {
    let millis = payment.retry_initial_ms?;
    Some(Duration::from_millis(
        millis.clamp(RETRY_INITIAL_MS_MIN, RETRY_INITIAL_MS_MAX),
    ))
}
