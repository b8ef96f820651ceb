//! The workflow `SendNotification`.

use temporalio_workflow::{
    ActivityExecutionError, WorkflowContext, WorkflowContextView, WorkflowResult,
    WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{ActivityOutcome, fan_out};

use crate::messages::{MessageRequest, Sent, send_email, send_notification};
use crate::model::{
    CHANNELS, Channel, ChannelReport, NotificationRequest, NotificationResult, Outcome,
};
use crate::pace::paced;
use crate::profile::{Plan, Route, process_notification};

/// One message under way.
#[workflow]
pub(crate) struct SendNotification {
    request: NotificationRequest,
}

type Context = WorkflowContext<SendNotification>;

#[workflow_methods]
impl SendNotification {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: NotificationRequest) -> Self {
        Self { request }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<NotificationResult> {
        let request = ctx.state(|sending| sending.request.clone());
        let id = request.notification_id.clone();
        log::in_workflow(ctx, Level::Info, &format!("notification {id} begins"));
        let processed = paced(
            process_notification(request.clone()),
            request.retry_initial_ms,
        );
        let plan = match processed.run(ctx).await {
            Ok(plan) => plan,
            Err(error) => {
                let message = format!("notification {id} fails: {error}");
                log::in_workflow(ctx, Level::Warn, &message);
                return Err(error.into_workflow_failure());
            }
        };
        let result = deliver(ctx, &request, plan).await;
        if ctx.cancellation_token().is_cancelled() {
            log::in_workflow(ctx, Level::Warn, &format!("notification {id} is cancelled"));
            return Err(WorkflowTermination::cancelled());
        }
        let message = format!("notification {id} is delivered on {:?}", result.delivered);
        log::in_workflow(ctx, Level::Info, &message);
        Ok(result)
    }
}

/// All channels at once, each on its own account.
async fn deliver(ctx: &Context, request: &NotificationRequest, plan: Plan) -> NotificationResult {
    let mut reports = fan_out(ctx, CHANNELS, plan.routes, |ctx, route| {
        let request = request.clone();
        async move {
            let channel = route.channel;
            report(channel, send(&ctx, &request, route).await)
        }
    })
    .await;
    reports.extend(plan.skipped);
    let place = |report: &ChannelReport| {
        let wanted = request.channels.iter();
        wanted
            .take_while(|channel| **channel != report.channel)
            .count()
    };
    reports.sort_by_key(place);
    let delivered = reports
        .iter()
        .filter(|report| report.outcome == Outcome::Delivered)
        .map(|report| report.channel)
        .collect();
    NotificationResult {
        notification_id: request.notification_id.clone(),
        delivered,
        channels: reports,
    }
}

async fn send(
    ctx: &Context,
    request: &NotificationRequest,
    route: Route,
) -> Result<Sent, ActivityExecutionError> {
    let message = MessageRequest {
        user_id: request.user_id.clone(),
        channel: route.channel,
        to: route.to,
        subject: request.subject.clone(),
        body: request.body.clone(),
    };
    let pause = request.retry_initial_ms;
    match route.channel {
        Channel::Email => paced(send_email(message), pause).run(ctx).await,
        Channel::Push | Channel::InApp => paced(send_notification(message), pause).run(ctx).await,
    }
}

fn report(channel: Channel, sent: Result<Sent, ActivityExecutionError>) -> ChannelReport {
    match sent {
        Ok(sent) => ChannelReport {
            channel,
            outcome: Outcome::Delivered,
            message_id: Some(sent.message_id),
            reason: None,
        },
        Err(error) => ChannelReport {
            channel,
            outcome: Outcome::Failed,
            message_id: None,
            reason: Some(match error.reason() {
                Some(reason) => reason.to_string(),
                None => error.to_string(),
            }),
        },
    }
}
