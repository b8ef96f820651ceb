//! The workflow `ProcessPayment`.

use std::error::Error;

use temporalio_workflow::{
    ActivityExecutionError, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::Undone;
use tenterhook_sdk::log::{self, Level};

use crate::model::{PaymentRequest, PaymentResult, PaymentStatus, Stage};
use crate::steps::Steps;

/// One payment under way.
#[workflow]
pub(crate) struct ProcessPayment {
    request: PaymentRequest,
    stage: Stage,
    charge_id: Option<String>,
    reservation_id: Option<String>,
    shipment_id: Option<String>,
    reason: Option<String>,
    cancel_requested: bool,
}

/// Why a payment does not go on.
enum Stop {
    /// A step failed.
    Failed(Box<ActivityExecutionError>),
    /// The update `cancel` came in time, or the workflow was cancelled.
    Cancelled,
}

impl From<ActivityExecutionError> for Stop {
    fn from(error: ActivityExecutionError) -> Self {
        Self::Failed(Box::new(error))
    }
}

#[workflow_methods]
impl ProcessPayment {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: PaymentRequest) -> Self {
        Self {
            request,
            stage: Stage::Validating,
            charge_id: None,
            reservation_id: None,
            shipment_id: None,
            reason: None,
            cancel_requested: false,
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<PaymentResult> {
        let request = ctx.state(|payment| payment.request.clone());
        let payment_id = request.payment_id.clone();
        log::in_workflow(ctx, Level::Info, &format!("payment {payment_id} begins"));
        let mut steps = Steps::new(request);
        let ended = match go_on(ctx, &mut steps).await {
            Ok(result) => {
                enter(ctx, Stage::Completed);
                Ok(result)
            }
            Err(stop) => {
                let reason = stop.reason();
                log::in_workflow(
                    ctx,
                    Level::Warn,
                    &format!("payment {payment_id} is undone: {reason}"),
                );
                ctx.state_mut(|payment| payment.reason = Some(reason));
                enter(ctx, Stage::Compensating);
                let undone = steps.undo(ctx).await;
                stop.end(ctx, &undone)
            }
        };
        log::in_workflow(
            ctx,
            Level::Info,
            &format!("payment {payment_id} ends as {:?}", stage(ctx)),
        );
        ended
    }

    #[query]
    pub(crate) fn status(&self, _ctx: &WorkflowContextView) -> PaymentStatus {
        PaymentStatus {
            payment_id: self.request.payment_id.clone(),
            step: self.stage,
            charge_id: self.charge_id.clone(),
            reservation_id: self.reservation_id.clone(),
            shipment_id: self.shipment_id.clone(),
            reason: self.reason.clone(),
        }
    }

    /// Takes effect when the step under way has ended: what was done is undone, and the workflow ends as cancelled.
    #[update]
    pub(crate) fn cancel(&mut self, _ctx: &mut SyncWorkflowContext<Self>) -> Stage {
        self.cancel_requested = true;
        self.stage
    }

    #[update_validator(cancel)]
    fn validate_cancel(
        &self,
        _ctx: &WorkflowContextView,
        _input: &(),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.stage < Stage::Charging {
            return Ok(());
        }
        Err(format!(
            "payment {} can only be cancelled before its charge; it is {:?}",
            self.request.payment_id, self.stage
        )
        .into())
    }
}

/// The steps in order. Cancellation is looked for before each of them, and not after the last: what is shipped is
/// done.
async fn go_on(
    ctx: &WorkflowContext<ProcessPayment>,
    steps: &mut Steps,
) -> Result<PaymentResult, Stop> {
    enter_unless_cancelled(ctx, Stage::Validating)?;
    steps.validate(ctx).await?;

    enter_unless_cancelled(ctx, Stage::Reserving)?;
    let reservation_id = steps.reserve(ctx).await?.reservation_id;
    ctx.state_mut(|payment| payment.reservation_id = Some(reservation_id.clone()));

    enter_unless_cancelled(ctx, Stage::Charging)?;
    let charge_id = steps.charge(ctx).await?.charge_id;
    ctx.state_mut(|payment| payment.charge_id = Some(charge_id.clone()));

    enter_unless_cancelled(ctx, Stage::Confirming)?;
    steps.confirm(ctx).await?;

    enter_unless_cancelled(ctx, Stage::Fulfilling)?;
    let shipped = steps.fulfil(ctx, reservation_id.clone()).await?;
    let shipment_id = shipped.shipment_id;
    ctx.state_mut(|payment| payment.shipment_id = Some(shipment_id.clone()));
    Ok(PaymentResult {
        payment_id: ctx.state(|payment| payment.request.payment_id.clone()),
        status: Stage::Completed,
        charge_id,
        reservation_id,
        shipment_id,
    })
}

fn enter_unless_cancelled(ctx: &WorkflowContext<ProcessPayment>, next: Stage) -> Result<(), Stop> {
    let requested = ctx.state(|payment| payment.cancel_requested);
    if requested || ctx.cancellation_token().is_cancelled() {
        return Err(Stop::Cancelled);
    }
    enter(ctx, next);
    Ok(())
}

fn enter(ctx: &WorkflowContext<ProcessPayment>, next: Stage) {
    ctx.state_mut(|payment| payment.stage = next);
    ctx.set_current_details(format!("{next:?}"));
}

fn stage(ctx: &WorkflowContext<ProcessPayment>) -> Stage {
    ctx.state(|payment| payment.stage)
}

impl Stop {
    /// Why, for a person.
    fn reason(&self) -> String {
        match self {
            Self::Failed(error) => match error.reason() {
                Some(reason) => reason.to_string(),
                None => error.to_string(),
            },
            Self::Cancelled => "cancelled before it was complete".to_owned(),
        }
    }

    /// How the workflow ends, once everything is undone.
    fn end(
        self,
        ctx: &WorkflowContext<ProcessPayment>,
        undone: &Undone,
    ) -> WorkflowResult<PaymentResult> {
        match self {
            Self::Failed(error) => {
                enter(ctx, Stage::Failed);
                Err(undone.failed(*error))
            }
            Self::Cancelled => {
                enter(ctx, Stage::Cancelled);
                Err(undone.cancelled())
            }
        }
    }
}
