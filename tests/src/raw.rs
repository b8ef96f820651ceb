//! Temporal as somebody sees it who goes around the host: whole histories, and starts without the host's signature.

use anyhow::Context as _;
use temporalio_client::{
    Connection, ConnectionOptions, Url, grpc::WorkflowService, tonic::Request,
};
use temporalio_protos::temporal::api::{
    common::v1::{Payload, WorkflowExecution},
    enums::v1::WorkflowTaskFailedCause,
    history::v1::{History, history_event::Attributes},
    workflowservice::v1::GetWorkflowExecutionHistoryRequest,
};
use tenterhook_domain::context::HEADER;

/// The namespace of all tests.
pub const NAMESPACE: &str = "default";
/// How the id of a pin begins; before the digest stands an `@`.
const PIN: &str = "tenterhook:release";

/// A connection to the server at `address`, `HOST:PORT`.
///
/// # Errors
/// When nothing answers.
pub async fn temporal(address: &str) -> anyhow::Result<Box<dyn WorkflowService>> {
    let url = Url::parse(&format!("http://{address}"))?;
    let options = ConnectionOptions::new(url)
        .identity("a test".to_owned())
        .build();
    Ok(Connection::connect(options).await?.workflow_service())
}

/// The history of an execution by Temporal's own id, `tenant/environment/id`; a page is more than tests write.
///
/// # Errors
/// When the server has none.
pub async fn history(service: &mut Box<dyn WorkflowService>, id: &str) -> anyhow::Result<History> {
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: id.to_owned(),
            run_id: String::new(),
        }),
        ..Default::default()
    };
    let answer = service
        .get_workflow_execution_history(Request::new(request))
        .await?;
    answer.into_inner().history.context("there is no history")
}

/// The context header that an execution was begun with.
pub fn context(history: &History) -> Option<Payload> {
    history
        .events
        .iter()
        .find_map(|event| match &event.attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                started.header.as_ref()?.fields.get(HEADER).cloned()
            }
            _ => None,
        })
}

/// The releases that a history is pinned to, one after the other: the digest of every pin in it.
pub fn pins(history: &History) -> Vec<String> {
    let mut pins = Vec::new();
    for event in &history.events {
        let Some(Attributes::MarkerRecordedEventAttributes(marker)) = &event.attributes else {
            continue;
        };
        for payload in marker.details.values().flat_map(|found| &found.payloads) {
            let text = String::from_utf8_lossy(&payload.data);
            let pin = text.split_once(PIN).map(|(_, rest)| rest);
            if let Some((_, digest)) = pin.and_then(|rest| rest.split_once('@')) {
                pins.push(digest.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
    pins
}

/// The workflow tasks of a history that a worker failed, each with its words. The server itself fails one whose answer
/// would end the execution while a signal has come in meanwhile: that is no worker's doing.
pub fn failed_tasks(history: &History) -> Vec<String> {
    let events = history.events.iter();
    let failed = events.filter_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => Some(failed),
        _ => None,
    });
    let failed = failed.filter(|it| it.cause() != WorkflowTaskFailedCause::UnhandledCommand);
    failed
        .map(|failed| format!("{:?}: {:?}", failed.cause(), failed.failure))
        .collect()
}
