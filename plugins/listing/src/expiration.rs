//! The workflow `Expiration`.
//!
//! No step is interrupted: cancellation takes effect while it waits and between steps. A listing that was marked as
//! expiring by then is marked as published again.

use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::presets::Retry;
use tenterhook_sdk::time::{DateTime, Utc};
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{Activity, ActivityCall, ActivityOutcome, time};

use crate::finding::Findings;
use crate::listings::{
    EXPIRING, ListingRef, ListingStatus, PUBLISHED, StatusRequest, expire_listing,
    get_listing_status, update_listing_status,
};
use crate::model::{
    ExpirationRequest, ExpirationResult, Expiry, ExpiryStep, Extension, NAME_BYTES_MAX,
    WARN_BEFORE_MS, WARN_BEFORE_MS_MAX,
};
use crate::pace::{first_pause, paced};
use crate::search::remove_from_search_index;

/// One listing until it expires.
#[workflow]
pub(crate) struct Expiration {
    request: ExpirationRequest,
    step: ExpiryStep,
    expires_at: Option<DateTime<Utc>>,
    /// What an extension asks for, until it is taken up.
    moved_to: Option<DateTime<Utc>>,
    extensions: u32,
}

type Context = WorkflowContext<Expiration>;

#[workflow_methods]
impl Expiration {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: ExpirationRequest) -> Self {
        Self {
            request,
            step: ExpiryStep::Loading,
            expires_at: None,
            moved_to: None,
            extensions: 0,
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<ExpirationResult> {
        let request = ctx.state(|expiration| expiration.request.clone());
        let id = request.listing_id.clone();
        log::in_workflow(ctx, Level::Info, &format!("expiration of {id} begins"));
        let ended = go_on(ctx, &request).await;
        let (step, level, how) = match &ended {
            Ok(result) if result.expired => {
                (ExpiryStep::Completed, Level::Info, "expired".to_owned())
            }
            Ok(_) => (ExpiryStep::Completed, Level::Info, "is not live".to_owned()),
            Err(WorkflowTermination::Cancelled { .. }) => (
                ExpiryStep::Cancelled,
                Level::Warn,
                "no longer expires: cancelled".to_owned(),
            ),
            Err(why) => (ExpiryStep::Failed, Level::Warn, format!("fails: {why}")),
        };
        enter(ctx, step);
        log::in_workflow(ctx, level, &format!("listing {id} {how}"));
        ended
    }

    /// Moves the expiry, until the listing is being expired. What is no time is left out, and said in the log.
    #[signal]
    pub(crate) fn extend(&mut self, ctx: &mut SyncWorkflowContext<Self>, extension: Extension) {
        match time::parse("until", &extension.until) {
            Ok(until) => {
                self.moved_to = Some(until.to_utc());
                self.extensions = self.extensions.saturating_add(1);
            }
            Err(error) if !ctx.is_replaying() => {
                log::write(Level::Warn, "workflow", &format!("not extended: {error}"));
            }
            Err(_) => {}
        }
    }

    #[query]
    pub(crate) fn expiry(&self, _ctx: &WorkflowContextView) -> Expiry {
        Expiry {
            listing_id: self.request.listing_id.clone(),
            step: self.step,
            expires_at: self.moved_to.or(self.expires_at).map(time::text),
            extensions: self.extensions,
        }
    }
}

async fn go_on(ctx: &Context, request: &ExpirationRequest) -> WorkflowResult<ExpirationResult> {
    validate(request)?;
    let first = status(ctx, request).await?;
    if !first.is_live() {
        return Ok(ended(ctx, request, first, false));
    }
    let expires_at = match request.expires_at.as_ref().or(first.expires_at.as_ref()) {
        Some(text) => time::parse("expires_at", text)?.to_utc(),
        None => {
            let id = &request.listing_id;
            let why = format!("listing {id} has no expiry, and none was given: set expires_at");
            return Err(time::invalid(why));
        }
    };
    ctx.state_mut(|expiration| expiration.expires_at = Some(expires_at));
    loop {
        wait_for_expiry(ctx, request).await?;
        let last = status(ctx, request).await?;
        if !last.is_live() {
            return Ok(ended(ctx, request, last, false));
        }
        if ctx.cancellation_token().is_cancelled() {
            mark(ctx, request, PUBLISHED).await?;
            return Err(WorkflowTermination::cancelled());
        }
        // An extension that came meanwhile is in time.
        if ctx.state(|expiration| expiration.moved_to.is_none()) {
            expire(ctx, request).await?;
            return Ok(ended(ctx, request, last, true));
        }
    }
}

/// Waits for the expiry, wherever extensions move it, and marks the listing beforehand.
async fn wait_for_expiry(ctx: &Context, request: &ExpirationRequest) -> WorkflowResult<()> {
    let warn_before = Duration::from_millis(request.warn_before_ms.unwrap_or(WARN_BEFORE_MS));
    let mut warned = ctx.state(|expiration| expiration.step == ExpiryStep::Warned);
    loop {
        let expires_at = ctx.state_mut(Expiration::take_up_extension);
        let left = time::between(time::now(ctx), expires_at);
        let quiet = left.saturating_sub(warn_before);
        if warned && !quiet.is_zero() {
            mark(ctx, request, PUBLISHED).await?;
            warned = false;
        }
        if !warned {
            enter(ctx, ExpiryStep::Waiting);
        }
        let (limit, summary) = match warned {
            true => (left, "waits for the expiry"),
            false => (quiet, "waits until it is to be marked"),
        };
        let moved = |expiration: &Expiration| expiration.moved_to.is_some();
        match wait::until(ctx, limit, summary, moved).await {
            Waited::Met => {}
            Waited::Elapsed if warned => return Ok(()),
            Waited::Elapsed => {
                mark(ctx, request, EXPIRING).await?;
                warned = true;
                enter(ctx, ExpiryStep::Warned);
            }
            Waited::Cancelled => {
                if warned {
                    mark(ctx, request, PUBLISHED).await?;
                }
                return Err(WorkflowTermination::cancelled());
            }
        }
    }
}

impl Expiration {
    fn take_up_extension(&mut self) -> DateTime<Utc> {
        if let Some(moved_to) = self.moved_to.take() {
            self.expires_at = Some(moved_to);
        }
        self.expires_at.unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// Insists on the index: what has expired must not be found.
async fn expire(ctx: &Context, request: &ExpirationRequest) -> WorkflowResult<()> {
    enter(ctx, ExpiryStep::Expiring);
    run(ctx, request, expire_listing(listing(request))).await?;
    let mut policy = Retry::Forever.policy();
    if let Some(pause) = first_pause(request.retry_initial_ms) {
        policy.set_initial_interval(pause);
    }
    let removed = remove_from_search_index(listing(request)).retry_policy(policy);
    removed
        .detached()
        .run(ctx)
        .await
        .map_err(ActivityOutcome::into_workflow_failure)
}

async fn status(ctx: &Context, request: &ExpirationRequest) -> WorkflowResult<ListingStatus> {
    run(ctx, request, get_listing_status(listing(request))).await
}

async fn mark(ctx: &Context, request: &ExpirationRequest, status: &str) -> WorkflowResult<()> {
    let status = StatusRequest {
        listing_id: request.listing_id.clone(),
        status: status.to_owned(),
    };
    run(ctx, request, update_listing_status(status))
        .await
        .map(drop)
}

/// A step: out of reach of the workflow's cancellation, at the request's own pace.
async fn run<A: Activity>(
    ctx: &Context,
    request: &ExpirationRequest,
    call: ActivityCall<A>,
) -> WorkflowResult<A::Output> {
    let outcome: Result<_, ActivityExecutionError> = paced(call, request.retry_initial_ms)
        .detached()
        .run(ctx)
        .await;
    outcome.map_err(ActivityOutcome::into_workflow_failure)
}

fn listing(request: &ExpirationRequest) -> ListingRef {
    ListingRef {
        listing_id: request.listing_id.clone(),
    }
}

fn ended(
    ctx: &Context,
    request: &ExpirationRequest,
    last: ListingStatus,
    expired: bool,
) -> ExpirationResult {
    let (expires_at, extensions) =
        ctx.state(|expiration| (expiration.expires_at, expiration.extensions));
    ExpirationResult {
        listing_id: request.listing_id.clone(),
        expired,
        status: last.status,
        expires_at: expires_at.map(time::text),
        extensions,
    }
}

/// What the door has checked by the schema, for starts that did not come through it.
fn validate(request: &ExpirationRequest) -> WorkflowResult<()> {
    let mut findings = Findings::default();
    findings.text("listing_id", &request.listing_id, NAME_BYTES_MAX);
    findings.check(
        request.warn_before_ms.unwrap_or(WARN_BEFORE_MS) <= WARN_BEFORE_MS_MAX,
        "warn_before_ms is out of bounds",
    );
    match findings.sentence("the listing cannot be expired") {
        None => Ok(()),
        Some(sentence) => Err(time::invalid(sentence)),
    }
}

fn enter(ctx: &Context, next: ExpiryStep) {
    ctx.state_mut(|expiration| expiration.step = next);
    ctx.set_current_details(format!("{next:?}"));
}
