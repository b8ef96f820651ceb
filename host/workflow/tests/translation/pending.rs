//! What a run has under way and how long its history is, just within its limits and just beyond.

use prost::Message as _;
use temporalio_protos::{
    coresdk::{
        activity_result::{ActivityResolution, activity_resolution},
        child_workflow::{ChildWorkflowResult, child_workflow_result},
        workflow_activation::{
            ResolveActivity, ResolveChildWorkflowExecution, ResolveChildWorkflowExecutionStart,
            ResolveChildWorkflowExecutionStartFailure, ResolveChildWorkflowExecutionStartSuccess,
            WorkflowActivation, resolve_child_workflow_execution_start::Status as ChildStart,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::{
            CancelTimer, ScheduleActivity, ScheduleLocalActivity, StartChildWorkflowExecution,
            StartTimer, workflow_command::Variant as Command,
        },
        workflow_completion::workflow_activation_completion::Status,
    },
    temporal::api::common::v1::Payload,
};
use tenterhook_domain::{Code, limit::Limits};
use tenterhook_workflow::guest::Terminal;

use crate::scene::*;

fn two_of_each() -> Limits {
    Limits {
        pending_activities: 2,
        pending_children: 2,
        pending_timers: 2,
        ..Limits::default()
    }
}

fn timer(seq: u32) -> Command {
    Command::StartTimer(StartTimer {
        seq,
        ..Default::default()
    })
}

fn activity(seq: u32) -> Command {
    Command::ScheduleActivity(ScheduleActivity {
        seq,
        activity_type: "A".into(),
        start_to_close_timeout: Some(Default::default()),
        ..Default::default()
    })
}

fn local(seq: u32) -> Command {
    Command::ScheduleLocalActivity(ScheduleLocalActivity {
        seq,
        activity_type: "A".into(),
        start_to_close_timeout: Some(Default::default()),
        ..Default::default()
    })
}

fn child(seq: u32) -> Command {
    Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
        seq,
        workflow_type: "W".into(),
        workflow_id: format!("c{seq}"),
        ..Default::default()
    })
}

fn done(seq: u32, is_local: bool) -> Job {
    Job::ResolveActivity(ResolveActivity {
        seq,
        is_local,
        result: Some(ActivityResolution {
            status: Some(activity_resolution::Status::Completed(Default::default())),
        }),
    })
}

fn child_start(seq: u32, status: ChildStart) -> Job {
    Job::ResolveChildWorkflowExecutionStart(ResolveChildWorkflowExecutionStart {
        seq,
        status: Some(status),
    })
}

fn child_began(seq: u32) -> Job {
    child_start(
        seq,
        ChildStart::Succeeded(ResolveChildWorkflowExecutionStartSuccess::default()),
    )
}

fn child_failed(seq: u32) -> Job {
    child_start(
        seq,
        ChildStart::Failed(ResolveChildWorkflowExecutionStartFailure::default()),
    )
}

fn child_done(seq: u32) -> Job {
    Job::ResolveChildWorkflowExecution(ResolveChildWorkflowExecution {
        seq,
        result: Some(ChildWorkflowResult {
            status: Some(child_workflow_result::Status::Completed(Default::default())),
        }),
    })
}

impl Scene {
    fn begin(&mut self, jobs: Vec<Job>, commands: Vec<Command>) {
        let count = commands.len();
        commands.into_iter().for_each(|it| self.script.push(it));
        assert_eq!(self.commands(jobs).len(), count);
    }

    fn too_many(&mut self, jobs: Vec<Job>, command: Command, says: &str) {
        self.script.push(command);
        self.fails(jobs, Code::GuestTooManyPending, says);
    }
}

#[test]
fn activities_are_counted_until_their_end_is_told() {
    let mut scene = Scene::begun_with(two_of_each());
    scene.begin(vec![signal("s")], vec![activity(1), local(2)]);
    scene.begin(vec![done(1, false)], vec![activity(3)]);
    scene.begin(vec![done(2, true)], vec![local(4)]);
    // The end of a local activity is not the one of another that has its number.
    scene.too_many(
        vec![done(3, true)],
        activity(5),
        "3 activities under way, more than pending_activities = 2",
    );
}

#[test]
fn timers_are_counted_until_they_fire_or_are_taken_back() {
    let mut scene = Scene::begun_with(two_of_each());
    scene.begin(vec![signal("s")], vec![timer(1), timer(2)]);
    scene.begin(vec![fire(1)], vec![timer(3)]);
    let cancel = Command::CancelTimer(CancelTimer { seq: 2 });
    scene.begin(vec![signal("s")], vec![cancel, timer(4)]);
    scene.too_many(vec![signal("s")], timer(5), "raise pending_timers");
}

#[test]
fn children_are_counted_until_they_end_or_did_not_begin() {
    let mut scene = Scene::begun_with(two_of_each());
    scene.begin(vec![signal("s")], vec![child(1), child(2)]);
    scene.begin(vec![child_failed(1)], vec![child(3)]);
    scene.begin(
        vec![child_began(2), child_began(3), child_done(2)],
        vec![child(4)],
    );
    scene.too_many(vec![child_began(4)], child(5), "3 children");
}

fn of_history(jobs: Vec<Job>, events: u32, bytes: u64, is_replaying: bool) -> WorkflowActivation {
    WorkflowActivation {
        history_length: events,
        history_size_bytes: bytes,
        is_replaying,
        ..activation(jobs)
    }
}

#[test]
fn a_lowered_limit_stops_no_replay_and_nothing_that_is_under_way() {
    let mut scene = Scene::begun_with(two_of_each());
    for seq in 1..=4 {
        scene.script.push(timer(seq));
    }
    let replayed = scene
        .run
        .activate(of_history(vec![signal("s")], 5, 5, true));
    assert!(matches!(replayed.status, Some(Status::Successful(_))));
    // Three are still more than there may be: they go on, and none is added before there is room.
    scene.begin(vec![fire(1)], vec![]);
    scene.begin(vec![fire(2), fire(3)], vec![timer(5)]);
    scene.too_many(vec![signal("s")], timer(6), "3 timers");
}

#[test]
fn a_history_that_is_too_long_is_left_or_stays_as_it_is() {
    let limits = || Limits {
        history_events: 100,
        history_bytes: 1_000,
        ..Limits::default()
    };
    let try_at = |events: u32, bytes: u64, is_replaying: bool| {
        let mut scene = Scene::begun_with(limits());
        scene.script.push(timer(1));
        scene
            .run
            .activate(of_history(vec![signal("s")], events, bytes, is_replaying))
    };
    for (events, bytes, is_replaying) in [(100, 1_000, false), (101, 1_001, true)] {
        let answer = try_at(events, bytes, is_replaying);
        assert!(
            matches!(answer.status, Some(Status::Successful(_))),
            "{answer:?}"
        );
    }
    for (events, bytes, says) in [
        (101, 1, "has 101, more than history_events = 100"),
        (1, 1_001, "has 1001, more than history_bytes = 1000"),
    ] {
        let (failure, _) = failure_of(try_at(events, bytes, false));
        check_failure(&failure, Code::GuestHistoryTooLong, says);
        check_failure(&failure, Code::GuestHistoryTooLong, "continue as new");
    }
    // Who ends may do so at any length; and who only listens adds nothing.
    let mut scene = Scene::begun_with(limits());
    let nothing = scene
        .run
        .activate(of_history(vec![signal("s")], 500, 1, false));
    assert!(matches!(nothing.status, Some(Status::Successful(_))));
    scene.script.push(timer(1));
    let result = Payload::default().encode_to_vec();
    scene.script.end(Terminal::Completed(result));
    let ended = scene
        .run
        .activate(of_history(vec![signal("s")], 501, 1, false));
    assert!(
        matches!(ended.status, Some(Status::Successful(_))),
        "{ended:?}"
    );
}
