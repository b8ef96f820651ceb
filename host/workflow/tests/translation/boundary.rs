//! What a guest is shown: its own names and ids, nothing of the host's, nothing of other scopes.

use std::collections::HashMap;

use temporalio_protos::{
    coresdk::{
        activity_result::{self, ActivityResolution, activity_resolution},
        child_workflow::{self, ChildWorkflowResult, child_workflow_result},
        common::NamespacedWorkflowExecution,
        workflow_activation::{
            InitializeWorkflow, ResolveActivity, ResolveChildWorkflowExecution,
            ResolveChildWorkflowExecutionStart, ResolveChildWorkflowExecutionStartFailure,
            ResolveSignalExternalWorkflow, resolve_child_workflow_execution_start,
            workflow_activation_job::Variant as Job,
        },
    },
    temporal::api::{
        common::v1::{
            ActivityType, Memo, Payload, SearchAttributes, WorkflowExecution, WorkflowType,
        },
        failure::v1::{
            ActivityFailureInfo, ChildWorkflowExecutionFailureInfo, Failure, failure::FailureInfo,
        },
    },
};
use tenterhook_domain::Code;
use tenterhook_workflow::Pin;

use crate::{scene::*, script::Call};

/// What the guest was instantiated with.
fn shown_start(start: InitializeWorkflow) -> InitializeWorkflow {
    let mut scene = Scene::new(Pin::Written);
    scene.commands(vec![Job::InitializeWorkflow(start)]);
    match scene.script.calls().swap_remove(0) {
        Call::Instantiate(start, _) => *start,
        other => panic!("{other:?}"),
    }
}

/// The jobs the guest was given for `jobs`.
fn shown(jobs: Vec<Job>) -> Vec<Job> {
    let mut scene = Scene::begun();
    scene.complete(jobs);
    match scene.script.calls().into_iter().next() {
        Some(Call::Activate(activation, _)) => activation
            .jobs
            .into_iter()
            .filter_map(|job| job.variant)
            .collect(),
        _ => vec![],
    }
}

fn fields(names: &[&str]) -> HashMap<String, Payload> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), json("1")))
        .collect()
}

fn sorted(fields: &HashMap<String, Payload>) -> Vec<&str> {
    let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn execution(workflow_id: &str) -> NamespacedWorkflowExecution {
    NamespacedWorkflowExecution {
        namespace: "lanes".into(),
        workflow_id: workflow_id.into(),
        run_id: "r".into(),
    }
}

#[test]
fn a_run_sees_its_callers_names() {
    let start = shown_start(InitializeWorkflow {
        headers: fields(&["tenterhook-context", "Tenterhook-Context", "trace"]),
        memo: Some(Memo {
            fields: fields(&["tenterhook:x", "note"]),
        }),
        search_attributes: Some(SearchAttributes {
            indexed_fields: fields(&[
                "Tenant",
                "Environment",
                "Plugin",
                "TemporalChangeVersion",
                "TemporalScheduledById",
                "TemporalScheduledStartTime",
                "tenterhookX",
                "Colour",
            ]),
        }),
        ..start()
    });
    assert_eq!(start.workflow_type, "ProcessPayment");
    assert_eq!(start.workflow_id, "p-1");
    assert_eq!(sorted(&start.headers), ["trace"]);
    assert_eq!(sorted(&start.memo.unwrap().fields), ["note"]);
    assert_eq!(
        sorted(&start.search_attributes.unwrap().indexed_fields),
        ["Colour", "TemporalScheduledStartTime"]
    );
}

#[test]
fn a_parent_is_shown_only_inside_the_scope() {
    let cases = [
        ("acme/production/order-7", Some("order-7")),
        ("acme/staging/order-7", None),
        ("globex/production/order-7", None),
        ("order-7", None),
    ];
    for (parent, expected) in cases {
        let start = shown_start(InitializeWorkflow {
            parent_workflow_info: Some(execution(parent)),
            root_workflow: Some(WorkflowExecution {
                workflow_id: parent.into(),
                run_id: "r".into(),
            }),
            ..start()
        });
        let shown = start.parent_workflow_info.map(|parent| parent.workflow_id);
        assert_eq!(shown.as_deref(), expected);
        let root = start.root_workflow.map(|root| root.workflow_id);
        assert_eq!(root.as_deref(), expected);
    }
}

#[test]
fn a_type_with_a_plugins_name_in_it_is_still_the_plugins() {
    for (temporal, guest) in [
        ("payment.ProcessPayment", "ProcessPayment"),
        ("payment.billing.Charge", "billing.Charge"),
        ("ProcessPayment", "ProcessPayment"),
    ] {
        let start = shown_start(InitializeWorkflow {
            workflow_type: temporal.into(),
            ..start()
        });
        assert_eq!(start.workflow_type, guest);
    }
}

#[test]
fn another_executions_start_is_not_taken() {
    let other = InitializeWorkflow {
        workflow_id: "acme/production/p-2".into(),
        ..start()
    };
    let mut scene = Scene::new(Pin::Unwritten);
    scene.fails(vec![Job::InitializeWorkflow(other)], Code::Internal, "p-2");
    assert!(scene.script.calls().is_empty());
}

#[test]
fn the_hosts_headers_stay_with_the_host() {
    let jobs = [signal("a"), update("u-1"), query("q")].map(|mut job| {
        let headers = match &mut job {
            Job::SignalWorkflow(it) => &mut it.headers,
            Job::DoUpdate(it) => &mut it.headers,
            Job::QueryWorkflow(it) => &mut it.headers,
            other => panic!("{other:?}"),
        };
        *headers = fields(&["tenterhook-context", "TENTERHOOK-more", "trace"]);
        job
    });
    for job in jobs {
        match &shown(vec![job])[..] {
            [Job::SignalWorkflow(it)] => assert_eq!(sorted(&it.headers), ["trace"]),
            [Job::DoUpdate(it)] => {
                assert_eq!(sorted(&it.headers), ["trace"]);
                assert!(it.run_validator);
            }
            [Job::QueryWorkflow(it)] => assert_eq!(sorted(&it.headers), ["trace"]),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_hosts_patches_stay_with_the_host() {
    let jobs = vec![
        patch(&marker()),
        patch("mine"),
        patch("tenterhook:later"),
        fire(1),
    ];
    assert_eq!(shown(jobs), [patch("mine"), fire(1)]);
    assert_eq!(
        shown(vec![patch(&marker())]),
        [],
        "and alone they call nobody"
    );
}

/// A failure three deep: an activity's in a child's in a child's of another plugin.
fn nested(own: bool) -> Failure {
    let name = |bare: &str| {
        if own {
            bare.to_owned()
        } else {
            format!("payment.{bare}")
        }
    };
    let id = |bare: &str| {
        if own {
            bare.to_owned()
        } else {
            format!("acme/production/{bare}")
        }
    };
    let child = |workflow_id: String, workflow_type: String, cause: Failure| Failure {
        message: "Child Workflow execution failed".into(),
        cause: Some(Box::new(cause)),
        failure_info: Some(FailureInfo::ChildWorkflowExecutionFailureInfo(
            ChildWorkflowExecutionFailureInfo {
                workflow_execution: Some(WorkflowExecution {
                    workflow_id,
                    run_id: "r".into(),
                }),
                workflow_type: Some(WorkflowType {
                    name: workflow_type,
                }),
                ..Default::default()
            },
        )),
        ..Default::default()
    };
    let activity = Failure {
        message: "declined".into(),
        failure_info: Some(FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
            activity_type: Some(ActivityType {
                name: name("Charge"),
            }),
            activity_id: "1".into(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let inner = child(id("c-2"), "billing.Collect".into(), activity);
    child(id("c-1"), name("Child"), inner)
}

#[test]
fn failures_speak_the_guests_names_all_the_way_down() {
    let activity = |failure| {
        Job::ResolveActivity(ResolveActivity {
            seq: 1,
            result: Some(ActivityResolution {
                status: Some(activity_resolution::Status::Failed(
                    activity_result::Failure {
                        failure: Some(failure),
                        ..Default::default()
                    },
                )),
            }),
            is_local: false,
        })
    };
    let child = |failure| {
        let failed = child_workflow::Failure {
            failure: Some(failure),
        };
        Job::ResolveChildWorkflowExecution(ResolveChildWorkflowExecution {
            seq: 1,
            result: Some(ChildWorkflowResult {
                status: Some(child_workflow_result::Status::Failed(failed)),
            }),
        })
    };
    let external = |failure| {
        Job::ResolveSignalExternalWorkflow(ResolveSignalExternalWorkflow {
            seq: 1,
            failure: Some(failure),
            ..Default::default()
        })
    };
    assert_eq!(
        shown(vec![activity(nested(false))]),
        [activity(nested(true))]
    );
    assert_eq!(shown(vec![child(nested(false))]), [child(nested(true))]);
    assert_eq!(
        shown(vec![external(nested(false))]),
        [external(nested(true))]
    );
    let start = shown_start(InitializeWorkflow {
        continued_failure: Some(nested(false)),
        ..start()
    });
    assert_eq!(start.continued_failure, Some(nested(true)));
}

#[test]
fn a_child_that_did_not_start_is_named_as_the_guest_named_it() {
    let job = |workflow_id: &str, workflow_type: &str| {
        let failed = ResolveChildWorkflowExecutionStartFailure {
            workflow_id: workflow_id.into(),
            workflow_type: workflow_type.into(),
            cause: 1,
        };
        Job::ResolveChildWorkflowExecutionStart(ResolveChildWorkflowExecutionStart {
            seq: 1,
            status: Some(resolve_child_workflow_execution_start::Status::Failed(
                failed,
            )),
        })
    };
    let cases = [
        (("acme/production/c", "payment.Child"), ("c", "Child")),
        (
            ("acme/production/c", "billing.Child"),
            ("c", "billing.Child"),
        ),
        (
            ("acme/production/c", "payment.billing.Child"),
            ("c", "payment.billing.Child"),
        ),
    ];
    for ((id, name), (own_id, own_name)) in cases {
        assert_eq!(shown(vec![job(id, name)]), [job(own_id, own_name)]);
    }
}

#[test]
fn a_result_that_is_missing_is_not_the_guests_fault() {
    let jobs = [
        Job::ResolveActivity(Default::default()),
        Job::ResolveChildWorkflowExecutionStart(Default::default()),
        Job::ResolveChildWorkflowExecution(Default::default()),
        Job::ResolveNexusOperationStart(Default::default()),
        Job::ResolveNexusOperation(Default::default()),
    ];
    for job in jobs {
        Scene::begun().fails(vec![job], Code::Internal, "without its result");
    }
}
