//! Counts and sizes, each just within and just beyond.

use prost::Message as _;
use temporalio_protos::{
    coresdk::workflow_commands::{
        ContinueAsNewWorkflowExecution, ModifyWorkflowProperties, ScheduleActivity,
        SignalExternalWorkflowExecution, StartChildWorkflowExecution, StartTimer,
        UpsertWorkflowSearchAttributes, WorkflowCommand,
        signal_external_workflow_execution::Target, workflow_command::Variant as Command,
    },
    temporal::api::{
        common::v1::{Memo, Payload, SearchAttributes},
        failure::v1::Failure,
        sdk::v1::UserMetadata,
    },
};
use tenterhook_domain::{Code, limit::Limits};
use tenterhook_workflow::guest::{Completion, Fault, JobResult, Terminal};

use crate::{
    scene::*,
    script::{encode, poll},
};

const LIMIT: u64 = 1024;

fn small() -> Limits {
    Limits {
        payload_bytes: LIMIT,
        ..Limits::default()
    }
}

/// A payload of exactly `bytes` encoded bytes.
fn payload_of(bytes: u64) -> Payload {
    let mut payload = Payload {
        data: vec![b'x'; bytes as usize - 3],
        ..Default::default()
    };
    payload
        .data
        .truncate(payload.data.len() - (payload.encoded_len() - bytes as usize));
    assert_eq!(payload.encoded_len() as u64, bytes);
    payload
}

#[test]
fn commands_are_counted() {
    let limits = Limits {
        activation_commands: 3,
        ..Limits::default()
    };
    for (count, fails) in [(3_u32, false), (4, true)] {
        let mut scene = Scene::begun_with(limits.clone());
        for seq in 0..count {
            scene.script.push(Command::StartTimer(StartTimer {
                seq,
                ..Default::default()
            }));
        }
        if fails {
            scene.fails(
                vec![fire(1)],
                Code::GuestTooManyCommands,
                "activation_commands = 3",
            );
        } else {
            assert_eq!(scene.commands(vec![fire(1)]).len(), 3);
        }
    }
}

#[test]
fn each_payload_of_each_command_is_measured() {
    let map = |payload: Payload| [("k".to_owned(), payload)].into();
    let attributes = |payload| {
        Some(SearchAttributes {
            indexed_fields: map(payload),
        })
    };
    let activity = || ScheduleActivity {
        activity_type: "A".into(),
        start_to_close_timeout: Some(Default::default()),
        ..Default::default()
    };
    let child = || StartChildWorkflowExecution {
        workflow_type: "W".into(),
        workflow_id: "c".into(),
        ..Default::default()
    };
    let signal = || SignalExternalWorkflowExecution {
        target: Some(Target::ChildWorkflowId("c".into())),
        ..Default::default()
    };
    type Make<'a> = Box<dyn Fn(Payload) -> Command + 'a>;
    let places: Vec<Make<'_>> = vec![
        Box::new(|it| {
            Command::ScheduleActivity(ScheduleActivity {
                arguments: vec![json("1"), it],
                ..activity()
            })
        }),
        Box::new(|it| {
            Command::ScheduleActivity(ScheduleActivity {
                headers: map(it),
                ..activity()
            })
        }),
        Box::new(|it| {
            Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
                input: vec![it],
                ..child()
            })
        }),
        Box::new(|it| {
            Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
                memo: map(it),
                ..child()
            })
        }),
        Box::new(|it| {
            Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
                search_attributes: attributes(it),
                ..child()
            })
        }),
        Box::new(|it| {
            Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
                args: vec![it],
                ..signal()
            })
        }),
        Box::new(|it| {
            Command::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes {
                search_attributes: attributes(it),
            })
        }),
        Box::new(|it| {
            Command::ModifyWorkflowProperties(ModifyWorkflowProperties {
                upserted_memo: Some(Memo { fields: map(it) }),
            })
        }),
    ];
    for make in places {
        let mut scene = Scene::begun_with(small());
        scene.script.push(make(payload_of(LIMIT)));
        assert_eq!(scene.commands(vec![fire(1)]).len(), 1);
        scene.script.push(make(payload_of(LIMIT + 1)));
        scene.fails(
            vec![fire(2)],
            Code::GuestPayloadTooLarge,
            "payload_bytes = 1024",
        );
    }
    let mut scene = Scene::begun_with(small());
    let command = WorkflowCommand {
        variant: Some(Command::StartTimer(StartTimer::default())),
        user_metadata: Some(UserMetadata {
            summary: Some(payload_of(LIMIT + 1)),
            details: None,
        }),
        ..Default::default()
    };
    scene.script.push_bytes(vec![command.encode_to_vec()]);
    scene.fails(vec![fire(1)], Code::GuestPayloadTooLarge, "StartTimer");
}

#[test]
fn results_and_failures_are_measured() {
    let big = || payload_of(LIMIT + 1).encode_to_vec();
    let failure = || {
        let failure = Failure {
            message: "x".repeat(LIMIT as usize),
            ..Default::default()
        };
        failure.encode_to_vec()
    };
    type Arrange<'a> = Box<dyn Fn(&Scene) + 'a>;
    let cases: Vec<Arrange<'_>> = vec![
        Box::new(|scene| scene.script.end(Terminal::Completed(big()))),
        Box::new(|scene| scene.script.end(Terminal::Failed(failure()))),
        Box::new(|scene| scene.script.end(Terminal::Cancelled(Some(big())))),
        Box::new(|scene| scene.script.poll(0, Err(Fault::Failure(failure())))),
        Box::new(|scene| {
            let failed = Completion::TaskFailed {
                failure: failure(),
                cause: None,
            };
            scene.script.poll(0, Ok(poll(Some(failed), false)));
        }),
        Box::new(|scene| {
            let request = ContinueAsNewWorkflowExecution {
                arguments: vec![payload_of(LIMIT + 1)],
                ..Default::default()
            };
            scene
                .script
                .end(Terminal::ContinueAsNew(request.encode_to_vec()));
        }),
    ];
    for arrange in cases {
        let mut scene = Scene::begun_with(small());
        arrange(&scene);
        scene.fails(
            vec![fire(1)],
            Code::GuestPayloadTooLarge,
            "payload_bytes = 1024",
        );
    }
    let mut scene = Scene::begun_with(small());
    scene.script.activate(Ok(vec![JobResult::Query(Ok(big()))]));
    scene.fails(
        vec![query("q")],
        Code::GuestPayloadTooLarge,
        "a query's answer",
    );
}

#[test]
fn many_payloads_within_the_limit_are_one_command() {
    let mut scene = Scene::begun_with(small());
    scene
        .script
        .push(Command::ScheduleActivity(ScheduleActivity {
            activity_type: "A".into(),
            start_to_close_timeout: Some(Default::default()),
            arguments: vec![payload_of(LIMIT); 20],
            ..Default::default()
        }));
    assert_eq!(scene.commands(vec![fire(1)]).len(), 1);
}

#[test]
fn the_commands_of_one_activation_fit_one_message() {
    const MIB: u64 = 1024 * 1024;
    let command = |seq| {
        encode(Command::SignalExternalWorkflowExecution(
            SignalExternalWorkflowExecution {
                seq,
                target: Some(Target::ChildWorkflowId("c".into())),
                args: vec![payload_of(MIB)],
                ..Default::default()
            },
        ))
    };
    let mut scene = Scene::begun();
    scene.script.push_bytes((0..3).map(command).collect());
    assert_eq!(scene.commands(vec![fire(1)]).len(), 3);
    scene.script.push_bytes((0..4).map(command).collect());
    scene.fails(vec![fire(2)], Code::GuestPayloadTooLarge, "4194304");
}
