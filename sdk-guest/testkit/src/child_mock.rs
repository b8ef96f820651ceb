//! Children that a mock stands in for, or that a fault ends.

use temporalio_protos::{
    coresdk::workflow_commands::StartChildWorkflowExecution,
    temporal::api::common::v1::WorkflowExecution,
};

use crate::{
    agenda::{Due, RunKey},
    attempt::INJECTED,
    episode::End,
    failure::Failure,
    mock::Facts,
    payload,
    world::{World, callers_id},
};

impl World {
    /// Starts a child that has no run: its mock answers, or it `fails`.
    pub(crate) fn mock_child(
        &mut self,
        run: RunKey,
        seq: u32,
        order: &StartChildWorkflowExecution,
        fails: bool,
    ) {
        let step = self.runs[run].children.get(&seq).map_or(0, |it| it.step);
        let execution = WorkflowExecution {
            workflow_id: order.workflow_id.clone(),
            run_id: format!("00000000-0000-7000-9000-{step:012x}"),
        };
        self.child_started(run, seq, execution, None);
        let mock = self.setup.child_mocks.get(&order.workflow_type);
        let (answer, takes) = match mock.filter(|_| !fails) {
            Some(mock) => {
                let facts = Facts {
                    input: payload::json(order.input.first()),
                    attempt: 1,
                    activity_id: String::new(),
                    workflow_id: callers_id(&self.setup.scope, &order.workflow_id),
                    idempotency_key: order.workflow_id.clone(),
                    at: self.elapsed(),
                    heartbeat_details: serde_json::Value::Null,
                };
                (mock.call(facts).0, mock.time())
            }
            None => {
                let message = format!("a fault at step {step}");
                (
                    Err(Failure::permanent(INJECTED, message)),
                    Default::default(),
                )
            }
        };
        if !fails {
            self.journal.attempt(step, answer.clone(), self.now);
        }
        let end = match answer {
            Ok(value) => End::Completed(Some(payload::of(&value))),
            Err(failure) => End::Failed(Box::new(failure.into_proto())),
        };
        let due = Due::ChildEnd(run, seq, Box::new(end));
        self.agenda.plan(self.now + takes, due);
    }
}
