//! Who starts workflows on either side and waits for their ends: Temporal's gRPC API, without a worker or a
//! host between.
//!
//! Both sides get the same request: same input, same search attributes, same fairness key. Only the host's
//! has the signed context header beside, without which it refuses the work; the key comes from its store.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use temporalio_client::{Connection, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{
        Header, Payload, Payloads, Priority, SearchAttributes, WorkflowExecution, WorkflowType,
    },
    enums::v1::{EventType, HistoryEventFilterType, TaskQueueKind},
    history::v1::{History, HistoryEvent, history_event::Attributes},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest,
        SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    },
};
use tenterhook_domain::{
    PluginName, Scope,
    context::{Context, ContextKeys, HEADER},
};

use super::native::NAMESPACE;

/// Between two looks at a workflow whose first task is not done yet.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// One activity.
    One,
    /// Ten activities, one after another.
    Ten,
    /// As many activities as the input says.
    Many,
    /// Waits for the signal `go`.
    Signal,
}

impl Workload {
    /// Its workflow type, as the guest names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "OneActivity",
            Self::Ten => "TenActivities",
            Self::Many => "ManyActivities",
            Self::Signal => "SignalWait",
        }
    }
}

/// A run that was started.
#[derive(Debug, Clone)]
pub struct Started {
    execution: WorkflowExecution,
}

/// Starts workflows on one side.
#[derive(Clone)]
pub struct Starter {
    connection: Connection,
    task_queue: String,
    scope: Scope,
    plugin: PluginName,
    /// Signs contexts and puts the plugin's name before types, for the host's side.
    keys: Option<Arc<ContextKeys>>,
}

impl Starter {
    /// A starter for `task_queue`; with `keys` for a host, without for a native worker.
    pub fn new(
        connection: Connection,
        task_queue: &str,
        scope: Scope,
        plugin: PluginName,
        keys: Option<Arc<ContextKeys>>,
    ) -> Self {
        Self {
            connection,
            task_queue: task_queue.to_owned(),
            scope,
            plugin,
            keys,
        }
    }

    /// The same by another connection.
    pub fn by(&self, connection: Connection) -> Self {
        Self {
            connection,
            ..self.clone()
        }
    }

    /// Starts a workflow.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn start(
        &self,
        workload: Workload,
        id: &str,
        input: Option<u64>,
    ) -> anyhow::Result<Started> {
        let request = self.request(workload, id, input)?;
        let workflow_id = request.workflow_id.clone();
        let started = self
            .connection
            .workflow_service()
            .start_workflow_execution(Request::new(request))
            .await?;
        Ok(Started {
            execution: WorkflowExecution {
                workflow_id,
                run_id: started.into_inner().run_id,
            },
        })
    }

    fn request(
        &self,
        workload: Workload,
        id: &str,
        input: Option<u64>,
    ) -> anyhow::Result<StartWorkflowExecutionRequest> {
        let workflow_id = self.scope.temporal_id(id)?;
        let (name, header) = match &self.keys {
            Some(keys) => {
                let context = Context {
                    scope: self.scope.clone(),
                    plugin: self.plugin.clone(),
                    workflow_id: workflow_id.clone(),
                    digest: None,
                    begins_by: None,
                };
                let token = json(&keys.sign(&context)?)?;
                let header = Header {
                    fields: [(HEADER.to_owned(), token)].into(),
                };
                (format!("{}.{}", self.plugin, workload.name()), Some(header))
            }
            None => (workload.name().to_owned(), None),
        };
        let attributes = [
            ("Tenant", self.scope.tenant.as_str()),
            ("Environment", self.scope.environment.as_str()),
            ("Plugin", self.plugin.as_str()),
        ];
        let indexed_fields = attributes
            .iter()
            .map(|(name, value)| Ok(((*name).to_owned(), keyword(value)?)));
        Ok(StartWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_id,
            workflow_type: Some(WorkflowType { name }),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..Default::default()
            }),
            input: payloads(input)?,
            identity: "bench".to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            search_attributes: Some(SearchAttributes {
                indexed_fields: indexed_fields.collect::<anyhow::Result<_>>()?,
            }),
            header,
            priority: Some(Priority {
                fairness_key: self.scope.tenant.to_string(),
                fairness_weight: 1.0,
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    /// Waits until the workflow has ended well.
    ///
    /// # Errors
    /// When it ended otherwise, or the server refuses.
    pub async fn completed(&self, started: &Started) -> anyhow::Result<()> {
        let mut next_page_token = Vec::new();
        loop {
            let request = GetWorkflowExecutionHistoryRequest {
                namespace: NAMESPACE.to_owned(),
                execution: Some(started.execution.clone()),
                next_page_token,
                wait_new_event: true,
                history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
                ..Default::default()
            };
            let mut service = self.connection.workflow_service();
            let page = service
                .get_workflow_execution_history(Request::new(request))
                .await?
                .into_inner();
            if let Some(event) = page
                .history
                .as_ref()
                .and_then(|history| history.events.last())
            {
                return well(event, &started.execution.workflow_id);
            }
            // The server ends a long poll after some seconds, and gives a token to go on with.
            next_page_token = page.next_page_token;
        }
    }

    /// Sends the signal `go`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn go(&self, started: &Started) -> anyhow::Result<()> {
        let request = SignalWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(started.execution.clone()),
            signal_name: "go".to_owned(),
            input: payloads(Some(1))?,
            identity: "bench".to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            ..Default::default()
        };
        self.connection
            .workflow_service()
            .signal_workflow_execution(Request::new(request))
            .await?;
        Ok(())
    }

    /// Waits until the workflow's first task is done and none is under way.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn asleep(&self, started: &Started) -> anyhow::Result<()> {
        loop {
            let request = DescribeWorkflowExecutionRequest {
                namespace: NAMESPACE.to_owned(),
                execution: Some(started.execution.clone()),
            };
            let mut service = self.connection.workflow_service();
            let description = service
                .describe_workflow_execution(Request::new(request))
                .await?
                .into_inner();
            if description.pending_workflow_task.is_none() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The whole history of a workflow that ended.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn history(&self, started: &Started) -> anyhow::Result<History> {
        let mut history = History::default();
        let mut next_page_token = Vec::new();
        loop {
            let request = GetWorkflowExecutionHistoryRequest {
                namespace: NAMESPACE.to_owned(),
                execution: Some(started.execution.clone()),
                next_page_token,
                ..Default::default()
            };
            let mut service = self.connection.workflow_service();
            let page = service
                .get_workflow_execution_history(Request::new(request))
                .await?
                .into_inner();
            history
                .events
                .extend(page.history.context("a page of history has events")?.events);
            next_page_token = page.next_page_token;
            if next_page_token.is_empty() {
                return Ok(history);
            }
        }
    }
}

fn well(event: &HistoryEvent, workflow_id: &str) -> anyhow::Result<()> {
    match (event.event_type(), &event.attributes) {
        (EventType::WorkflowExecutionCompleted, _) => Ok(()),
        (_, Some(Attributes::WorkflowExecutionFailedEventAttributes(failed))) => {
            bail!("{workflow_id} failed: {:?}", failed.failure)
        }
        (other, _) => bail!("{workflow_id} did not complete: {}", other.as_str_name()),
    }
}

fn json(value: &impl serde::Serialize) -> anyhow::Result<Payload> {
    Ok(Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: serde_json::to_vec(value)?,
        ..Default::default()
    })
}

fn keyword(value: &str) -> anyhow::Result<Payload> {
    let mut payload = json(&value)?;
    payload
        .metadata
        .insert("type".to_owned(), b"Keyword".to_vec());
    Ok(payload)
}

fn payloads(input: Option<u64>) -> anyhow::Result<Option<Payloads>> {
    let payload = input.map(|input| json(&input)).transpose()?;
    Ok(payload.map(|payload| Payloads {
        payloads: vec![payload],
    }))
}
