//! Who judges a listing: the automated checks, and the reviewers who are told of it.

use serde::Serialize;
use tenterhook_sdk::http::Method;
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload, time};

use crate::listings::Listing;
use crate::model::{NAME_CHARS_MAX, SCORE_MAX};
use crate::provider;

/// What the checks say of a listing.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// The quality score, of 100.
    pub(crate) score: u32,
    /// What was found.
    pub(crate) findings: Vec<String>,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct NoticeRequest {
    pub(crate) listing_id: String,
    pub(crate) score: u32,
    /// Whether nobody has decided in time.
    pub(crate) escalated: bool,
    /// Until when they may decide, RFC 3339.
    pub(crate) decide_by: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) notice_id: String,
}

#[derive(Serialize)]
struct CheckBody<'a> {
    listing_id: &'a str,
    title: &'a str,
    description: &'a str,
    images: u32,
}

/// Has a listing checked, which gives it a quality score.
#[activity(timeout = Medium, retry = ExternalService)]
pub(crate) fn run_automated_checks(
    ctx: &ActivityContext,
    input: Listing,
) -> Result<Checked, ActivityError> {
    let body = CheckBody {
        listing_id: &input.listing_id,
        title: &input.title,
        description: &input.description,
        images: input.images,
    };
    let checked: Checked = provider::request(ctx, "checks_url", Method::Post, "checks")?
        .json(&body)?
        .send()?
        .ok()?
        .json()?;
    if checked.score > SCORE_MAX {
        return Err(ActivityError::external_service(format!(
            "the checks answered a score of {}, above {SCORE_MAX}",
            checked.score
        )));
    }
    info!("listing {} scores {}", input.listing_id, checked.score);
    Ok(checked)
}

/// Tells the reviewers of a listing that waits for them.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn notify_reviewers(
    ctx: &ActivityContext,
    input: NoticeRequest,
) -> Result<Notice, ActivityError> {
    let mut findings = Findings::default();
    findings.text("listing_id", &input.listing_id, NAME_CHARS_MAX);
    findings.verdict("reviewers cannot be told")?;
    time::parse("decide_by", &input.decide_by)?;
    let notice: Notice = provider::request(ctx, "reviewers_url", Method::Post, "notices")?
        .json(&input)?
        .send()?
        .ok()?
        .json()?;
    info!(
        "reviewers are told of listing {} by {}",
        input.listing_id, notice.notice_id
    );
    Ok(notice)
}
