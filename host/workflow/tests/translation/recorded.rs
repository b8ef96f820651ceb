//! Recorded runs: what Core sent, what the guest did, and what Core must get, as readable JSON.
//!
//! `TENTERHOOK_REWRITE=1 cargo test --workspace --test translation recorded` writes what comes out into the
//! files; read the difference before you keep it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use prost::Message as _;
use serde_json::{Value, json as value};
use temporalio_protos::{
    coresdk::{
        activity_result::{self, ActivityResolution, activity_resolution::Status as Resolution},
        workflow_activation::{ResolveActivity, workflow_activation_job::Variant as Job},
        workflow_commands::{
            ScheduleActivity, StartTimer, WorkflowCommand, update_response::Response,
            workflow_command::Variant as Command,
        },
        workflow_completion::workflow_activation_completion::Status,
    },
    temporal::api::{
        common::v1::{ActivityType, Payload},
        failure::v1::{ActivityFailureInfo, Failure, failure::FailureInfo},
    },
};
use tenterhook_domain::context::HEADER;
use tenterhook_workflow::{
    Pin,
    guest::{Completion, JobResult, RoutineKind, Terminal},
};

use crate::{
    scene::*,
    script::{Call, encode, poll},
};

fn text<'a>(from: &'a Value, key: &str) -> &'a str {
    from[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {from}"))
}

fn number(from: &Value, key: &str) -> u32 {
    from[key]
        .as_u64()
        .unwrap_or_else(|| panic!("{key} in {from}"))
        .try_into()
        .unwrap()
}

/// A job as the file says it: one key, the kind.
fn job(said: &Value) -> Job {
    let (kind, of) = said
        .as_object()
        .and_then(|it| it.iter().next())
        .expect("a job");
    match kind.as_str() {
        "init" => init(),
        "patch" => patch(&of.as_str().unwrap().replace("$release", &marker())),
        "signal" => signal(of.as_str().unwrap()),
        "query" => query(of.as_str().unwrap()),
        "update" => update(of.as_str().unwrap()),
        "fire" => fire(of.as_u64().unwrap().try_into().unwrap()),
        "activity" => Job::ResolveActivity(ResolveActivity {
            seq: number(of, "seq"),
            result: Some(ActivityResolution {
                status: Some(resolution(of)),
            }),
            is_local: false,
        }),
        other => panic!("no such job: {other}"),
    }
}

fn resolution(of: &Value) -> Resolution {
    if let Some(result) = of.get("completed") {
        let result = Some(json(&result.to_string()));
        return Resolution::Completed(activity_result::Success { result });
    }
    let cause = Failure {
        message: text(of, "failed").into(),
        ..Default::default()
    };
    let failure = Failure {
        message: "Activity task failed".into(),
        cause: Some(Box::new(cause)),
        failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
            activity_type: Some(ActivityType {
                name: text(of, "type").into(),
            }),
            ..Default::default()
        })),
        ..Default::default()
    };
    Resolution::Failed(activity_result::Failure {
        failure: Some(failure),
        ..Default::default()
    })
}

/// Writes into the script what the guest did.
fn act(scene: &Scene, did: &Value) {
    if let Some(results) = did["results"].as_array() {
        scene
            .script
            .activate(Ok(results.iter().map(result).collect()));
    }
    for polled in did["polls"].as_array().into_iter().flatten() {
        let completion = match polled["then"].as_str() {
            Some("update completed") => Some(Completion::UpdateCompleted {
                protocol_instance_id: text(polled, "update").into(),
                value: json("true").encode_to_vec(),
            }),
            Some("signal handled") => Some(Completion::Signal(Ok(()))),
            Some(other) => panic!("no such completion: {other}"),
            None => None,
        };
        scene
            .script
            .poll(number(polled, "routine").into(), Ok(poll(completion, true)));
    }
    for pushed in did["push"].as_array().into_iter().flatten() {
        scene.script.push_bytes(vec![pushed_command(pushed)]);
    }
    if let Some(result) = did.get("complete") {
        scene.script.end(Terminal::Completed(
            json(&result.to_string()).encode_to_vec(),
        ));
    }
    if let Some(message) = did.get("fail").and_then(Value::as_str) {
        let failure = Failure {
            message: message.into(),
            ..Default::default()
        };
        scene.script.end(Terminal::Failed(failure.encode_to_vec()));
    }
}

fn result(said: &Value) -> JobResult {
    let started = |kind| JobResult::Started {
        routine: number(said, "routine").into(),
        kind,
    };
    match said["kind"].as_str() {
        None => JobResult::None,
        Some("signal") => started(RoutineKind::Signal("s".into())),
        Some("update") => started(RoutineKind::Update {
            name: "n".into(),
            update_id: "i".into(),
            protocol_instance_id: text(said, "update").into(),
        }),
        Some("answer") => JobResult::Query(Ok(json(&said["value"].to_string()).encode_to_vec())),
        Some(other) => panic!("no such result: {other}"),
    }
}

fn pushed_command(said: &Value) -> Vec<u8> {
    let seq = number(said, "seq");
    let span = || Duration::from_secs(10).try_into().ok();
    match said["activity"].as_str() {
        Some(name) => encode(Command::ScheduleActivity(ScheduleActivity {
            seq,
            activity_type: name.into(),
            arguments: vec![json(&said["input"].to_string())],
            start_to_close_timeout: span(),
            ..Default::default()
        })),
        None => encode(Command::StartTimer(StartTimer {
            seq,
            start_to_fire_timeout: span(),
        })),
    }
}

fn shown_payload(payload: Option<&Payload>) -> String {
    payload.map_or_else(String::new, |it| {
        String::from_utf8_lossy(&it.data).into_owned()
    })
}

/// A command in one line.
fn line(scene: &Scene, command: WorkflowCommand) -> String {
    match command.variant.expect("a kind") {
        Command::SetPatchMarker(it) => {
            format!("patch {}", it.patch_id.replace(&marker(), "$release"))
        }
        Command::ScheduleActivity(it) => {
            let context = scene.context(&it.headers, ID);
            let release = if context.digest == Some(digest()) {
                "this release"
            } else {
                "any release"
            };
            assert_eq!(it.headers.keys().collect::<Vec<_>>(), [HEADER]);
            format!(
                "activity {} {} {} on {} as {} {} {release}",
                it.seq,
                it.activity_type,
                shown_payload(it.arguments.first()),
                it.task_queue,
                context.scope,
                context.plugin,
            )
        }
        Command::StartTimer(it) => format!("timer {}", it.seq),
        Command::UpdateResponse(it) => match it.response {
            Some(Response::Accepted(())) => format!("update {} accepted", it.protocol_instance_id),
            Some(Response::Completed(value)) => {
                format!(
                    "update {} completed {}",
                    it.protocol_instance_id,
                    shown_payload(Some(&value))
                )
            }
            other => format!("update {} {other:?}", it.protocol_instance_id),
        },
        Command::RespondToQuery(it) => match it.variant {
            Some(
                temporalio_protos::coresdk::workflow_commands::query_result::Variant::Succeeded(ok),
            ) => {
                format!(
                    "query {} answered {}",
                    it.query_id,
                    shown_payload(ok.response.as_ref())
                )
            }
            other => format!("query {} {other:?}", it.query_id),
        },
        Command::CompleteWorkflowExecution(it) => {
            format!("complete {}", shown_payload(it.result.as_ref()))
        }
        Command::FailWorkflowExecution(it) => {
            format!("fail {}", it.failure.unwrap_or_default().message)
        }
        other => format!("{other:?}"),
    }
}

/// What the guest was called with, a line a call.
fn shown(calls: Vec<Call>) -> Vec<String> {
    let job = |job: &Job| match job {
        Job::InitializeWorkflow(_) => "begin".to_owned(),
        Job::NotifyHasPatch(it) => format!("patch {}", it.patch_id),
        Job::SignalWorkflow(it) => format!("signal {}", it.signal_name),
        Job::QueryWorkflow(it) => format!("query {}", it.query_id),
        Job::DoUpdate(it) => format!("update {}", it.protocol_instance_id),
        Job::FireTimer(it) => format!("timer {} fired", it.seq),
        Job::ResolveActivity(it) => match it.result.as_ref().and_then(|it| it.status.as_ref()) {
            Some(Resolution::Completed(done)) => {
                format!(
                    "activity {} completed {}",
                    it.seq,
                    shown_payload(done.result.as_ref())
                )
            }
            Some(Resolution::Failed(failed)) => {
                let failure = failed.failure.clone().unwrap_or_default();
                let Some(FailureInfo::ActivityFailureInfo(info)) = failure.failure_info else {
                    return format!("activity {} failed without saying which", it.seq);
                };
                let name = info.activity_type.unwrap_or_default().name;
                format!(
                    "activity {} failed: {name}: {}",
                    it.seq,
                    failure.cause.unwrap_or_default().message
                )
            }
            other => format!("activity {} {other:?}", it.seq),
        },
        other => format!("{other:?}"),
    };
    calls
        .iter()
        .map(|call| match call {
            Call::Instantiate(it, _) => {
                format!("instantiate {} {}", it.workflow_type, it.workflow_id)
            }
            Call::Activate(it, moment) => {
                let jobs: Vec<_> = it
                    .jobs
                    .iter()
                    .filter_map(|it| it.variant.as_ref())
                    .map(job)
                    .collect();
                let replay = if moment.replaying { ", replaying" } else { "" };
                format!("activate: {}{replay}", jobs.join(", "))
            }
            Call::Poll(routine) => format!("poll {routine}"),
            Call::Dropped => "dropped".into(),
        })
        .collect()
}

/// Runs the recording and answers it with what came out.
fn play(recording: &Value) -> Value {
    let pin = match text(recording, "pin") {
        "unwritten" => Pin::Unwritten,
        "written" => Pin::Written,
        other => panic!("no such pin: {other}"),
    };
    let mut scene = Scene::new(pin);
    let mut played = recording.clone();
    for step in played["steps"].as_array_mut().expect("steps") {
        act(&scene, &step["guest"]);
        let mut sent = activation(
            step["arrives"]
                .as_array()
                .expect("jobs that arrive")
                .iter()
                .map(job)
                .collect(),
        );
        sent.is_replaying = step["replaying"].as_bool().unwrap_or_default();
        let completion = match scene.run.activate(sent).status {
            Some(Status::Successful(it)) => it
                .commands
                .into_iter()
                .map(|command| line(&scene, command))
                .collect(),
            Some(Status::Failed(it)) => {
                vec![format!(
                    "task failed: {}",
                    it.failure.unwrap_or_default().message
                )]
            }
            None => vec!["nothing".to_owned()],
        };
        step["given"] = value!(shown(scene.script.calls()));
        step["leaves"] = value!(completion);
    }
    played
}

#[test]
fn recorded_runs_come_out_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/translation/recorded");
    let files: BTreeMap<_, _> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for (path, recorded) in files {
        let recording: Value = serde_json::from_str(&recorded).unwrap();
        let played = play(&recording);
        if std::env::var_os("TENTERHOOK_REWRITE").is_some() {
            let text = serde_json::to_string_pretty(&played).unwrap() + "\n";
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let steps = recording["steps"].as_array().unwrap();
        for (at, (step, came)) in steps
            .iter()
            .zip(played["steps"].as_array().unwrap())
            .enumerate()
        {
            assert_eq!(
                step["given"],
                came["given"],
                "{}, step {at}: given",
                path.display()
            );
            assert_eq!(
                step["leaves"],
                came["leaves"],
                "{}, step {at}: leaves",
                path.display()
            );
        }
    }
}
