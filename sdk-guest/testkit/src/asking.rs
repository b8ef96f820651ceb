//! Updates and queries: what is asked of a run, and what it answers.

use temporalio_protos::{
    coresdk::{
        workflow_activation::{DoUpdate, QueryWorkflow, workflow_activation_job::Variant as Job},
        workflow_commands::update_response::Response,
    },
    temporal::api::{
        common::v1::Payload,
        failure::v1::Failure as Proto,
        history::v1::{
            WorkflowExecutionUpdateAcceptedEventAttributes,
            WorkflowExecutionUpdateCompletedEventAttributes, history_event::Attributes,
        },
        update::v1::{Input, Meta, Outcome, Request, outcome::Value},
    },
};

use crate::{
    agenda::RunKey,
    episode::Asked,
    payload,
    world::{WORKER, World},
};

impl World {
    /// An update reaches a run.
    pub(crate) fn update(&mut self, run: RunKey, id: String, name: String, input: Vec<Payload>) {
        let asked = Asked {
            name: name.clone(),
            input: input.clone(),
            accepted: 0,
            is_accepted: false,
        };
        self.runs[run].updates.insert(id.clone(), asked);
        self.runs[run].jobs.push(Job::DoUpdate(DoUpdate {
            id: id.clone(),
            protocol_instance_id: id.clone(),
            name,
            input,
            meta: Some(Meta {
                update_id: id,
                identity: WORKER.to_owned(),
            }),
            run_validator: true,
            ..Default::default()
        }));
        self.task_once_begun(run);
    }

    /// Asks a run, open or not.
    pub(crate) fn ask(
        &mut self,
        run: RunKey,
        name: &str,
        input: Vec<Payload>,
    ) -> Result<Payload, Box<Proto>> {
        let run = self.last_of(run);
        if matches!(
            self.runs[run].jobs.first(),
            Some(Job::InitializeWorkflow(_))
        ) {
            self.task(run);
        }
        let id = format!("query-{}", self.answers.len() + 1);
        let job = Job::QueryWorkflow(QueryWorkflow {
            query_id: id.clone(),
            query_type: name.to_owned(),
            arguments: input,
            ..Default::default()
        });
        self.put(run, job);
        match self.answers.remove(&id) {
            Some(answer) => answer.map_err(Box::new),
            None => Err(Box::new(Proto {
                message: format!("query {name} was not answered"),
                ..Default::default()
            })),
        }
    }

    /// The workflow answers an update.
    pub(crate) fn answer_update(
        &mut self,
        run: RunKey,
        id: String,
        response: Option<Response>,
        completed: i64,
    ) {
        let Some(asked) = self.runs[run].updates.get(&id) else {
            return;
        };
        let meta = Some(Meta {
            update_id: id.clone(),
            identity: WORKER.to_owned(),
        });
        let outcome = match response {
            Some(Response::Accepted(())) => {
                let event = WorkflowExecutionUpdateAcceptedEventAttributes {
                    protocol_instance_id: id.clone(),
                    accepted_request_message_id: format!("{id}/request"),
                    accepted_request_sequencing_event_id: completed - 2,
                    accepted_request: Some(Request {
                        meta,
                        input: Some(Input {
                            name: asked.name.clone(),
                            args: payload::payloads(asked.input.clone()),
                            ..Default::default()
                        }),
                        ..Default::default()
                    }),
                };
                let accepted = self.event(
                    run,
                    Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(event),
                );
                if let Some(asked) = self.runs[run].updates.get_mut(&id) {
                    asked.accepted = accepted;
                }
                return;
            }
            Some(Response::Completed(result)) => Ok(result),
            Some(Response::Rejected(failure)) => Err(failure),
            None => return,
        };
        let value = match outcome.clone() {
            Ok(result) => Value::Success(payload::payloads(vec![result]).unwrap_or_default()),
            Err(failure) => Value::Failure(failure),
        };
        let event = WorkflowExecutionUpdateCompletedEventAttributes {
            meta,
            accepted_event_id: asked.accepted,
            outcome: Some(Outcome { value: Some(value) }),
        };
        self.event(
            run,
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(event),
        );
        self.runs[run].updates.remove(&id);
        self.updates.insert(id, outcome);
    }
}
