//! Every kind of command a guest may push: what it becomes, and what it may not say.

mod activity;
mod execution;
mod lane;

use std::{collections::HashMap, time::Duration};

use prost::Message as _;
use temporalio_protos::{
    coresdk::{
        common::NamespacedWorkflowExecution,
        workflow_commands::*,
        workflow_commands::{
            signal_external_workflow_execution::Target, workflow_command::Variant as Command,
        },
    },
    temporal::api::{
        common::v1::{Memo, Payload, Priority, SearchAttributes},
        workflow::v1::VersioningOverride,
    },
};
use tenterhook_domain::Code;
use tenterhook_workflow::guest::Terminal;

use crate::scene::*;

/// The priority of what says nothing: the server would pass on the weight that the workflow was started with.
fn tenants_own() -> Option<Priority> {
    Some(Priority {
        priority_key: 0,
        fairness_key: "acme".into(),
        fairness_weight: f32::from(WEIGHT),
    })
}

/// A workflow id of another tenant, as Temporal knows it.
const FOREIGN: &str = "globex/production/p-9";

fn map(names: &[&str]) -> HashMap<String, Payload> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), json("1")))
        .collect()
}

fn attributes(names: &[&str]) -> Option<SearchAttributes> {
    Some(SearchAttributes {
        indexed_fields: map(names),
    })
}

fn seconds<T: TryFrom<Duration>>(seconds: u64) -> Option<T> {
    T::try_from(Duration::from_secs(seconds)).ok()
}

/// What the host makes of one pushed command, and the scene to check its header in.
#[track_caller]
fn carried(command: Command) -> (Command, Scene) {
    let mut scene = Scene::begun();
    scene.script.push(command);
    let mut commands = scene.commands(vec![fire(1)]);
    assert_eq!(commands.len(), 1);
    (commands.remove(0), scene)
}

/// Holds that a pushed command fails the task with `code` and says `part`, its good neighbour with it.
#[track_caller]
fn check_refused(command: Command, code: Code, part: &str) {
    let mut scene = Scene::begun();
    scene
        .script
        .push(Command::StartTimer(StartTimer::default()));
    scene.script.push(command);
    scene.fails(vec![fire(1)], code, part);
}

fn activity(activity_type: &str) -> ScheduleActivity {
    ScheduleActivity {
        seq: 3,
        activity_id: "3".into(),
        activity_type: activity_type.into(),
        task_queue: "elsewhere".into(),
        headers: map(&["trace"]),
        arguments: vec![json("1")],
        start_to_close_timeout: seconds(5),
        ..Default::default()
    }
}

fn child(workflow_type: &str, workflow_id: &str) -> StartChildWorkflowExecution {
    StartChildWorkflowExecution {
        seq: 3,
        namespace: "elsewhere".into(),
        task_queue: "elsewhere".into(),
        workflow_type: workflow_type.into(),
        workflow_id: workflow_id.into(),
        headers: map(&["trace"]),
        memo: map(&["note"]),
        search_attributes: attributes(&["Colour"]),
        ..Default::default()
    }
}

/// Types as a guest of `payment` writes them, as Temporal knows them, and whether the release is passed on.
const TYPES: &[(&str, &str, bool)] = &[
    ("Charge", "payment.Charge", true),
    ("payment.Charge", "payment.Charge", true),
    ("billing.Charge", "billing.Charge", false),
    ("Billing.Charge", "payment.Billing.Charge", true),
];

#[test]
fn an_unset_attribute_is_spelled_as_the_server_reads_it() {
    let mut attributes = attributes(&["Colour"]).unwrap();
    let unset = ("Size".to_owned(), Payload::default());
    attributes.indexed_fields.extend([unset]);
    let mut expected = attributes.clone();
    let nothing = Payload {
        metadata: [("encoding".to_owned(), b"binary/null".to_vec())].into(),
        ..Default::default()
    };
    expected.indexed_fields.insert("Size".to_owned(), nothing);
    let upsert = |attributes| {
        Command::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes {
            search_attributes: Some(attributes),
        })
    };
    assert_eq!(carried(upsert(attributes)).0, upsert(expected));
}

#[test]
fn attributes_memo_and_patches_are_free_but_for_the_hosts_names() {
    let upsert = |name| {
        let search_attributes = attributes(&[name]);
        Command::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes {
            search_attributes,
        })
    };
    let modify = |name| {
        let upserted_memo = Some(Memo {
            fields: map(&[name]),
        });
        Command::ModifyWorkflowProperties(ModifyWorkflowProperties { upserted_memo })
    };
    let patch = |id: &str| {
        Command::SetPatchMarker(SetPatchMarker {
            patch_id: id.into(),
            deprecated: false,
        })
    };
    for good in [
        upsert("Colour"),
        upsert("tenant"),
        modify("note"),
        modify("tenterhook"),
        patch("mine"),
        patch("tenterhook"),
        patch("release@sha256:00"),
    ] {
        assert_eq!(carried(good.clone()).0, good);
    }
    for bad in [
        upsert("Tenant"),
        upsert("Environment"),
        upsert("Plugin"),
        upsert("TemporalChangeVersion"),
        upsert("TemporalAnything"),
        upsert("tenterhook"),
        upsert("TenterhookX"),
        modify("tenterhook:x"),
        patch("tenterhook:x"),
        patch("Tenterhook:release@x"),
        patch(&marker()),
    ] {
        check_refused(bad, Code::CommandRefused, "host's");
    }
}

#[test]
fn commands_that_name_nothing_pass_as_they_are() {
    for command in [
        Command::StartTimer(StartTimer {
            seq: 1,
            start_to_fire_timeout: seconds(1),
        }),
        Command::CancelTimer(CancelTimer { seq: 1 }),
        Command::RequestCancelActivity(RequestCancelActivity { seq: 1 }),
        Command::RequestCancelLocalActivity(RequestCancelLocalActivity { seq: 1 }),
        Command::CancelSignalWorkflow(CancelSignalWorkflow { seq: 1 }),
        Command::CancelChildWorkflowExecution(CancelChildWorkflowExecution {
            child_workflow_seq: 1,
            reason: "late".into(),
        }),
        Command::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes::default()),
        Command::ModifyWorkflowProperties(ModifyWorkflowProperties::default()),
    ] {
        assert_eq!(carried(command.clone()).0, command);
    }
}

#[test]
fn answers_and_ends_are_not_pushed() {
    for (command, name) in [
        (
            Command::RespondToQuery(QueryResult::default()),
            "RespondToQuery",
        ),
        (
            Command::UpdateResponse(UpdateResponse::default()),
            "UpdateResponse",
        ),
        (
            Command::CompleteWorkflowExecution(CompleteWorkflowExecution::default()),
            "CompleteWorkflowExecution",
        ),
        (
            Command::FailWorkflowExecution(FailWorkflowExecution::default()),
            "FailWorkflowExecution",
        ),
        (
            Command::CancelWorkflowExecution(CancelWorkflowExecution::default()),
            "CancelWorkflowExecution",
        ),
        (
            Command::ContinueAsNewWorkflowExecution(ContinueAsNewWorkflowExecution::default()),
            "ContinueAsNewWorkflowExecution",
        ),
    ] {
        check_refused(
            command,
            Code::CommandRefused,
            &format!("command {name} is refused"),
        );
    }
}

#[test]
fn nexus_is_not_supported() {
    for command in [
        Command::ScheduleNexusOperation(ScheduleNexusOperation::default()),
        Command::RequestCancelNexusOperation(RequestCancelNexusOperation::default()),
    ] {
        check_refused(
            command,
            Code::CommandUnsupported,
            "Nexus operations are not carried",
        );
    }
}

#[test]
fn no_guest_takes_anothers_share_of_the_lane() {
    let greedy = |priority_key| Priority {
        priority_key,
        fairness_key: "globex".into(),
        fairness_weight: 1000.0,
    };
    for (asked, given) in [(0, 0), (1, 3), (2, 3), (3, 3), (5, 5)] {
        let tame = tenants_own().map(|own| Priority {
            priority_key: given,
            ..own
        });
        let mut it = activity("Charge");
        it.priority = Some(greedy(asked));
        let (Command::ScheduleActivity(it), _) = carried(Command::ScheduleActivity(it)) else {
            panic!("an activity stays one")
        };
        assert_eq!(it.priority, tame);
        let mut it = child("Child", "c");
        it.priority = Some(greedy(asked));
        let pushed = Command::StartChildWorkflowExecution(it);
        let (Command::StartChildWorkflowExecution(it), _) = carried(pushed) else {
            panic!("a child stays one")
        };
        assert_eq!(it.priority, tame);
    }
}

#[test]
fn one_bad_command_discards_all_and_emits_no_marker() {
    let mut scene = Scene::new(tenterhook_workflow::Pin::Unwritten);
    scene
        .script
        .push(Command::ScheduleActivity(activity("Charge")));
    scene.script.push(Command::SetPatchMarker(SetPatchMarker {
        patch_id: marker(),
        deprecated: false,
    }));
    scene.fails(vec![init()], Code::CommandRefused, "SetPatchMarker");
}
