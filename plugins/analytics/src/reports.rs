//! Reports: made of the sources' figures, and kept in the object store.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::model::{Day, MissingSource, SOURCES_MAX, SourceData};
use crate::provider;

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) report: String,
    pub(crate) day: Day,
    pub(crate) sources: Vec<SourceData>,
    pub(crate) missing: Vec<MissingSource>,
}

/// A report as it is stored.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) report: String,
    pub(crate) day: Day,
    /// Whether a source is missing.
    pub(crate) partial: bool,
    pub(crate) sources: Vec<SourceData>,
    pub(crate) missing: Vec<MissingSource>,
    /// The sums over all sources that are there.
    pub(crate) totals: BTreeMap<String, i64>,
    /// The same for people and spreadsheets: `metric,source,value` lines.
    pub(crate) csv: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) location: String,
}

#[derive(Serialize)]
struct ObjectBody<'a> {
    content: &'a Report,
}

/// Makes a report of a day's figures. Sums beyond what can be counted are a `ValidationError`.
#[activity(timeout = Long)]
pub(crate) fn generate_report(
    _ctx: &ActivityContext,
    input: Figures,
) -> Result<Report, ActivityError> {
    let mut findings = Findings::default();
    findings.check(
        !input.sources.is_empty() && input.sources.len() <= SOURCES_MAX,
        "the sources are not 1 to 32",
    );
    findings.verdict("no report can be made")?;
    let mut totals: BTreeMap<String, i64> = BTreeMap::new();
    let mut csv = String::from("metric,source,value\n");
    for data in &input.sources {
        for (metric, value) in &data.metrics {
            let total = totals.entry(metric.clone()).or_default();
            *total = total.checked_add(*value).ok_or_else(|| {
                ActivityError::validation(format!("the sum of {metric} cannot be counted"))
            })?;
            writeln!(csv, "{},{},{value}", cell(metric), cell(&data.source))?;
        }
    }
    info!(
        "report {} of {}: {} sources, {} missing",
        input.report,
        input.day.date,
        input.sources.len(),
        input.missing.len()
    );
    Ok(Report {
        report: input.report,
        day: input.day,
        partial: !input.missing.is_empty(),
        sources: input.sources,
        missing: input.missing,
        totals,
        csv,
    })
}

/// Stores a report under its name and day, in place of one that is there.
#[activity(timeout = Medium, retry = ExternalService)]
pub(crate) fn store_report(ctx: &ActivityContext, input: Report) -> Result<Stored, ActivityError> {
    let name = format!("reports/{}/{}.json", input.report, input.day.date);
    let path = format!("objects/{}", encode_segment(&name));
    let stored: Stored = provider::request(ctx, "objects_url", Method::Put, &path)?
        .json(&ObjectBody { content: &input })?
        .send()?
        .ok()?
        .json()?;
    info!("report {} is at {}", input.report, stored.location);
    Ok(stored)
}

/// A value as a cell of a CSV line.
fn cell(value: &str) -> String {
    match value.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    }
}
