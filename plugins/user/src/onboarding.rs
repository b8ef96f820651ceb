//! The workflow `Onboarding`.
//!
//! No step is interrupted: cancellation takes effect between steps and while it waits. What was done by then stays: a
//! welcome package cannot be taken back, and an active user stays one.

use std::time::Duration;

use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
    workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{ActivityOutcome, Findings, time};

use crate::messages::{MessageRequest, send_email};
use crate::model::{
    Channel, NAME_CHARS_MAX, OnboardingRequest, OnboardingResult, Progress, REMIND_AFTER_MS,
    REMIND_AFTER_MS_MAX, Step,
};
use crate::pace::paced;
use crate::profile::{
    ACTIVE, UserStatus, WelcomeRequest, send_welcome_package, update_user_status,
};

/// What the reminder says.
const REMINDER_SUBJECT: &str = "Your profile is almost complete";
const REMINDER_BODY: &str = "Complete your profile to get the most out of your account.";

/// One user on the way in.
#[workflow]
pub(crate) struct Onboarding {
    request: OnboardingRequest,
    step: Step,
    package_id: Option<String>,
    profile_completed: bool,
    reminded: bool,
    waits_until: Option<String>,
}

type Context = WorkflowContext<Onboarding>;

#[workflow_methods]
impl Onboarding {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: OnboardingRequest) -> Self {
        Self {
            request,
            step: Step::Validating,
            package_id: None,
            profile_completed: false,
            reminded: false,
            waits_until: None,
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OnboardingResult> {
        let request = ctx.state(|onboarding| onboarding.request.clone());
        let user_id = request.user_id.clone();
        log::in_workflow(ctx, Level::Info, &format!("user {user_id} comes in"));
        let ended = go_on(ctx, &request).await;
        let (step, level, how) = match &ended {
            Ok(_) => (Step::Completed, Level::Info, "is in".to_owned()),
            Err(WorkflowTermination::Cancelled { .. }) => {
                (Step::Cancelled, Level::Warn, "is cancelled".to_owned())
            }
            Err(why) => (Step::Failed, Level::Warn, format!("fails: {why}")),
        };
        enter(ctx, step);
        log::in_workflow(ctx, level, &format!("user {user_id} {how}"));
        ended
    }

    /// The profile is complete: no reminder is needed.
    #[signal]
    pub(crate) fn profile_completed(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.profile_completed = true;
    }

    #[query]
    pub(crate) fn progress(&self, _ctx: &WorkflowContextView) -> Progress {
        Progress {
            user_id: self.request.user_id.clone(),
            step: self.step,
            package_id: self.package_id.clone(),
            profile_completed: self.profile_completed,
            reminded: self.reminded,
            waits_until: self.waits_until.clone(),
        }
    }
}

async fn go_on(ctx: &Context, request: &OnboardingRequest) -> WorkflowResult<OnboardingResult> {
    validate(request)?;
    let pause = request.retry_initial_ms;

    enter_unless_cancelled(ctx, Step::Welcoming)?;
    let welcome = WelcomeRequest {
        user_id: request.user_id.clone(),
    };
    let welcomed = paced(send_welcome_package(welcome), pause).detached();
    let package = welcomed
        .run(ctx)
        .await
        .map_err(ActivityOutcome::into_workflow_failure)?;
    let package_id = package.package_id;
    ctx.state_mut(|onboarding| onboarding.package_id = Some(package_id.clone()));

    enter_unless_cancelled(ctx, Step::Activating)?;
    let active = UserStatus {
        user_id: request.user_id.clone(),
        status: ACTIVE.to_owned(),
    };
    let activated = paced(update_user_status(active), pause).detached();
    activated
        .run(ctx)
        .await
        .map_err(ActivityOutcome::into_workflow_failure)?;

    let profile_completed = profile_comes(ctx, request).await?;
    let reminder_failure = match profile_completed {
        true => None,
        false => remind(ctx, request).await?,
    };
    Ok(OnboardingResult {
        user_id: request.user_id.clone(),
        package_id,
        profile_completed,
        reminded: ctx.state(|onboarding| onboarding.reminded),
        reminder_failure,
    })
}

/// Whether the profile is completed before the time is over.
async fn profile_comes(ctx: &Context, request: &OnboardingRequest) -> WorkflowResult<bool> {
    enter_unless_cancelled(ctx, Step::Waiting)?;
    let millis = request.remind_after_ms.unwrap_or(REMIND_AFTER_MS);
    let limit = Duration::from_millis(millis);
    let waits_until = time::text(time::after(time::now(ctx), limit));
    ctx.state_mut(|onboarding| onboarding.waits_until = Some(waits_until));
    let completed = |onboarding: &Onboarding| onboarding.profile_completed;
    match wait::until(ctx, limit, "waits for the profile", completed).await {
        Waited::Met => Ok(true),
        Waited::Elapsed => Ok(false),
        Waited::Cancelled => Err(WorkflowTermination::cancelled()),
    }
}

/// Reminds of the profile. Answers why that was not possible: nobody is turned away for it.
async fn remind(ctx: &Context, request: &OnboardingRequest) -> WorkflowResult<Option<String>> {
    enter_unless_cancelled(ctx, Step::Reminding)?;
    let reminder = MessageRequest {
        user_id: request.user_id.clone(),
        channel: Channel::Email,
        to: request.email.clone(),
        subject: REMINDER_SUBJECT.to_owned(),
        body: REMINDER_BODY.to_owned(),
    };
    let sent = paced(send_email(reminder), request.retry_initial_ms).detached();
    match sent.run(ctx).await {
        Ok(_) => {
            ctx.state_mut(|onboarding| onboarding.reminded = true);
            Ok(None)
        }
        Err(error) => {
            let reason = error.reason().map(ToString::to_string);
            Ok(Some(reason.unwrap_or_else(|| error.to_string())))
        }
    }
}

/// What the door has checked by the schema, for starts that did not come through it.
fn validate(request: &OnboardingRequest) -> WorkflowResult<()> {
    let mut findings = Findings::default();
    findings.text("user_id", &request.user_id, NAME_CHARS_MAX);
    findings.text("email", &request.email, NAME_CHARS_MAX);
    findings.check(request.email.contains('@'), "email has no @");
    let millis = request.remind_after_ms.unwrap_or(REMIND_AFTER_MS);
    findings.check(
        (1..=REMIND_AFTER_MS_MAX).contains(&millis),
        "remind_after_ms is out of bounds",
    );
    findings.workflow_verdict("the user cannot be taken in")
}

fn enter_unless_cancelled(ctx: &Context, next: Step) -> WorkflowResult<()> {
    if ctx.cancellation_token().is_cancelled() {
        return Err(WorkflowTermination::cancelled());
    }
    enter(ctx, next);
    Ok(())
}

fn enter(ctx: &Context, next: Step) {
    ctx.state_mut(|onboarding| onboarding.step = next);
    ctx.set_current_details(format!("{next:?}"));
}
