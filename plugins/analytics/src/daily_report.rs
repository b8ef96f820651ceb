//! The workflow `DailyReport`.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
    common::error::ApplicationFailure, workflow, workflow_methods,
};
use tenterhook_sdk::log::{self, Level};
use tenterhook_sdk::{Activity, ActivityCall, ActivityOutcome, Findings, fan_out, time};

use crate::model::{
    Day, MissingSource, NAME_CHARS_MAX, ReportRequest, ReportResult, SOURCES_MAX, SourceData,
};
use crate::pace::paced;
use crate::records::{ReportRecord, log_report_generation};
use crate::reports::{Figures, generate_report, store_report};
use crate::sources::{GatherRequest, gather_analytics};

/// Sources that are asked at once.
const SOURCES_AT_ONCE: usize = 4;
/// A day in a fixed offset: no clock is put forward or back in it.
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
/// The failure type of a report without a single source.
const NO_DATA: &str = "NoData";

/// One report being made.
#[workflow]
pub(crate) struct DailyReport {
    request: ReportRequest,
}

type Context = WorkflowContext<DailyReport>;

#[workflow_methods]
impl DailyReport {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, request: ReportRequest) -> Self {
        Self { request }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<ReportResult> {
        let request = ctx.state(|making| making.request.clone());
        let name = request.report.clone();
        log::in_workflow(ctx, Level::Info, &format!("report {name} begins"));
        let made = make(ctx, request).await;
        let (level, how) = match &made {
            Ok(result) if result.partial => {
                (Level::Warn, format!("is partial at {}", result.location))
            }
            Ok(result) => (Level::Info, format!("is complete at {}", result.location)),
            Err(why) => (Level::Warn, format!("fails: {why}")),
        };
        log::in_workflow(ctx, level, &format!("report {name} {how}"));
        made
    }
}

async fn make(ctx: &Context, request: ReportRequest) -> WorkflowResult<ReportResult> {
    validate(&request)?;
    let day = day(ctx, &request)?;
    let (sources, missing) = gather(ctx, &request, &day).await?;
    let figures = Figures {
        report: request.report.clone(),
        day,
        sources,
        missing,
    };
    let report = run(ctx, &request, generate_report(figures)).await?;
    let stored = run(ctx, &request, store_report(report.clone())).await?;
    let record = ReportRecord {
        report: report.report.clone(),
        date: report.day.date.clone(),
        partial: report.partial,
        missing: report
            .missing
            .iter()
            .map(|missing| missing.source.clone())
            .collect(),
        location: stored.location.clone(),
    };
    run(ctx, &request, log_report_generation(record)).await?;
    Ok(ReportResult {
        report: report.report,
        date: report.day.date,
        partial: report.partial,
        missing: report.missing,
        totals: report.totals,
        location: stored.location,
    })
}

/// What the sources say, and which of them say nothing. Without a single one there is no report.
async fn gather(
    ctx: &Context,
    request: &ReportRequest,
    day: &Day,
) -> WorkflowResult<(Vec<SourceData>, Vec<MissingSource>)> {
    let answers = fan_out(ctx, SOURCES_AT_ONCE, &request.sources, |ctx, source| {
        let gather = GatherRequest {
            source: source.clone(),
            from: day.from.clone(),
            to: day.to.clone(),
        };
        let call = paced(gather_analytics(gather), request.retry_initial_ms);
        async move {
            call.run(&ctx).await.map_err(|error| MissingSource {
                source: source.clone(),
                reason: match error.reason() {
                    Some(reason) => reason.to_string(),
                    None => error.to_string(),
                },
            })
        }
    })
    .await;
    if ctx.cancellation_token().is_cancelled() {
        return Err(WorkflowTermination::cancelled());
    }
    let (mut sources, mut missing) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(data) => sources.push(data),
            Err(source) => missing.push(source),
        }
    }
    if sources.is_empty() {
        let reasons: Vec<_> = missing
            .iter()
            .map(|missing| format!("{}: {}", missing.source, missing.reason))
            .collect();
        let message = format!(
            "report {} has no source that answers: {}",
            request.report,
            reasons.join("; ")
        );
        let failure = ApplicationFailure::builder(message).type_name(NO_DATA.to_owned());
        return Err(failure.build().into());
    }
    Ok((sources, missing))
}

/// The day that the request names, in its offset; or the one before today, which for what a schedule started is the day
/// that it was started for, however late.
fn day(ctx: &Context, request: &ReportRequest) -> WorkflowResult<Day> {
    let offset = request.utc_offset.as_deref().unwrap_or("Z");
    let epoch = time::parse("utc_offset", &format!("1970-01-01T00:00:00{offset}"))?;
    let date = match &request.date {
        Some(date) => date.clone(),
        None => {
            let today = time::scheduled(ctx).unwrap_or_else(|| time::now(ctx));
            let today = today.with_timezone(epoch.offset());
            format!("{:?}", (today - DAY).date_naive())
        }
    };
    let from = time::parse("date", &format!("{date}T00:00:00{offset}"))?.to_utc();
    Ok(Day {
        date,
        from: time::text(from),
        to: time::text(time::after(from, DAY)),
    })
}

/// A step at the request's own pace.
async fn run<A: Activity>(
    ctx: &Context,
    request: &ReportRequest,
    call: ActivityCall<A>,
) -> WorkflowResult<A::Output> {
    paced(call, request.retry_initial_ms)
        .run(ctx)
        .await
        .map_err(ActivityOutcome::into_workflow_failure)
}

/// What the door has checked by the schema, for starts that did not come through it.
fn validate(request: &ReportRequest) -> WorkflowResult<()> {
    let mut findings = Findings::default();
    findings.text("report", &request.report, NAME_CHARS_MAX);
    let mut distinct: Vec<_> = request.sources.iter().collect();
    distinct.sort_unstable();
    distinct.dedup();
    findings.check(
        (1..=SOURCES_MAX).contains(&request.sources.len())
            && distinct.len() == request.sources.len(),
        "sources are not 1 to 32 different ones",
    );
    for source in &request.sources {
        findings.text("source", source, NAME_CHARS_MAX);
    }
    findings.workflow_verdict("the report cannot be made")
}
