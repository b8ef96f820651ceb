//! The steps of an approval, each with what undoes it.
//!
//! No step is interrupted: cancellation takes effect between steps and while reviewers are waited for. What becomes of
//! a step without a clear answer is [`Saga::step`]'s affair.

use temporalio_workflow::{ActivityExecutionError, WorkflowContext};
use tenterhook_sdk::{Activity, ActivityCall, Saga, Undone};

use crate::approval::Approval;
use crate::listings::{
    APPROVED, DecisionRequest, IN_REVIEW, Listing, ListingRef, PUBLISHED, REJECTED, SUBMITTED,
    StatusRequest, UpdateListingStatus, approve_listing, reject_listing, update_listing_status,
    validate_listing,
};
use crate::pace::{first_pause, paced};
use crate::review::{Checked, NoticeRequest, notify_reviewers, run_automated_checks};
use crate::search::{publish_to_search_index, remove_from_search_index};

type Context = WorkflowContext<Approval>;
type Done = Result<(), ActivityExecutionError>;

/// The steps of one approval.
pub(crate) struct Steps {
    listing_id: String,
    retry_initial_ms: Option<u64>,
    saga: Saga<Approval>,
}

impl Steps {
    pub(crate) fn new(listing_id: String, retry_initial_ms: Option<u64>) -> Self {
        let mut saga = Saga::new();
        if let Some(pause) = first_pause(retry_initial_ms) {
            saga = saga.with_first_pause(pause);
        }
        Self {
            listing_id,
            retry_initial_ms,
            saga,
        }
    }

    pub(crate) async fn validate(&self, ctx: &Context) -> Result<Listing, ActivityExecutionError> {
        let call = validate_listing(self.listing());
        self.step(call).run(ctx).await
    }

    /// From here on nobody else takes the listing up, until it is decided on or submitted again.
    pub(crate) async fn take_up(&mut self, ctx: &Context) -> Done {
        let listing_id = self.listing_id.clone();
        let take_up = self.status(IN_REVIEW, &[SUBMITTED, IN_REVIEW]);
        let take_up = self.step(take_up).activity_id("take-up");
        // Whatever this review made of it; what was withdrawn meanwhile stays so.
        let own = [IN_REVIEW, APPROVED, REJECTED, PUBLISHED].map(str::to_owned);
        let give_back = move |_: &_| {
            update_listing_status(StatusRequest {
                listing_id: listing_id.clone(),
                status: SUBMITTED.to_owned(),
                only_from: own.to_vec(),
                insist: false,
            })
        };
        self.saga.step(ctx, take_up, give_back).await.map(drop)
    }

    pub(crate) async fn check(
        &self,
        ctx: &Context,
        listing: &Listing,
    ) -> Result<Checked, ActivityExecutionError> {
        let call = run_automated_checks(listing.clone());
        self.step(call).run(ctx).await
    }

    pub(crate) async fn notify(
        &self,
        ctx: &Context,
        score: u32,
        escalated: bool,
        decide_by: String,
    ) -> Done {
        let notice = NoticeRequest {
            listing_id: self.listing_id.clone(),
            score,
            escalated,
            decide_by,
        };
        let call = self.step(notify_reviewers(notice));
        call.run(ctx).await.map(drop)
    }

    pub(crate) async fn approve(&self, ctx: &Context, by: &str, comment: Option<&str>) -> Done {
        let call = self.step(approve_listing(self.decision(by, comment)));
        call.run(ctx).await.map(drop)
    }

    pub(crate) async fn reject(&self, ctx: &Context, by: &str, comment: Option<&str>) -> Done {
        let call = self.step(reject_listing(self.decision(by, comment)));
        call.run(ctx).await.map(drop)
    }

    /// Into the index first: what is `published` can be found.
    pub(crate) async fn publish(&mut self, ctx: &Context, listing: Listing) -> Done {
        let listing_ref = self.listing();
        let publish = self.step(publish_to_search_index(listing));
        let remove = move |_: &_| remove_from_search_index(listing_ref.clone());
        self.saga.step(ctx, publish, remove).await?;
        let call = self.step(self.status(PUBLISHED, &[APPROVED, PUBLISHED]));
        call.run(ctx).await.map(drop)
    }

    /// Undoes, in reverse, what was done.
    pub(crate) async fn undo(&mut self, ctx: &Context) -> Undone {
        self.saga.compensate(ctx).await
    }

    fn listing(&self) -> ListingRef {
        ListingRef {
            listing_id: self.listing_id.clone(),
        }
    }

    /// A `Conflict` where the listing has none of `only_from`.
    fn status(&self, status: &str, only_from: &[&str]) -> ActivityCall<UpdateListingStatus> {
        update_listing_status(StatusRequest {
            listing_id: self.listing_id.clone(),
            status: status.to_owned(),
            only_from: only_from.iter().map(|&it| it.to_owned()).collect(),
            insist: true,
        })
    }

    fn decision(&self, by: &str, comment: Option<&str>) -> DecisionRequest {
        DecisionRequest {
            listing_id: self.listing_id.clone(),
            by: by.to_owned(),
            comment: comment.map(str::to_owned),
        }
    }

    /// Out of reach of the workflow's cancellation, at the approval's own pace.
    fn step<A: Activity>(&self, call: ActivityCall<A>) -> ActivityCall<A> {
        paced(call, self.retry_initial_ms).detached()
    }
}
