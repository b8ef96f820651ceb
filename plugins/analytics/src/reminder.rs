//! The workflow `Reminder`.
//!
//! Cancellation takes effect while it waits and before it sends; a reminder that was sent is marked as sent.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination, workflow,
    workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{Activity, ActivityCall, ActivityOutcome, Findings, Saga, time};

use crate::model::{NAME_CHARS_MAX, ReminderRequest, ReminderResult};
use crate::pace::paced;
use crate::reminders::{
    ReminderRef, SentRequest, mark_reminder_sent, send_reminder, validate_reminder,
};

/// One reminder until it is sent.
#[workflow]
pub(crate) struct Reminder {
    request: ReminderRequest,
}

type Context = WorkflowContext<Reminder>;

#[workflow_methods]
impl Reminder {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: ReminderRequest) -> Self {
        Self { request }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<ReminderResult> {
        let request = ctx.state(|reminder| reminder.request.clone());
        let id = request.reminder_id.clone();
        let at = &request.scheduled_at;
        log::in_workflow(ctx, Level::Info, &format!("reminder {id} waits until {at}"));
        let ended = remind(ctx, &request).await;
        let (level, how) = match &ended {
            Ok(result) if result.sent => (Level::Info, "is sent".to_owned()),
            Ok(_) => (Level::Info, "is not wanted".to_owned()),
            Err(why) => (Level::Warn, format!("is not sent: {why}")),
        };
        log::in_workflow(ctx, level, &format!("reminder {id} {how}"));
        ended
    }
}

async fn remind(ctx: &Context, request: &ReminderRequest) -> WorkflowResult<ReminderResult> {
    let mut findings = Findings::default();
    findings.text("reminder_id", &request.reminder_id, NAME_CHARS_MAX);
    findings.workflow_verdict("the reminder cannot be sent")?;
    let due = time::parse("scheduled_at", &request.scheduled_at)?.to_utc();
    let left = time::between(time::now(ctx), due);
    if wait::until(ctx, left, "waits until it is due", |_| false).await == Waited::Cancelled {
        return Err(WorkflowTermination::cancelled());
    }
    let reminder = ReminderRef {
        reminder_id: request.reminder_id.clone(),
    };
    let validated = run(ctx, request, validate_reminder(reminder)).await?;
    let mut result = ReminderResult {
        reminder_id: request.reminder_id.clone(),
        sent: false,
        reason: validated.unwanted,
        message_id: None,
        sent_at: None,
    };
    if result.reason.is_some() {
        return Ok(result);
    }
    if ctx.cancellation_token().is_cancelled() {
        return Err(WorkflowTermination::cancelled());
    }
    // Until it is heard whether it was sent: otherwise it might be sent, not marked, and sent again by another run.
    let send = paced(send_reminder(validated.message), request.retry_initial_ms);
    let sent = Saga::new().last_step(ctx, send.activity_id("send")).await;
    let sent = sent.map_err(ActivityOutcome::into_workflow_failure)?;
    let sent_at = time::text(time::now(ctx));
    let mark = SentRequest {
        reminder_id: request.reminder_id.clone(),
        sent_at: sent_at.clone(),
    };
    run(ctx, request, mark_reminder_sent(mark)).await?;
    result.sent = true;
    result.message_id = Some(sent.message_id);
    result.sent_at = Some(sent_at);
    Ok(result)
}

/// A step: out of reach of the workflow's cancellation, at the request's own pace.
async fn run<A: Activity>(
    ctx: &Context,
    request: &ReminderRequest,
    call: ActivityCall<A>,
) -> WorkflowResult<A::Output> {
    paced(call, request.retry_initial_ms)
        .detached()
        .run(ctx)
        .await
        .map_err(ActivityOutcome::into_workflow_failure)
}
