//! Asking the server whether it serves.

use std::time::Duration;

use temporalio_client::tonic::{Code, IntoRequest as _};
use temporalio_client::{Connection, ConnectionOptions, RetryOptions};
use temporalio_protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_protos::temporal::api::workflowservice::v1::DescribeWorkflowExecutionRequest;
use url::Url;

/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Pause between questions. Another process cannot be waited for by an event.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Who asks, in the server's log.
const IDENTITY: &str = "tenterhook-embedded";
/// A workflow that never is: every id of this host's begins with a scope.
const NO_WORKFLOW: &str = "tenterhook-embedded-readiness";

/// Returns when the server at `target` answers. The caller bounds the wait.
pub(crate) async fn wait(target: &Url) {
    loop {
        if tokio::time::timeout(ANSWER_WITHIN, answers(target)).await == Ok(true) {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Whether a question that goes through the frontend to the history service and to the database
/// comes back. "No such workflow" is the answer of a server where all of them are there; the
/// frontend alone would say yes earlier, and the first workflow's start would then fail.
async fn answers(target: &Url) -> bool {
    let options = ConnectionOptions::new(target.clone())
        .identity(IDENTITY)
        .connect_timeout(ANSWER_WITHIN)
        .retry_options(RetryOptions::no_retries())
        .dns_load_balancing(None)
        .build();
    let Ok(connection) = Connection::connect(options).await else {
        return false;
    };
    let request = DescribeWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: NO_WORKFLOW.to_owned(),
            run_id: String::new(),
        }),
    };
    let answer = connection
        .workflow_service()
        .describe_workflow_execution(request.into_request())
        .await;
    matches!(answer, Err(status) if status.code() == Code::NotFound)
}
