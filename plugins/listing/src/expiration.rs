//! The workflow `Expiration`.
//!
//! No step is interrupted: cancellation takes effect while it waits and between steps. A listing that was marked as
//! expiring, and does not expire, is marked as published again, unless it was sold or withdrawn meanwhile.

use std::time::Duration;

use temporalio_workflow::{
    ActivityExecutionError, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::time::{DateTime, Utc};
use tenterhook_sdk::wait::{self, Waited};
use tenterhook_sdk::{Findings, Saga, Undone, time};

use crate::listings::{
    APPROVED, EXPIRING, ListingRef, ListingStatus, PUBLISHED, StatusRequest, expire_listing,
    get_listing_status, update_listing_status,
};
use crate::model::{
    ExpirationRequest, ExpirationResult, Expiry, ExpiryStep, Extension, NAME_CHARS_MAX,
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

/// What takes the mark of an expiring listing back; empty while it has none.
type Mark = Saga<Expiration>;

/// Why an expiration does not go on.
enum Stop {
    /// A step failed.
    Failed(Box<ActivityExecutionError>),
    /// The workflow was cancelled.
    Cancelled,
}

impl From<ActivityExecutionError> for Stop {
    fn from(error: ActivityExecutionError) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl Stop {
    /// How the workflow ends, once everything is undone.
    fn end(self, undone: &Undone) -> WorkflowTermination {
        match self {
            Self::Failed(error) => undone.failed(*error),
            Self::Cancelled => undone.cancelled(),
        }
    }
}

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
    let first = status(ctx, request).await;
    let first = first.map_err(|stop| stop.end(&Undone::default()))?;
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
    let mut mark = saga(request);
    match follow(ctx, request, &mut mark).await {
        Ok(result) => Ok(result),
        Err(stop) => Err(stop.end(&mark.compensate(ctx).await)),
    }
}

/// Waits for the expiry and has the listing expire, or finds that it is no longer live.
async fn follow(
    ctx: &Context,
    request: &ExpirationRequest,
    mark: &mut Mark,
) -> Result<ExpirationResult, Stop> {
    loop {
        if let Some(last) = wait_for_expiry(ctx, request, mark).await? {
            return Ok(ended(ctx, request, last, false));
        }
        let last = status(ctx, request).await?;
        if !last.is_live() {
            return Ok(ended(ctx, request, last, false));
        }
        if ctx.cancellation_token().is_cancelled() {
            return Err(Stop::Cancelled);
        }
        // An extension that came meanwhile is in time.
        if ctx.state(|expiration| expiration.moved_to.is_none()) {
            expire(ctx, request, mark).await?;
            return Ok(ended(ctx, request, last, true));
        }
    }
}

/// Waits for the expiry, wherever extensions move it, and marks the listing beforehand. Answers the status of one that is
/// found to be no longer live.
async fn wait_for_expiry(
    ctx: &Context,
    request: &ExpirationRequest,
    mark: &mut Mark,
) -> Result<Option<ListingStatus>, Stop> {
    let warn_before = Duration::from_millis(request.warn_before_ms.unwrap_or(WARN_BEFORE_MS));
    loop {
        let expires_at = ctx.state_mut(Expiration::take_up_extension);
        let left = time::between(time::now(ctx), expires_at);
        let quiet = left.saturating_sub(warn_before);
        if !quiet.is_zero() {
            // The workflow goes on, so what failed meanwhile is for the log alone, where it is.
            drop(mark.compensate(ctx).await);
        }
        let warned = !mark.is_empty();
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
            Waited::Elapsed if warned => return Ok(None),
            Waited::Elapsed => {
                let marked = warn(ctx, request, mark).await?;
                if !marked.is_live() {
                    return Ok(Some(marked));
                }
                enter(ctx, ExpiryStep::Warned);
            }
            Waited::Cancelled => return Err(Stop::Cancelled),
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

/// Marks the listing as expiring, and registers what takes the mark back.
async fn warn(
    ctx: &Context,
    request: &ExpirationRequest,
    mark: &mut Mark,
) -> Result<ListingStatus, Stop> {
    let listing_id = request.listing_id.clone();
    let change = move |status: &str, only_from: &[&str]| {
        update_listing_status(StatusRequest {
            listing_id: listing_id.clone(),
            status: status.to_owned(),
            only_from: only_from.iter().map(ToString::to_string).collect(),
            insist: false,
        })
    };
    let warning = change(EXPIRING, &[APPROVED, PUBLISHED]);
    let marked = mark.step(ctx, paced(warning, request.retry_initial_ms), move |_| {
        change(PUBLISHED, &[EXPIRING])
    });
    Ok(marked.await?)
}

/// Insists on the index, whatever it answers: what has expired must not be found. So whether it has is settled before.
async fn expire(ctx: &Context, request: &ExpirationRequest, mark: &Mark) -> Result<(), Stop> {
    enter(ctx, ExpiryStep::Expiring);
    let expired = paced(expire_listing(listing(request)), request.retry_initial_ms);
    mark.last_step(ctx, expired).await?;
    let mut published = saga(request);
    published.undo(remove_from_search_index(listing(request)));
    // The workflow completes, so what failed meanwhile is for the log alone, where it is.
    drop(published.compensate(ctx).await);
    Ok(())
}

async fn status(ctx: &Context, request: &ExpirationRequest) -> Result<ListingStatus, Stop> {
    let call = get_listing_status(listing(request));
    let call = paced(call, request.retry_initial_ms).detached();
    Ok(call.run(ctx).await?)
}

/// With nothing to undo yet, at the request's own pace.
fn saga(request: &ExpirationRequest) -> Saga<Expiration> {
    match first_pause(request.retry_initial_ms) {
        Some(pause) => Saga::new().with_first_pause(pause),
        None => Saga::new(),
    }
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
    findings.text("listing_id", &request.listing_id, NAME_CHARS_MAX);
    findings.check(
        request.warn_before_ms.unwrap_or(WARN_BEFORE_MS) <= WARN_BEFORE_MS_MAX,
        "warn_before_ms is out of bounds",
    );
    findings.workflow_verdict("the listing cannot be expired")
}

fn enter(ctx: &Context, next: ExpiryStep) {
    ctx.state_mut(|expiration| expiration.step = next);
    ctx.set_current_details(format!("{next:?}"));
}
