//! What crosses is sealed as a whole and comes back as it was.

use std::collections::HashMap;

use serde_json::json;
use temporalio_protos::{
    coresdk::{
        activity_result::{
            self, ActivityResolution, activity_execution_result, activity_resolution,
        },
        workflow_activation::{
            InitializeWorkflow, ResolveActivity, SignalWorkflow, WorkflowActivation,
            WorkflowActivationJob, workflow_activation_job::Variant as Job,
        },
        workflow_commands::{
            CompleteWorkflowExecution, ContinueAsNewWorkflowExecution, FailWorkflowExecution,
            ModifyWorkflowProperties, QueryResult, QuerySuccess, ScheduleActivity,
            ScheduleLocalActivity, SignalExternalWorkflowExecution, StartChildWorkflowExecution,
            UpdateResponse, UpsertWorkflowSearchAttributes, WorkflowCommand, query_result,
            update_response, workflow_command::Variant as Command,
        },
        workflow_completion::{
            Failure as FailedTask, Success, WorkflowActivationCompletion,
            workflow_activation_completion::Status,
        },
    },
    temporal::api::{
        common::v1::{Memo, Payloads, SearchAttributes},
        failure::v1::{ApplicationFailureInfo, Failure, failure::FailureInfo},
        sdk::v1::UserMetadata,
    },
};
use tenterhook_domain::{
    Code,
    context::HEADER,
    payload_key::{Encryption, PayloadKey},
    secret_key::SecretKeys,
};

use super::*;
use crate::payload;

/// Stands in every payload that is to be sealed.
const MARKER: &str = "4111-1111-1111-1111";

fn key(tenant: &TenantId) -> PayloadKey {
    let keys = SecretKeys::parse(&"ab".repeat(32)).unwrap();
    let sealed = keys.new_payload_key(tenant, 0).unwrap();
    keys.open_payload_key(tenant, &sealed).unwrap()
}

fn ring(encryption: Encryption, has_key: bool) -> PayloadRing {
    let tenant: TenantId = "acme".parse().unwrap();
    let keys = has_key.then(|| key(&tenant)).into_iter().collect();
    PayloadRing::new(tenant, encryption, keys)
}

fn marked() -> Payload {
    payload::of_json(&json!({ "card": MARKER }))
}

fn fields() -> HashMap<String, Payload> {
    [("field".to_owned(), marked())].into()
}

fn headers() -> HashMap<String, Payload> {
    let mut headers = fields();
    headers.insert(HEADER.to_owned(), payload::of_json(&"a context".into()));
    headers
}

fn failure() -> Failure {
    let link = |cause| Failure {
        message: format!("declined: {MARKER}"),
        source: "guest".to_owned(),
        stack_trace: format!("at {MARKER}"),
        encoded_attributes: Some(marked()),
        cause,
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: "Declined".to_owned(),
                details: Some(Payloads {
                    payloads: vec![marked(), marked()],
                }),
                ..Default::default()
            },
        )),
    };
    link(Some(Box::new(link(None))))
}

/// One command of each kind that carries something of a guest's.
fn commands() -> Vec<Command> {
    vec![
        Command::ScheduleActivity(ScheduleActivity {
            headers: headers(),
            arguments: vec![marked()],
            ..Default::default()
        }),
        Command::ScheduleLocalActivity(ScheduleLocalActivity {
            headers: headers(),
            arguments: vec![marked()],
            ..Default::default()
        }),
        Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
            headers: headers(),
            input: vec![marked()],
            memo: fields(),
            ..Default::default()
        }),
        Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
            headers: headers(),
            args: vec![marked()],
            ..Default::default()
        }),
        Command::ContinueAsNewWorkflowExecution(ContinueAsNewWorkflowExecution {
            headers: headers(),
            arguments: vec![marked()],
            memo: fields(),
            ..Default::default()
        }),
        Command::ModifyWorkflowProperties(ModifyWorkflowProperties {
            upserted_memo: Some(Memo { fields: fields() }),
        }),
        Command::CompleteWorkflowExecution(CompleteWorkflowExecution {
            result: Some(marked()),
        }),
        Command::FailWorkflowExecution(FailWorkflowExecution {
            failure: Some(failure()),
        }),
        Command::RespondToQuery(QueryResult {
            variant: Some(query_result::Variant::Succeeded(QuerySuccess {
                response: Some(marked()),
            })),
            ..Default::default()
        }),
        Command::UpdateResponse(UpdateResponse {
            response: Some(update_response::Response::Rejected(failure())),
            ..Default::default()
        }),
        Command::UpdateResponse(UpdateResponse {
            response: Some(update_response::Response::Completed(marked())),
            ..Default::default()
        }),
    ]
}

fn completion(commands: Vec<Command>) -> WorkflowActivationCompletion {
    let command = |variant| WorkflowCommand {
        variant: Some(variant),
        user_metadata: Some(UserMetadata {
            summary: Some(marked()),
            details: Some(marked()),
        }),
        ..Default::default()
    };
    WorkflowActivationCompletion {
        run_id: "run".to_owned(),
        status: Some(Status::Successful(Success {
            commands: commands.into_iter().map(command).collect(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn has_marker(message: &impl prost::Message) -> bool {
    let bytes = message.encode_to_vec();
    let marker = MARKER.as_bytes();
    bytes.windows(marker.len()).any(|window| window == marker)
}

fn encrypted() -> PayloadRing {
    ring(Encryption::On, true)
}

#[test]
fn no_command_carries_a_plain_word_of_a_guest() {
    let ring = encrypted();
    for command in commands() {
        let mut sealed = completion(vec![command]);
        assert!(has_marker(&sealed));
        seal_completion(&ring, &mut sealed).unwrap();
        assert!(!has_marker(&sealed), "{sealed:?}");
    }
    let mut failed = WorkflowActivationCompletion {
        status: Some(Status::Failed(FailedTask {
            failure: Some(failure()),
            ..Default::default()
        })),
        ..Default::default()
    };
    seal_completion(&ring, &mut failed).unwrap();
    assert!(!has_marker(&failed), "{failed:?}");
    let status = activity_execution_result::Status::Failed(activity_result::Failure {
        failure: Some(failure()),
        ..Default::default()
    });
    let sealed = seal_result(&ring, status).unwrap();
    assert!(!format!("{sealed:?}").contains(MARKER), "{sealed:?}");
    let status = activity_execution_result::Status::Completed(activity_result::Success {
        result: Some(marked()),
    });
    let mut result = activity_result::ActivityExecutionResult {
        status: Some(seal_result(&ring, status).unwrap()),
    };
    assert!(!has_marker(&result));
    open(&ring, &mut result).unwrap();
    assert!(has_marker(&result));
}

#[test]
fn the_context_and_what_the_server_reads_stay_plain() {
    let mut all = commands();
    let attributes = SearchAttributes {
        indexed_fields: [("Plan".to_owned(), payload::of_keyword("gold"))].into(),
    };
    all.push(Command::UpsertWorkflowSearchAttributes(
        UpsertWorkflowSearchAttributes {
            search_attributes: Some(attributes.clone()),
        },
    ));
    let mut sealed = completion(all);
    seal_completion(&encrypted(), &mut sealed).unwrap();
    let Some(Status::Successful(success)) = sealed.status else {
        panic!("it is no success any more");
    };
    let mut contexts = 0;
    for command in success.commands {
        let headers = match command.variant.unwrap() {
            Command::ScheduleActivity(it) => it.headers,
            Command::ScheduleLocalActivity(it) => it.headers,
            Command::StartChildWorkflowExecution(it) => it.headers,
            Command::SignalExternalWorkflowExecution(it) => it.headers,
            Command::ContinueAsNewWorkflowExecution(it) => it.headers,
            Command::UpsertWorkflowSearchAttributes(it) => {
                assert_eq!(it.search_attributes, Some(attributes.clone()));
                continue;
            }
            _ => continue,
        };
        assert_eq!(headers[HEADER], payload::of_json(&"a context".into()));
        assert!(crossing::is_ours(&headers["field"]));
        contexts += 1;
    }
    assert_eq!(contexts, 5);
}

fn activation(jobs: Vec<Job>) -> WorkflowActivation {
    let job = |variant| WorkflowActivationJob {
        variant: Some(variant),
    };
    WorkflowActivation {
        jobs: jobs.into_iter().map(job).collect(),
        ..Default::default()
    }
}

#[test]
fn what_was_sealed_arrives_as_it_was() {
    let ring = encrypted();
    let status = activity_execution_result::Status::Failed(activity_result::Failure {
        failure: Some(failure()),
        ..Default::default()
    });
    let sealed = seal_result(&ring, status).unwrap();
    let activity_execution_result::Status::Failed(sealed) = sealed else {
        panic!("another status: {sealed:?}");
    };
    // As Temporal hands it on: behind a link of its own.
    let handed = Failure {
        message: "activity error".to_owned(),
        cause: sealed.failure.map(Box::new),
        ..Default::default()
    };
    let resolved = |failure| {
        Job::ResolveActivity(ResolveActivity {
            result: Some(ActivityResolution {
                status: Some(activity_resolution::Status::Failed(
                    activity_result::Failure {
                        failure: Some(failure),
                        ..Default::default()
                    },
                )),
            }),
            ..Default::default()
        })
    };
    let begun = Job::InitializeWorkflow(InitializeWorkflow {
        arguments: vec![marked()],
        headers: fields(),
        memo: Some(Memo { fields: fields() }),
        ..Default::default()
    });
    let signalled = Job::SignalWorkflow(SignalWorkflow {
        input: vec![marked()],
        ..Default::default()
    });
    let plain = activation(vec![
        begun.clone(),
        signalled.clone(),
        resolved(Failure {
            cause: Some(Box::new(failure())),
            ..handed.clone()
        }),
    ]);
    let mut jobs = activation(vec![begun, signalled]);
    seal(&ring, &mut jobs).unwrap();
    assert!(!has_marker(&jobs));
    let mut arriving = jobs;
    arriving.jobs.push(WorkflowActivationJob {
        variant: Some(resolved(handed)),
    });
    open_activation(&ring, &mut arriving).unwrap();
    assert_eq!(arriving, plain);
}

#[test]
fn nothing_is_touched_while_encryption_is_off() {
    for has_key in [false, true] {
        let plain = completion(commands());
        let mut crossed = plain.clone();
        let ring = ring(Encryption::Off, has_key);
        seal_completion(&ring, &mut crossed).unwrap();
        assert_eq!(crossed, plain);
    }
    // Encrypted by somebody else, it is theirs.
    let mut foreign = marked();
    let metadata = &mut foreign.metadata;
    metadata.insert("encoding".to_owned(), b"binary/encrypted".to_vec());
    metadata.insert("encryption-key-id".to_owned(), b"ours".to_vec());
    let mut crossed = foreign.clone();
    open(&ring(Encryption::Off, false), &mut crossed).unwrap();
    assert_eq!(crossed, foreign);
}

#[test]
fn without_keys_nothing_opens_and_nothing_is_written() {
    let mut sealed = marked();
    seal(&encrypted(), &mut sealed).unwrap();
    let shredded = ring(Encryption::Shredded, false);
    let mut lost = sealed.clone();
    let refused = open(&shredded, &mut lost).unwrap_err();
    assert_eq!(refused.code(), Code::PayloadKeyGone);
    let refused = seal(&shredded, &mut marked()).unwrap_err();
    assert_eq!(refused.code(), Code::PayloadKeyGone);
    let mut lost = sealed.clone();
    open_what_opens(&shredded, &mut lost);
    assert_eq!(lost, sealed);
    // Nor under another key of the tenant.
    assert!(open(&encrypted(), &mut lost).is_err());
    let mut hidden = completion(vec![Command::FailWorkflowExecution(
        FailWorkflowExecution {
            failure: Some(failure()),
        },
    )]);
    seal_completion(&encrypted(), &mut hidden).unwrap();
    let Some(Status::Successful(success)) = &hidden.status else {
        panic!("it is no success any more");
    };
    let Some(Command::FailWorkflowExecution(failed)) = &success.commands[0].variant else {
        panic!("another command");
    };
    assert_eq!(words(failed.failure.as_ref().unwrap()), Words::Gone);
}

#[test]
fn what_only_looks_sealed_does_not_open_by_itself() {
    let on = encrypted();
    let mut stolen = marked();
    seal(&on, &mut stolen).unwrap();
    let was = stolen.clone();
    // A guest hands it back, with encryption on: it opens to what the guest gave, not to what is within.
    seal(&on, &mut stolen).unwrap();
    open(&on, &mut stolen).unwrap();
    assert_eq!(stolen, was);
    let off = ring(Encryption::Off, true);
    seal(&off, &mut stolen).unwrap();
    assert_ne!(stolen, was, "it is sealed although the rest is not");
    open(&off, &mut stolen).unwrap();
    assert_eq!(stolen, was);
}

#[test]
fn bytes_that_are_no_payload_are_refused() {
    let ring = encrypted();
    let mut sealed = marked();
    seal(&ring, &mut sealed).unwrap();
    for length in [0, 1, 23, 24, 40, sealed.data.len() - 1] {
        let mut cut = sealed.clone();
        cut.data.truncate(length);
        let refused = open(&ring, &mut cut).unwrap_err();
        assert_eq!(refused.code(), Code::PayloadUnreadable, "{length}");
    }
    let within = ring.seal(&[0xff; 20]).unwrap();
    sealed.data = within.data;
    let refused = open(&ring, &mut sealed).unwrap_err();
    assert_eq!(refused.code(), Code::PayloadUnreadable);
}
