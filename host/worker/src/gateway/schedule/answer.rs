//! A schedule as Temporal tells of it.

use std::time::Duration;

use prost_wkt_types::Duration as ProtoDuration;
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::{ScheduleOverlapPolicy, WorkflowExecutionStatus},
    schedule::v1::{
        IntervalSpec, Range, Schedule as ProtoSchedule, ScheduleActionResult, ScheduleListEntry,
        ScheduleSpec, StructuredCalendarSpec, schedule_action::Action as ProtoAction,
    },
    workflow::v1::NewWorkflowExecutionInfo,
    workflowservice::v1::DescribeScheduleResponse,
};
use tenterhook_domain::{
    Code, Error, Result, ScheduleId, Scope,
    lane::Ids,
    schedule::{
        Action, Calendar, Interval, Overlap, Schedule, ScheduleEntry, Scheduled, ScheduledStart,
        Span,
    },
};

use super::super::describe;
use crate::payload;

/// What is known of the schedule `id`.
///
/// # Errors
/// `schedule-not-found` for one that starts nothing of a plugin: somebody else made it.
pub(super) fn scheduled(
    ids: Ids,
    scope: &Scope,
    id: &ScheduleId,
    described: DescribeScheduleResponse,
) -> Result<Scheduled> {
    let (schedule, info) = (described.schedule, described.info.unwrap_or_default());
    let schedule = schedule.and_then(schedule_of).ok_or_else(|| {
        Error::new(
            Code::ScheduleNotFound,
            format!("schedule {id} was not made by this host, or was changed on Temporal itself: put it again"),
        )
    })?;
    let recent = info.recent_actions.into_iter();
    let running = info.running_workflows.iter();
    let next = info.future_action_times.into_iter();
    Ok(Scheduled {
        id: id.clone(),
        schedule,
        next: next.map(describe::millis).collect(),
        recent: recent
            .filter_map(|start| started(ids, scope, start))
            .collect(),
        running: running
            .filter_map(|execution| ids.caller_id(scope, &execution.workflow_id))
            .collect(),
        started: count(info.action_count),
        skipped: count(info.overlap_skipped).saturating_add(count(info.buffer_dropped)),
        missed: count(info.missed_catchup_window),
        created_at: info.create_time.map(describe::millis),
    })
}

/// A schedule of a list; none of another scope.
pub(super) fn entry(ids: Ids, scope: &Scope, entry: ScheduleListEntry) -> Option<ScheduleEntry> {
    let id = ids.caller_id(scope, &entry.schedule_id)?.parse().ok()?;
    let info = entry.info.unwrap_or_default();
    let next = info.future_action_times.into_iter().next();
    let last = info.recent_actions.into_iter().next_back();
    Some(ScheduleEntry {
        id,
        workflow_type: info.workflow_type.map(|found| found.name)?,
        paused: info.paused,
        note: info.notes,
        next: next.map(describe::millis),
        last: last.and_then(|start| started(ids, scope, start)),
    })
}

fn started(ids: Ids, scope: &Scope, start: ScheduleActionResult) -> Option<ScheduledStart> {
    let status = start.start_workflow_status();
    let WorkflowExecution {
        workflow_id,
        run_id,
    } = start.start_workflow_result?;
    Some(ScheduledStart {
        at: start.schedule_time.map(describe::millis),
        id: ids.caller_id(scope, &workflow_id)?,
        run_id,
        status: (status != WorkflowExecutionStatus::Unspecified).then(|| describe::status(status)),
    })
}

fn schedule_of(found: ProtoSchedule) -> Option<Schedule> {
    let ProtoAction::StartWorkflow(starts) = found.action?.action?;
    let (spec, state) = (
        found.spec.unwrap_or_default(),
        found.state.unwrap_or_default(),
    );
    let policies = found.policies.unwrap_or_default();
    let overlap = overlap(policies.overlap_policy());
    let (cron, calendars) = calendars(&spec);
    Some(Schedule {
        action: action(starts)?,
        cron,
        intervals: spec.interval.iter().filter_map(interval).collect(),
        calendars,
        time_zone: Some(spec.timezone_name).filter(|name| !name.is_empty()),
        jitter: span(spec.jitter),
        starts_at: spec.start_time.map(describe::millis),
        ends_at: spec.end_time.map(describe::millis),
        overlap,
        catch_up: span(policies.catchup_window),
        pause_on_failure: policies.pause_on_failure,
        paused: state.paused,
        note: state.notes,
        remaining_starts: state
            .limited_actions
            .then(|| count(state.remaining_actions)),
    })
}

fn action(starts: NewWorkflowExecutionInfo) -> Option<Action> {
    let memo = starts.memo.unwrap_or_default().fields;
    Some(Action {
        workflow_type: starts.workflow_type?.name.parse().ok()?,
        input: payload::to_result(starts.input.as_ref()),
        execution_timeout: span(starts.workflow_execution_timeout),
        run_timeout: span(starts.workflow_run_timeout),
        task_timeout: span(starts.workflow_task_timeout),
        memo: memo
            .iter()
            .map(|(key, value)| (key.clone(), payload::to_json(value)))
            .collect(),
    })
}

/// Cron expressions, which are comments of the times they mean, and calendars, which have no comments.
fn calendars(spec: &ScheduleSpec) -> (Vec<String>, Vec<Calendar>) {
    let (cron, calendars): (Vec<_>, Vec<_>) = spec
        .structured_calendar
        .iter()
        .partition(|found| !found.comment.is_empty());
    let cron = cron.into_iter().map(|found| found.comment.clone());
    (
        cron.collect(),
        calendars.into_iter().map(calendar).collect(),
    )
}

fn calendar(found: &StructuredCalendarSpec) -> Calendar {
    Calendar {
        second: ranges(&found.second, (0, 59)),
        minute: ranges(&found.minute, (0, 59)),
        hour: ranges(&found.hour, (0, 23)),
        day_of_month: ranges(&found.day_of_month, (1, 31)),
        month: ranges(&found.month, (1, 12)),
        // No year is every year.
        year: ranges(&found.year, (i32::MIN, i32::MAX)),
        day_of_week: ranges(&found.day_of_week, (0, 6)),
    }
}

/// Ranges as they are put: `4`, `9-17`, `*/15`, with commas between. An end that is not after the start is none.
fn ranges(found: &[Range], (least, most): (i32, i32)) -> String {
    let texts = found.iter().map(|range| {
        let (start, end) = (range.start, range.end.max(range.start));
        let span = match (start, end) {
            _ if (start, end) == (least, most) => "*".to_owned(),
            _ if start == end => start.to_string(),
            _ => format!("{start}-{end}"),
        };
        match range.step {
            ..=1 => span,
            step => format!("{span}/{step}"),
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

fn interval(found: &IntervalSpec) -> Option<Interval> {
    Some(Interval {
        every: span(found.interval)?,
        offset: span(found.phase),
    })
}

fn overlap(policy: ScheduleOverlapPolicy) -> Overlap {
    match policy {
        ScheduleOverlapPolicy::Unspecified | ScheduleOverlapPolicy::Skip => Overlap::Skip,
        ScheduleOverlapPolicy::BufferOne => Overlap::BufferOne,
        ScheduleOverlapPolicy::BufferAll => Overlap::BufferAll,
        ScheduleOverlapPolicy::CancelOther => Overlap::CancelOther,
        ScheduleOverlapPolicy::TerminateOther => Overlap::TerminateOther,
        ScheduleOverlapPolicy::AllowAll => Overlap::AllowAll,
    }
}

/// A duration that is there and not zero.
fn span(found: Option<ProtoDuration>) -> Option<Span> {
    let duration: Duration = found?.try_into().ok()?;
    (!duration.is_zero()).then_some(Span(duration))
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_as_they_are_put() {
        let range = |start, end, step| Range { start, end, step };
        for (found, text) in [
            (vec![], ""),
            (vec![range(4, 0, 0)], "4"),
            (vec![range(0, 0, 1)], "0"),
            (vec![range(9, 17, 1), range(20, 20, 1)], "9-17,20"),
            (vec![range(0, 59, 1)], "*"),
            (vec![range(0, 59, 15)], "*/15"),
            (vec![range(1, 30, 2)], "1-30/2"),
        ] {
            assert_eq!(ranges(&found, (0, 59)), text);
        }
    }
}
