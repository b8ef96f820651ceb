//! What each job of an activation must be answered with.

use temporalio_protos::{
    coresdk::{
        workflow_activation::workflow_activation_job::Variant as Job,
        workflow_commands::{
            QueryResult, QuerySuccess, UpdateResponse, WorkflowCommand, query_result,
            update_response, workflow_command::Variant as Command,
        },
    },
    temporal::api::common::v1::Payload,
};

use crate::{
    failure::{TaskFailure, decode, failure},
    guest::{JobResult, RoutineKind},
    routine::{Kind, Routines},
};

/// What a job handed to the guest calls for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: it changes what the routines see.
    Nothing,
    /// A routine, or nothing where the workflow has no handler and keeps the signal.
    Signal,
    /// A routine or a rejection.
    Update {
        /// Core's id for the update.
        protocol_instance_id: String,
    },
    /// An answer.
    Query {
        /// Core's id for the query.
        query_id: String,
    },
}

impl Expected {
    /// What `job` calls for.
    pub(crate) fn of(job: &Job) -> Self {
        match job {
            Job::SignalWorkflow(_) => Self::Signal,
            Job::DoUpdate(it) => Self::Update {
                protocol_instance_id: it.protocol_instance_id.clone(),
            },
            Job::QueryWorkflow(it) => Self::Query {
                query_id: it.query_id.clone(),
            },
            Job::InitializeWorkflow(_)
            | Job::FireTimer(_)
            | Job::UpdateRandomSeed(_)
            | Job::CancelWorkflow(_)
            | Job::ResolveActivity(_)
            | Job::NotifyHasPatch(_)
            | Job::ResolveChildWorkflowExecutionStart(_)
            | Job::ResolveChildWorkflowExecution(_)
            | Job::ResolveSignalExternalWorkflow(_)
            | Job::ResolveRequestCancelExternalWorkflow(_)
            | Job::ResolveNexusOperationStart(_)
            | Job::ResolveNexusOperation(_)
            | Job::RemoveFromCache(_) => Self::Nothing,
        }
    }

    /// True where the job lets no routine move.
    pub(crate) fn is_query(&self) -> bool {
        matches!(self, Self::Query { .. })
    }
}

/// Holds `results` against what the jobs call for: live routines are added to `routines`, the answer is
/// the update and query responses in the order of their jobs.
pub(crate) fn responses(
    expected: Vec<Expected>,
    results: Vec<JobResult>,
    routines: &mut Routines,
    payload_bytes: u64,
) -> Result<Vec<WorkflowCommand>, TaskFailure> {
    if expected.len() != results.len() {
        return Err(TaskFailure::malformed(
            "the answer to an activation",
            format!("{} results for {} jobs", results.len(), expected.len()),
        ));
    }
    let mut responses = Vec::new();
    for (expected, result) in expected.into_iter().zip(results) {
        match (expected, result) {
            (Expected::Nothing | Expected::Signal, JobResult::None) => {}
            (
                Expected::Signal,
                JobResult::Started {
                    routine,
                    kind: RoutineKind::Signal(_),
                },
            ) => routines.start(routine, Kind::Signal)?,
            (
                Expected::Update {
                    protocol_instance_id: asked,
                },
                JobResult::Started {
                    routine,
                    kind:
                        RoutineKind::Update {
                            protocol_instance_id: started,
                            ..
                        },
                },
            ) if asked == started => {
                responses.push(update(asked, update_response::Response::Accepted(())));
                routines.start(
                    routine,
                    Kind::Update {
                        protocol_instance_id: started,
                    },
                )?;
            }
            (
                Expected::Update {
                    protocol_instance_id,
                },
                JobResult::UpdateRejected(bytes),
            ) => {
                let failure = failure("an update's rejection", &bytes, payload_bytes)?;
                responses.push(update(
                    protocol_instance_id,
                    update_response::Response::Rejected(failure),
                ));
            }
            (Expected::Query { query_id }, JobResult::Query(answer)) => {
                responses.push(query(query_id, answer, payload_bytes)?);
            }
            (expected, result) => return Err(mismatch(&expected, &result)),
        }
    }
    Ok(responses)
}

/// The response to one update.
pub(crate) fn update(
    protocol_instance_id: String,
    response: update_response::Response,
) -> WorkflowCommand {
    Command::UpdateResponse(UpdateResponse {
        protocol_instance_id,
        response: Some(response),
    })
    .into()
}

fn query(
    query_id: String,
    answer: Result<Vec<u8>, Vec<u8>>,
    payload_bytes: u64,
) -> Result<WorkflowCommand, TaskFailure> {
    let variant = match answer {
        Ok(bytes) => query_result::Variant::Succeeded(QuerySuccess {
            response: Some(decode::<Payload>(
                "a query's answer",
                &bytes,
                payload_bytes,
            )?),
        }),
        Err(bytes) => {
            query_result::Variant::Failed(failure("a query's failure", &bytes, payload_bytes)?)
        }
    };
    Ok(Command::RespondToQuery(QueryResult {
        query_id,
        variant: Some(variant),
    })
    .into())
}

fn mismatch(expected: &Expected, result: &JobResult) -> TaskFailure {
    let job = match expected {
        Expected::Nothing => "a job that takes no answer",
        Expected::Signal => "a signal",
        Expected::Update { .. } => "an update",
        Expected::Query { .. } => "a query",
    };
    let answer = match result {
        JobResult::None => "nothing",
        JobResult::Started { kind, .. } => match kind {
            RoutineKind::Main => "the main routine",
            RoutineKind::Signal(_) => "a signal routine",
            RoutineKind::Update { .. } => "the routine of another update",
        },
        JobResult::Query(_) => "a query's answer",
        JobResult::UpdateRejected(_) => "an update's rejection",
    };
    TaskFailure::malformed(
        "the answer to an activation",
        format!("{job} was answered with {answer}"),
    )
}
