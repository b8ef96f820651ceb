//! Every place where a guest hands over bytes, and what must hold whatever they are. The tests of this crate and the
//! fuzz target in `fuzz/` both come in here.

use temporalio_protos::{
    coresdk::{
        workflow_activation::workflow_activation_job::Variant as Job,
        workflow_commands::{
            WorkflowCommand, signal_external_workflow_execution::Target,
            workflow_command::Variant as Command,
        },
        workflow_completion::workflow_activation_completion::Status,
    },
    temporal::api::failure::v1::failure::FailureInfo,
};
use tenterhook_domain::{Code, context::HEADER};
use tenterhook_workflow::{
    Pin,
    guest::{Completion, Fault, JobResult, RoutineKind, Terminal},
};

use crate::{scene::*, script::poll};

/// What became of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They said something that is carried.
    Carried,
    /// They were refused, with this code.
    Refused(Code),
    /// They are a failure in the guest's own words.
    GuestFailure,
}

/// Hands `bytes` over at the place of number `place`, whatever that is. Panics where the host does, where a refusal has
/// no code, and where something leaves the scope.
pub fn feed(place: u8, bytes: Vec<u8>) -> Fate {
    let places = places();
    let (name, arrange, jobs) = &places[usize::from(place) % places.len()];
    let mut scene = scene_for(jobs);
    arrange(&scene, bytes);
    match scene.complete(jobs.clone()).status {
        Some(Status::Successful(success)) => {
            for command in &success.commands {
                check_stays(&scene, command);
            }
            Fate::Carried
        }
        Some(Status::Failed(failed)) => {
            assert!(scene.run.is_dead(), "{name}");
            let failure = failed.failure.expect("a failed task says why");
            let code = match &failure.failure_info {
                Some(FailureInfo::ApplicationFailureInfo(info))
                    if failure.source == "tenterhook" =>
                {
                    Code::of_text(&info.r#type)
                }
                _ => None,
            };
            let own_words = [
                "instantiate",
                "activate",
                "poll",
                "task-failed",
                "signal routine",
            ];
            match code {
                Some(code) => {
                    assert_ne!(code, Code::Internal, "{name}: {}", failure.message);
                    Fate::Refused(code)
                }
                None => {
                    assert!(own_words.contains(name), "{name}: no code in {failure:?}");
                    Fate::GuestFailure
                }
            }
        }
        None => panic!("{name}: no answer"),
    }
}

/// Holds that `command` stays in the scope, on the lane, and under a context that the host signed.
fn check_stays(scene: &Scene, command: &WorkflowCommand) {
    let inside = |id: &str| assert!(id.starts_with("acme/production/"), "{id}");
    match command.variant.as_ref().expect("a command has a kind") {
        Command::ScheduleActivity(it) => {
            assert_eq!(it.task_queue, QUEUE);
            scene.context(&it.headers, ID);
        }
        Command::ScheduleLocalActivity(it) => {
            scene.context(&it.headers, ID);
        }
        Command::StartChildWorkflowExecution(it) => {
            inside(&it.workflow_id);
            assert_eq!((&*it.namespace, &*it.task_queue), ("lanes", QUEUE));
            scene.context(&it.headers, &it.workflow_id);
        }
        Command::SignalExternalWorkflowExecution(it) => {
            assert!(!it.headers.contains_key(HEADER));
            match it.target.as_ref().expect("a signal has a target") {
                Target::WorkflowExecution(execution) => {
                    inside(&execution.workflow_id);
                    assert_eq!(execution.namespace, "lanes");
                }
                Target::ChildWorkflowId(id) => inside(id),
            }
        }
        Command::RequestCancelExternalWorkflowExecution(it) => {
            let execution = it
                .workflow_execution
                .as_ref()
                .expect("a cancel has a target");
            inside(&execution.workflow_id);
            assert_eq!(execution.namespace, "lanes");
        }
        Command::ContinueAsNewWorkflowExecution(it) => {
            assert_eq!(it.task_queue, QUEUE);
            scene.context(&it.headers, ID);
        }
        Command::SetPatchMarker(it) => {
            // The run's own pin is the host's.
            let own = it.patch_id == marker();
            assert!(own || !it.patch_id.to_ascii_lowercase().starts_with("tenterhook:"));
        }
        Command::ScheduleNexusOperation(_) | Command::RequestCancelNexusOperation(_) => {
            panic!("Nexus is not carried")
        }
        _ => {}
    }
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
pub type Place = (&'static str, fn(&Scene, Vec<u8>), Vec<Job>);

/// Every place, by name, with what arranges that `bytes` come from there and the jobs that reach it.
pub fn places() -> Vec<Place> {
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

/// A run that `jobs` can come to.
pub fn scene_for(jobs: &[Job]) -> Scene {
    match jobs {
        [Job::InitializeWorkflow(_)] => Scene::new(Pin::Unwritten),
        _ => Scene::begun(),
    }
}
