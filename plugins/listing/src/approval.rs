//! The workflow `Approval`.

use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{Findings, Undone, time};

use crate::model::{
    APPROVE_FROM, ApprovalRequest, ApprovalResult, Decision, NAME_CHARS_MAX, REJECT_BELOW,
    REVIEW_TIMEOUT_MS, REVIEW_TIMEOUT_MS_MAX, ReviewState, SCORE_MAX, Step, Verdict,
};
use crate::review::Checked;
use crate::steps::Steps;

/// Who decides where no reviewer does.
const CHECKS: &str = "checks";
const TIMEOUT: &str = "timeout";

/// One listing under review.
#[workflow]
pub(crate) struct Approval {
    request: ApprovalRequest,
    step: Step,
    score: Option<u32>,
    findings: Vec<String>,
    decide_by: Option<String>,
    /// The first that a reviewer said.
    verdict: Option<(Decision, Verdict)>,
    decided_by: Option<String>,
    comment: Option<String>,
    reason: Option<String>,
}

type Context = WorkflowContext<Approval>;

/// A decision, and whose it is.
struct Ruling {
    decision: Decision,
    by: String,
    comment: Option<String>,
    escalated: bool,
}

/// Why an approval does not go on.
enum Stop {
    /// A step failed.
    Failed(Box<ActivityExecutionError>),
    /// The input is wrong.
    Invalid(String),
    /// The workflow was cancelled.
    Cancelled,
}

impl From<ActivityExecutionError> for Stop {
    fn from(error: ActivityExecutionError) -> Self {
        Self::Failed(Box::new(error))
    }
}

#[workflow_methods]
impl Approval {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: ApprovalRequest) -> Self {
        Self {
            request,
            step: Step::Validating,
            score: None,
            findings: Vec::new(),
            decide_by: None,
            verdict: None,
            decided_by: None,
            comment: None,
            reason: None,
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<ApprovalResult> {
        let request = ctx.state(|approval| approval.request.clone());
        let id = request.listing_id.clone();
        log::in_workflow(ctx, Level::Info, &format!("approval of {id} begins"));
        let mut steps = Steps::new(id.clone(), request.retry_initial_ms);
        match go_on(ctx, &request, &mut steps).await {
            Ok(result) => {
                let (step, decision) = match result.decision {
                    Decision::Approved => (Step::Approved, "approved"),
                    Decision::Rejected => (Step::Rejected, "rejected"),
                };
                enter(ctx, step);
                let message = format!("listing {id} is {decision} by {}", result.decided_by);
                log::in_workflow(ctx, Level::Info, &message);
                Ok(result)
            }
            Err(stop) => {
                let reason = stop.reason();
                let message = format!("approval of {id} is undone: {reason}");
                log::in_workflow(ctx, Level::Warn, &message);
                ctx.state_mut(|approval| approval.reason = Some(reason));
                enter(ctx, Step::Compensating);
                let undone = steps.undo(ctx).await;
                Err(stop.end(ctx, &undone))
            }
        }
    }

    /// A reviewer approves. The first word counts.
    #[signal]
    pub(crate) fn approve(&mut self, _ctx: &mut SyncWorkflowContext<Self>, verdict: Verdict) {
        self.verdict.get_or_insert((Decision::Approved, verdict));
    }

    /// A reviewer rejects. The first word counts.
    #[signal]
    pub(crate) fn reject(&mut self, _ctx: &mut SyncWorkflowContext<Self>, verdict: Verdict) {
        self.verdict.get_or_insert((Decision::Rejected, verdict));
    }

    #[query]
    pub(crate) fn review_state(&self, _ctx: &WorkflowContextView) -> ReviewState {
        ReviewState {
            listing_id: self.request.listing_id.clone(),
            step: self.step,
            score: self.score,
            findings: self.findings.clone(),
            decide_by: self.decide_by.clone(),
            decided_by: self.decided_by.clone(),
            comment: self.comment.clone(),
            reason: self.reason.clone(),
        }
    }
}

async fn go_on(
    ctx: &Context,
    request: &ApprovalRequest,
    steps: &mut Steps,
) -> Result<ApprovalResult, Stop> {
    validate(request)?;
    let listing = steps.validate(ctx).await?;
    enter_unless_cancelled(ctx, Step::Checking)?;
    steps.take_up(ctx).await?;
    stop_if_cancelled(ctx)?;
    let checked = steps.check(ctx, &listing).await?;
    ctx.state_mut(|approval| {
        approval.score = Some(checked.score);
        approval.findings.clone_from(&checked.findings);
    });
    let ruling = rule(ctx, request, steps, &checked).await?;
    ctx.state_mut(|approval| {
        approval.decided_by = Some(ruling.by.clone());
        approval.comment.clone_from(&ruling.comment);
    });
    let comment = ruling.comment.as_deref();
    match ruling.decision {
        Decision::Approved => {
            enter_unless_cancelled(ctx, Step::Approving)?;
            steps.approve(ctx, &ruling.by, comment).await?;
            enter_unless_cancelled(ctx, Step::Publishing)?;
            steps.publish(ctx, listing).await?;
        }
        Decision::Rejected => {
            enter_unless_cancelled(ctx, Step::Rejecting)?;
            steps.reject(ctx, &ruling.by, comment).await?;
        }
    }
    Ok(ApprovalResult {
        listing_id: request.listing_id.clone(),
        decision: ruling.decision,
        decided_by: ruling.by,
        comment: ruling.comment,
        score: checked.score,
        findings: checked.findings,
        escalated: ruling.escalated,
    })
}

/// By the score where it is clear, else by a reviewer.
async fn rule(
    ctx: &Context,
    request: &ApprovalRequest,
    steps: &Steps,
    checked: &Checked,
) -> Result<Ruling, Stop> {
    let by_checks = |decision| Ruling {
        decision,
        by: CHECKS.to_owned(),
        comment: (!checked.findings.is_empty()).then(|| checked.findings.join("; ")),
        escalated: false,
    };
    if checked.score >= request.approve_from.unwrap_or(APPROVE_FROM) {
        return Ok(by_checks(Decision::Approved));
    }
    if checked.score < request.reject_below.unwrap_or(REJECT_BELOW) {
        return Ok(by_checks(Decision::Rejected));
    }
    let millis = request.review_timeout_ms.unwrap_or(REVIEW_TIMEOUT_MS);
    let limit = Duration::from_millis(millis);
    for (step, escalated) in [(Step::Waiting, false), (Step::Escalated, true)] {
        stop_if_cancelled(ctx)?;
        let decide_by = time::text(time::after(time::now(ctx), limit));
        ctx.state_mut(|approval| approval.decide_by = Some(decide_by.clone()));
        steps
            .notify(ctx, checked.score, escalated, decide_by)
            .await?;
        enter_unless_cancelled(ctx, step)?;
        if let Some((decision, verdict)) = reviewer(ctx, limit).await? {
            return Ok(Ruling {
                decision,
                by: verdict.reviewer,
                comment: verdict.comment,
                escalated,
            });
        }
    }
    Ok(Ruling {
        decision: Decision::Rejected,
        by: TIMEOUT.to_owned(),
        comment: Some("no reviewer decided in time".to_owned()),
        escalated: true,
    })
}

/// What a reviewer says before the time is over.
async fn reviewer(ctx: &Context, limit: Duration) -> Result<Option<(Decision, Verdict)>, Stop> {
    let said = |approval: &Approval| approval.verdict.is_some();
    match wait::until(ctx, limit, "waits for a reviewer", said).await {
        Waited::Met => Ok(ctx.state(|approval| approval.verdict.clone())),
        Waited::Elapsed => Ok(None),
        Waited::Cancelled => Err(Stop::Cancelled),
    }
}

/// What the door has checked by the schema, and that the two scores leave room between them.
fn validate(request: &ApprovalRequest) -> Result<(), Stop> {
    let mut findings = Findings::default();
    findings.text("listing_id", &request.listing_id, NAME_CHARS_MAX);
    let (from, below) = (
        request.approve_from.unwrap_or(APPROVE_FROM),
        request.reject_below.unwrap_or(REJECT_BELOW),
    );
    findings.check(
        below <= from && from <= SCORE_MAX,
        "reject_below is above approve_from, or one of them above 100",
    );
    let millis = request.review_timeout_ms.unwrap_or(REVIEW_TIMEOUT_MS);
    findings.check(
        (1..=REVIEW_TIMEOUT_MS_MAX).contains(&millis),
        "review_timeout_ms is out of bounds",
    );
    match findings.sentence("the listing cannot be decided on") {
        None => Ok(()),
        Some(sentence) => Err(Stop::Invalid(sentence)),
    }
}

fn stop_if_cancelled(ctx: &Context) -> Result<(), Stop> {
    match ctx.cancellation_token().is_cancelled() {
        true => Err(Stop::Cancelled),
        false => Ok(()),
    }
}

fn enter_unless_cancelled(ctx: &Context, next: Step) -> Result<(), Stop> {
    stop_if_cancelled(ctx)?;
    enter(ctx, next);
    Ok(())
}

fn enter(ctx: &Context, next: Step) {
    ctx.state_mut(|approval| approval.step = next);
    ctx.set_current_details(format!("{next:?}"));
}

impl Stop {
    /// Why, for a person.
    fn reason(&self) -> String {
        match self {
            Self::Failed(error) => match error.reason() {
                Some(reason) => reason.to_string(),
                None => error.to_string(),
            },
            Self::Invalid(why) => why.clone(),
            Self::Cancelled => "cancelled before it was decided".to_owned(),
        }
    }

    /// How the workflow ends, once everything is undone.
    fn end(self, ctx: &Context, undone: &Undone) -> WorkflowTermination {
        let (step, termination) = match self {
            Self::Failed(error) => (Step::Failed, undone.failed(*error)),
            Self::Invalid(why) => (Step::Failed, time::invalid(why)),
            Self::Cancelled => (Step::Cancelled, undone.cancelled()),
        };
        enter(ctx, step);
        termination
    }
}
