//! Children, signals and cancels to other executions, and the run that continues this one.

use tenterhook_domain::policy::UpgradeOn;

use super::*;

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

#[track_caller]
fn check_continuation_refused(request: ContinueAsNewWorkflowExecution, part: &str) {
    let mut scene = Scene::begun();
    scene
        .script
        .end(Terminal::ContinueAsNew(request.encode_to_vec()));
    scene.fails(vec![fire(1)], Code::CommandRefused, part);
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
            expected.priority = tenants_own();
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
        |it| it.parent_close_policy = 99,
        "parent close policy is 99",
    );
    check(
        |it| it.workflow_id_reuse_policy = -1,
        "policy for its id is -1",
    );
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
fn a_continued_run_of_a_chain_that_stays_is_told_its_release() {
    for (upgrade_on, digest) in [
        (UpgradeOn::Never, Some(crate::scene::digest())),
        (UpgradeOn::ContinueAsNew, None),
    ] {
        let mut scene = Scene::begun();
        scene.run.set_upgrade_on(upgrade_on);
        let request = ContinueAsNewWorkflowExecution::default().encode_to_vec();
        scene.script.end(Terminal::ContinueAsNew(request));
        let Command::ContinueAsNewWorkflowExecution(it) = scene.commands(vec![fire(1)]).remove(0)
        else {
            panic!("the run continues as new");
        };
        assert_eq!(scene.context(&it.headers, ID).digest, digest);
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
