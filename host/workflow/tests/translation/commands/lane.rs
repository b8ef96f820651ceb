//! Commands of a run on a lane of its scope's own: ids and types as the run's history has them.

use temporalio_protos::coresdk::workflow_activation::{
    InitializeWorkflow, workflow_activation_job::Variant as Job,
};
use tenterhook_domain::lane::{Ids, Naming};

use super::*;
use crate::scene::start;

/// An execution that was begun without this host.
const PLAIN: &str = "order-7";

fn on_lane(apart: bool) -> Scene {
    let naming = Naming {
        ids: Ids::Plain { apart },
        bare: true,
    };
    let mut scene = Scene::called(PLAIN, naming);
    let init = Job::InitializeWorkflow(InitializeWorkflow {
        workflow_id: PLAIN.into(),
        workflow_type: "ProcessPayment".into(),
        ..start()
    });
    assert_eq!(scene.commands(vec![init]), vec![]);
    scene
}

#[track_caller]
fn carried_on(apart: bool, command: Command) -> Command {
    let mut scene = on_lane(apart);
    scene.script.push(command);
    scene.commands(vec![fire(1)]).remove(0)
}

#[test]
fn types_of_the_default_plugin_stay_bare_and_others_whole() {
    for (written, in_history) in [
        ("Charge", "Charge"),
        ("payment.Charge", "Charge"),
        ("billing.Charge", "billing.Charge"),
        ("Billing.Charge", "Billing.Charge"),
    ] {
        let command = Command::ScheduleActivity(activity(written));
        let Command::ScheduleActivity(it) = carried_on(true, command) else {
            panic!("{written}")
        };
        assert_eq!(it.activity_type, in_history);
        assert_eq!(it.task_queue, QUEUE);
        let command = Command::StartChildWorkflowExecution(child(written, "c-1"));
        let Command::StartChildWorkflowExecution(it) = carried_on(false, command) else {
            panic!("{written}")
        };
        assert_eq!(
            (it.workflow_type.as_str(), it.workflow_id.as_str()),
            (in_history, "c-1")
        );
        assert_eq!(
            (it.task_queue.as_str(), it.namespace.as_str()),
            (QUEUE, "lanes")
        );
    }
}

#[test]
fn plain_ids_leave_no_shared_namespace_for_another_scope() {
    let push = |id| Command::StartChildWorkflowExecution(child("Charge", id));
    let Command::StartChildWorkflowExecution(it) = carried_on(true, push(FOREIGN)) else {
        panic!("it is a child")
    };
    assert_eq!(it.workflow_id, FOREIGN, "in a namespace of its own");
    let cancel =
        Command::RequestCancelExternalWorkflowExecution(RequestCancelExternalWorkflowExecution {
            seq: 3,
            workflow_execution: Some(NamespacedWorkflowExecution {
                workflow_id: FOREIGN.into(),
                ..Default::default()
            }),
            ..Default::default()
        });
    for command in [push(FOREIGN), cancel] {
        let mut scene = on_lane(false);
        scene.script.push(command);
        scene.fails(vec![fire(1)], Code::CommandRefused, "another scope");
    }
}
