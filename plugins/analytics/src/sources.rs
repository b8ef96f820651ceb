//! The sources of figures.

use std::collections::BTreeMap;

use serde::Deserialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload, time};

use crate::model::{NAME_CHARS_MAX, SourceData};
use crate::provider;

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct GatherRequest {
    pub(crate) source: String,
    /// From this moment on, RFC 3339.
    pub(crate) from: String,
    /// Until before this one.
    pub(crate) to: String,
}

#[derive(Deserialize)]
struct Answer {
    metrics: BTreeMap<String, i64>,
}

/// Asks one source for its figures of a time.
#[activity(timeout = Medium)]
pub(crate) fn gather_analytics(
    ctx: &ActivityContext,
    input: GatherRequest,
) -> Result<SourceData, ActivityError> {
    let mut findings = Findings::default();
    findings.text("source", &input.source, NAME_CHARS_MAX);
    findings.verdict("the source cannot be asked")?;
    time::parse("from", &input.from)?;
    time::parse("to", &input.to)?;
    let path = format!(
        "sources/{}?from={}&to={}",
        encode_segment(&input.source),
        encode_segment(&input.from),
        encode_segment(&input.to)
    );
    let answer: Answer = provider::request(ctx, "analytics_url", Method::Get, &path)?
        .send()?
        .ok()?
        .json()?;
    info!(
        "source {} has {} metrics",
        input.source,
        answer.metrics.len()
    );
    Ok(SourceData {
        source: input.source,
        metrics: answer.metrics,
    })
}
