//! Every kind of command a guest may push: what it becomes, and what it may not say.

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
        common::v1::{Memo, Payload, Priority, RetryPolicy, SearchAttributes},
        workflow::v1::VersioningOverride,
    },
};
use tenterhook_domain::Code;
use tenterhook_workflow::guest::Terminal;

use crate::scene::*;

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

#[track_caller]
fn check_continuation_refused(request: ContinueAsNewWorkflowExecution, part: &str) {
    let mut scene = Scene::begun();
    scene
        .script
        .end(Terminal::ContinueAsNew(request.encode_to_vec()));
    scene.fails(vec![fire(1)], Code::CommandRefused, part);
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

fn local_activity(activity_type: &str) -> ScheduleLocalActivity {
    ScheduleLocalActivity {
        seq: 3,
        activity_type: activity_type.into(),
        headers: map(&["trace"]),
        schedule_to_close_timeout: seconds(5),
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

fn signal_to(target: Target) -> SignalExternalWorkflowExecution {
    SignalExternalWorkflowExecution {
        seq: 3,
        target: Some(target),
        signal_name: "nudge".into(),
        headers: map(&["trace"]),
        ..Default::default()
    }
}

fn elsewhere(workflow_id: &str) -> NamespacedWorkflowExecution {
    NamespacedWorkflowExecution {
        namespace: "elsewhere".into(),
        workflow_id: workflow_id.into(),
        run_id: "r".into(),
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
fn activities_are_qualified_signed_and_kept_on_the_lane() {
    for (written, qualified, own) in TYPES {
        let (command, scene) = carried(Command::ScheduleActivity(activity(written)));
        let Command::ScheduleActivity(it) = command else {
            panic!("{command:?}")
        };
        let context = scene.context(&it.headers, ID);
        let plugin = qualified.split('.').next().unwrap();
        assert_eq!(context.scope.to_string(), "acme/production");
        assert_eq!(context.plugin.as_str(), plugin);
        assert_eq!(context.digest, own.then(digest), "{written}");
        let mut expected = activity(qualified);
        expected.task_queue = QUEUE.into();
        expected.headers = it.headers.clone();
        assert_eq!(it.headers.len(), 2, "the guest's own header is kept");
        assert_eq!(it, expected);

        let (command, scene) = carried(Command::ScheduleLocalActivity(local_activity(written)));
        let Command::ScheduleLocalActivity(it) = command else {
            panic!("{command:?}")
        };
        let context = scene.context(&it.headers, ID);
        assert_eq!(context.plugin.as_str(), plugin);
        assert_eq!(context.digest, own.then(digest), "{written}");
        let mut expected = local_activity(qualified);
        expected.headers = it.headers.clone();
        assert_eq!(it, expected);
    }
}

#[test]
fn activities_without_a_time_out_or_with_the_hosts_names_are_refused() {
    let ordinary = |change: fn(&mut ScheduleActivity), part: &str| {
        let mut it = activity("Charge");
        change(&mut it);
        check_refused(Command::ScheduleActivity(it), Code::CommandRefused, part);
    };
    ordinary(
        |it| it.start_to_close_timeout = None,
        "set start_to_close_timeout",
    );
    ordinary(
        |it| it.headers = map(&["tenterhook-context"]),
        "tenterhook-context",
    );
    ordinary(
        |it| it.headers = map(&["Tenterhook-Context"]),
        "Tenterhook-Context",
    );
    ordinary(|it| it.activity_type = String::new(), "not a type name");
    ordinary(|it| it.activity_type = "billing.".into(), "not a type name");
    ordinary(|it| it.activity_type = "a\nb".into(), "not a type name");

    let local = |change: fn(&mut ScheduleLocalActivity), part: &str| {
        let mut it = local_activity("Charge");
        change(&mut it);
        check_refused(
            Command::ScheduleLocalActivity(it),
            Code::CommandRefused,
            part,
        );
    };
    local(
        |it| it.schedule_to_close_timeout = None,
        "set start_to_close_timeout",
    );
    local(
        |it| it.headers = map(&["tenterhook-context"]),
        "tenterhook-context",
    );
    local(
        |it| {
            let mut span = it.schedule_to_close_timeout.unwrap_or_default();
            span.seconds = i64::MAX;
            it.schedule_to_close_timeout = Some(span);
        },
        "9223372036854775807 s",
    );
    local(
        |it| {
            let mut span = it.schedule_to_close_timeout.unwrap_or_default();
            span.nanos = -1;
            it.retry_policy = Some(RetryPolicy {
                initial_interval: Some(span),
                ..Default::default()
            });
        },
        "-1 ns",
    );
}

#[test]
fn a_schedule_to_close_time_out_alone_is_enough() {
    let mut it = activity("Charge");
    it.schedule_to_close_timeout = it.start_to_close_timeout.take();
    carried(Command::ScheduleActivity(it));
    let mut it = local_activity("Charge");
    it.start_to_close_timeout = it.schedule_to_close_timeout.take();
    carried(Command::ScheduleLocalActivity(it));
}

#[test]
fn children_stay_in_the_scope() {
    for (written, qualified, own) in TYPES {
        for (id, temporal_id) in [
            ("c-1", "acme/production/c-1".to_owned()),
            (FOREIGN, format!("acme/production/{FOREIGN}")),
            (ID, format!("acme/production/{ID}")),
        ] {
            let mut pushed = child(written, id);
            pushed.versioning_override = Some(VersioningOverride::default());
            pushed.versioning_intent = 1;
            let (command, scene) = carried(Command::StartChildWorkflowExecution(pushed));
            let Command::StartChildWorkflowExecution(it) = command else {
                panic!("{command:?}")
            };
            let plugin = qualified.split('.').next().unwrap();
            let context = scene.context(&it.headers, &temporal_id);
            assert_eq!(context.plugin.as_str(), plugin);
            assert_eq!(context.digest, own.then(digest));
            let mut expected = child(qualified, &temporal_id);
            expected.namespace = "lanes".into();
            expected.task_queue = QUEUE.into();
            expected.headers = it.headers.clone();
            let marked = &mut expected.search_attributes.as_mut().unwrap().indexed_fields;
            for (name, value) in [
                ("Tenant", "acme"),
                ("Environment", "production"),
                ("Plugin", plugin),
            ] {
                let mut payload = json(&format!("{value:?}"));
                payload.metadata.insert("type".into(), b"Keyword".to_vec());
                marked.insert(name.into(), payload);
            }
            assert_eq!(it, expected);
        }
    }
}

#[test]
fn children_with_no_id_or_the_hosts_names_are_refused() {
    let check = |change: fn(&mut StartChildWorkflowExecution), part: &str| {
        let mut it = child("Child", "c-1");
        change(&mut it);
        check_refused(
            Command::StartChildWorkflowExecution(it),
            Code::CommandRefused,
            part,
        );
    };
    check(|it| it.workflow_id = String::new(), "not a workflow id");
    check(|it| it.workflow_id = "x".repeat(513), "not a workflow id");
    check(|it| it.workflow_id = "a\0b".into(), "not a workflow id");
    check(|it| it.workflow_type = String::new(), "not a type name");
    check(
        |it| it.headers = map(&["tenterhook-context"]),
        "tenterhook-context",
    );
    check(|it| it.memo = map(&["tenterhook:x"]), "tenterhook:x");
    for name in [
        "Tenant",
        "Environment",
        "Plugin",
        "TemporalChangeVersion",
        "tenterhookX",
    ] {
        let mut it = child("Child", "c-1");
        it.search_attributes = attributes(&[name]);
        check_refused(
            Command::StartChildWorkflowExecution(it),
            Code::CommandRefused,
            name,
        );
    }
}

#[test]
fn signals_and_cancels_reach_only_the_scope() {
    for (id, temporal_id) in [
        ("p-2", "acme/production/p-2".to_owned()),
        (FOREIGN, format!("acme/production/{FOREIGN}")),
    ] {
        let own = NamespacedWorkflowExecution {
            namespace: "lanes".into(),
            workflow_id: temporal_id.clone(),
            run_id: "r".into(),
        };
        let signal = Command::SignalExternalWorkflowExecution;
        let (command, _) = carried(signal(signal_to(Target::WorkflowExecution(elsewhere(id)))));
        assert_eq!(
            command,
            signal(signal_to(Target::WorkflowExecution(own.clone())))
        );
        let (command, _) = carried(signal(signal_to(Target::ChildWorkflowId(id.into()))));
        assert_eq!(
            command,
            signal(signal_to(Target::ChildWorkflowId(temporal_id.clone())))
        );

        let cancel = |workflow_execution| {
            Command::RequestCancelExternalWorkflowExecution(
                RequestCancelExternalWorkflowExecution {
                    seq: 3,
                    workflow_execution: Some(workflow_execution),
                    reason: "late".into(),
                },
            )
        };
        let (command, _) = carried(cancel(elsewhere(id)));
        assert_eq!(command, cancel(own));
    }
}

#[test]
fn signals_and_cancels_to_nobody_or_with_the_hosts_names_are_refused() {
    let empty = || Target::ChildWorkflowId(String::new());
    let nobody = SignalExternalWorkflowExecution {
        target: None,
        ..signal_to(empty())
    };
    let forged = SignalExternalWorkflowExecution {
        headers: map(&["tenterhook-context"]),
        ..signal_to(Target::ChildWorkflowId("c".into()))
    };
    for (it, part) in [
        (nobody, "names no workflow"),
        (signal_to(empty()), "not a workflow id"),
        (
            signal_to(Target::WorkflowExecution(elsewhere(""))),
            "not a workflow id",
        ),
        (forged, "tenterhook-context"),
    ] {
        check_refused(
            Command::SignalExternalWorkflowExecution(it),
            Code::CommandRefused,
            part,
        );
    }
    for (workflow_execution, part) in [
        (None, "names no workflow"),
        (Some(elsewhere("")), "not a workflow id"),
    ] {
        let it = RequestCancelExternalWorkflowExecution {
            workflow_execution,
            ..Default::default()
        };
        check_refused(
            Command::RequestCancelExternalWorkflowExecution(it),
            Code::CommandRefused,
            part,
        );
    }
}

/// What the host makes of a continue-as-new.
#[track_caller]
fn continued(request: ContinueAsNewWorkflowExecution) -> (ContinueAsNewWorkflowExecution, Scene) {
    let mut scene = Scene::begun();
    scene
        .script
        .end(Terminal::ContinueAsNew(request.encode_to_vec()));
    match scene.commands(vec![fire(1)]).remove(0) {
        Command::ContinueAsNewWorkflowExecution(it) => (it, scene),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_continued_run_keeps_its_owner_and_chooses_its_release_afresh() {
    for (written, qualified) in [
        ("", "payment.ProcessPayment"),
        ("ProcessPayment", "payment.ProcessPayment"),
        ("payment.Refund", "payment.Refund"),
    ] {
        let request = ContinueAsNewWorkflowExecution {
            workflow_type: written.into(),
            task_queue: "elsewhere".into(),
            arguments: vec![json("2")],
            headers: map(&["trace"]),
            memo: map(&["note"]),
            versioning_intent: 1,
            initial_versioning_behavior: 1,
            ..Default::default()
        };
        let (it, scene) = continued(request.clone());
        let context = scene.context(&it.headers, ID);
        assert_eq!(context.plugin.as_str(), "payment");
        assert_eq!(context.digest, None);
        let expected = ContinueAsNewWorkflowExecution {
            workflow_type: qualified.into(),
            task_queue: QUEUE.into(),
            headers: it.headers.clone(),
            versioning_intent: 0,
            initial_versioning_behavior: 0,
            ..request
        };
        assert_eq!(it.headers.len(), 2);
        assert_eq!(
            it, expected,
            "attributes that are not given are inherited, owner included"
        );
    }
    for names in [&["Colour"][..], &[]] {
        let request = ContinueAsNewWorkflowExecution {
            search_attributes: attributes(names),
            ..Default::default()
        };
        let (it, _) = continued(request);
        let mut given: Vec<_> = it
            .search_attributes
            .unwrap()
            .indexed_fields
            .into_keys()
            .collect();
        given.sort_unstable();
        let mut expected = vec!["Environment", "Plugin", "Tenant"];
        expected.extend(names);
        expected.sort_unstable();
        assert_eq!(given, expected);
    }
}

#[test]
fn a_continued_run_takes_no_other_plugin_and_none_of_the_hosts_names() {
    let request = ContinueAsNewWorkflowExecution::default;
    let of_type = |name: &str| ContinueAsNewWorkflowExecution {
        workflow_type: name.into(),
        ..request()
    };
    check_continuation_refused(of_type("billing.Charge"), "another plugin");
    check_continuation_refused(of_type("a\nb"), "not a type name");
    let headers = map(&["tenterhook-context"]);
    check_continuation_refused(
        ContinueAsNewWorkflowExecution {
            headers,
            ..request()
        },
        "tenterhook-context",
    );
    let memo = map(&["tenterhook:x"]);
    check_continuation_refused(
        ContinueAsNewWorkflowExecution { memo, ..request() },
        "tenterhook:x",
    );
    for name in ["Tenant", "TemporalChangeVersion"] {
        let search_attributes = attributes(&[name]);
        check_continuation_refused(
            ContinueAsNewWorkflowExecution {
                search_attributes,
                ..request()
            },
            name,
        );
    }
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
        let tame = Some(Priority {
            priority_key: given,
            fairness_key: "acme".into(),
            fairness_weight: 0.0,
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
    let mut scene = Scene::new(tenterhook_workflow::Pin::Marked);
    scene
        .script
        .push(Command::ScheduleActivity(activity("Charge")));
    scene.script.push(Command::SetPatchMarker(SetPatchMarker {
        patch_id: marker(),
        deprecated: false,
    }));
    scene.fails(vec![init()], Code::CommandRefused, "SetPatchMarker");
}
