//! Bytes that cannot be read, at every place where a guest hands some over, and bytes that are nearly right.

use prost::Message as _;
use temporalio_protos::coresdk::{
    workflow_activation::workflow_activation_job::Variant as Job,
    workflow_commands::{
        ScheduleActivity, SetPatchMarker, StartChildWorkflowExecution, WorkflowCommand,
        workflow_command::Variant as Command,
    },
    workflow_completion::workflow_activation_completion::Status,
};
use tenterhook_domain::Code;
use tenterhook_workflow::{
    Pin,
    guest::{Completion, Fault, JobResult, RoutineKind, Terminal},
};

use crate::{
    scene::*,
    script::{encode, poll},
};

/// A tag that never ends.
fn garbage() -> Vec<u8> {
    vec![0xff, 0xff]
}

fn update_routine(instance: &str) -> JobResult {
    JobResult::Started {
        routine: 1,
        kind: RoutineKind::Update {
            name: "n".into(),
            update_id: "i".into(),
            protocol_instance_id: instance.into(),
        },
    }
}

/// A place by name, what arranges that bytes come from there, and the jobs that reach it.
type Place = (&'static str, fn(&Scene, Vec<u8>), Vec<Job>);

/// Every place, by name, with what arranges that `bytes` come from there and the jobs that reach it.
fn places() -> Vec<Place> {
    let u = || vec![update("u")];
    let s = || vec![signal("s")];
    let q = || vec![query("q")];
    vec![
        (
            "instantiate",
            |it, bytes| it.script.instantiate_fails(Fault::Failure(bytes)),
            vec![init()],
        ),
        (
            "activate",
            |it, bytes| it.script.activate(Err(Fault::Failure(bytes))),
            s(),
        ),
        (
            "poll",
            |it, bytes| it.script.poll(0, Err(Fault::Failure(bytes))),
            s(),
        ),
        (
            "query",
            |it, bytes| it.script.activate(Ok(vec![JobResult::Query(Ok(bytes))])),
            q(),
        ),
        (
            "query failure",
            |it, bytes| it.script.activate(Ok(vec![JobResult::Query(Err(bytes))])),
            q(),
        ),
        (
            "rejection",
            |it, bytes| {
                it.script
                    .activate(Ok(vec![JobResult::UpdateRejected(bytes)]))
            },
            u(),
        ),
        (
            "command",
            |it, bytes| it.script.push_bytes(vec![bytes]),
            s(),
        ),
        (
            "completed",
            |it, bytes| it.script.end(Terminal::Completed(bytes)),
            s(),
        ),
        (
            "failed",
            |it, bytes| it.script.end(Terminal::Failed(bytes)),
            s(),
        ),
        (
            "cancelled",
            |it, bytes| it.script.end(Terminal::Cancelled(Some(bytes))),
            s(),
        ),
        (
            "continue-as-new",
            |it, bytes| it.script.end(Terminal::ContinueAsNew(bytes)),
            s(),
        ),
        (
            "task-failed",
            |it, failure| {
                let failed = Completion::TaskFailed {
                    failure,
                    cause: None,
                };
                it.script.poll(0, Ok(poll(Some(failed), false)));
            },
            s(),
        ),
        (
            "signal routine",
            |it, bytes| {
                let kind = RoutineKind::Signal("s".into());
                it.script
                    .activate(Ok(vec![JobResult::Started { routine: 1, kind }]));
                it.script
                    .poll(1, Ok(poll(Some(Completion::Signal(Err(bytes))), true)));
            },
            s(),
        ),
        (
            "update routine",
            |it, value| {
                it.script.activate(Ok(vec![update_routine("u")]));
                let protocol_instance_id = "u".into();
                let done = Completion::UpdateCompleted {
                    protocol_instance_id,
                    value,
                };
                it.script.poll(1, Ok(poll(Some(done), true)));
            },
            u(),
        ),
        (
            "failed update routine",
            |it, failure| {
                it.script.activate(Ok(vec![update_routine("u")]));
                let protocol_instance_id = "u".into();
                let done = Completion::UpdateRejected {
                    protocol_instance_id,
                    failure,
                };
                it.script.poll(1, Ok(poll(Some(done), true)));
            },
            u(),
        ),
    ]
}

fn scene_for(jobs: &[Job]) -> Scene {
    match jobs {
        [Job::InitializeWorkflow(_)] => Scene::new(Pin::Unwritten),
        _ => Scene::begun(),
    }
}

#[test]
fn garbage_fails_the_task_wherever_it_comes_from() {
    for (name, arrange, jobs) in places() {
        let mut scene = scene_for(&jobs);
        arrange(&scene, garbage());
        let (failure, _) = scene.failure(jobs);
        check_failure(&failure, Code::GuestMalformed, "cannot be used");
        assert!(
            failure.message.contains("from the workflow's code"),
            "{name}: {}",
            failure.message
        );
    }
}

#[test]
fn a_command_of_no_kind_fails_the_task() {
    let empty = WorkflowCommand::default().encode_to_vec();
    // Field 900, a varint: what a newer protocol might say.
    let newer = vec![0xa0, 0x38, 0x01];
    for bytes in [empty, newer] {
        let mut scene = Scene::begun();
        scene.script.push_bytes(vec![bytes]);
        scene.fails(vec![fire(1)], Code::GuestMalformed, "no known kind");
    }
}

#[test]
fn a_failure_nested_without_end_fails_the_task() {
    // Field 4 (cause) in field 4 in …: each level two or three bytes longer than what it holds.
    let mut bytes = Vec::new();
    for _ in 0..5_000 {
        let mut outer = vec![0x22];
        prost::encode_length_delimiter(bytes.len(), &mut outer).unwrap();
        outer.append(&mut bytes);
        bytes = outer;
    }
    let mut scene = Scene::begun();
    scene.script.end(Terminal::Failed(bytes));
    scene.fails(vec![fire(1)], Code::GuestMalformed, "recursion");
}

/// A small generator: the same bytes every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn bytes_that_are_nearly_right_never_break_the_host() {
    let command = |variant| encode(variant);
    let seeds: Vec<Vec<u8>> = vec![
        rich_failure().encode_to_vec(),
        json("{\"a\": [1, 2]}").encode_to_vec(),
        command(Command::ScheduleActivity(ScheduleActivity {
            seq: 1,
            activity_type: "Charge".into(),
            arguments: vec![json("1")],
            start_to_close_timeout: Some(Default::default()),
            ..Default::default()
        })),
        command(Command::StartChildWorkflowExecution(
            StartChildWorkflowExecution {
                workflow_id: "c".into(),
                workflow_type: "Child".into(),
                headers: [("trace".to_owned(), json("1"))].into(),
                ..Default::default()
            },
        )),
        command(Command::SetPatchMarker(SetPatchMarker {
            patch_id: "p".into(),
            deprecated: true,
        })),
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut failed) = (0, 0);
    for round in 0..400 {
        for (name, arrange, jobs) in places() {
            let mut bytes = seeds[dice.roll(seeds.len())].clone();
            for _ in 0..=dice.roll(4) {
                let at = dice.roll(bytes.len());
                match dice.roll(4) {
                    0 => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
                    1 => bytes[at] ^= 1 << dice.roll(8),
                    2 => bytes.insert(at, u8::try_from(dice.roll(256)).unwrap()),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let mut scene = scene_for(&jobs);
            arrange(&scene, bytes);
            match scene.complete(jobs).status {
                Some(Status::Successful(_)) => accepted += 1,
                Some(Status::Failed(failure)) => {
                    assert!(failure.failure.is_some(), "{name}, round {round}");
                    failed += 1;
                }
                None => panic!("{name}, round {round}: no answer"),
            }
        }
    }
    assert!(
        accepted > 300 && failed > 300,
        "{accepted} accepted, {failed} failed"
    );
}
