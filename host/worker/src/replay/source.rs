//! Where the gate finds histories: visibility for which there are, history service for what they say.

use std::sync::Arc;

use prost::Message as _;
use prost_wkt_types::Timestamp;
use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution,
    history::v1::History,
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, GetWorkflowExecutionHistoryRequest,
        ListWorkflowExecutionsRequest,
    },
};
use tenterhook_domain::{Result, TenantId, payload_key::PayloadRing};

use super::{recorded::Recorded, sample::spread};
use crate::{
    codec::{self, Codec},
    connection::{Temporal, refusal},
};

/// Executions of one list that are looked through; of more, the newest and the oldest of so many each.
const LISTED_MAX: usize = 1_000;
const PAGE: i32 = 1_000;
/// Questions by which the oldest are looked for: each halves the time between.
const HALVINGS: usize = 48;
/// Longest history that is replayed, in events and in bytes.
const EVENTS_MAX: usize = 20_000;
const BYTES_MAX: usize = 32 * 1024 * 1024;
const EVENTS_PER_CALL: i32 = 1_000;

/// An execution as a list shows it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) workflow_id: String,
    pub(super) run_id: String,
    pub(super) workflow_type: String,
    started: Option<Timestamp>,
}

/// `text` as a string of a query.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// `millis` since the epoch as a query writes times.
pub(super) fn time(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(millis % 1_000 * 1_000_000).unwrap_or(0);
    quoted(&Timestamp { seconds, nanos }.to_string())
}

/// Histories on one Temporal.
pub(crate) struct Source<'a> {
    temporal: &'a Temporal,
    ring: Arc<PayloadRing>,
}

impl<'a> Source<'a> {
    /// Those of one tenant.
    ///
    /// # Errors
    /// Of [`Codec::ring`].
    pub(crate) async fn of(
        temporal: &'a Temporal,
        codec: &Codec,
        tenant: &TenantId,
    ) -> Result<Self> {
        let ring = codec.ring(tenant).await?;
        Ok(Self { temporal, ring })
    }

    /// How many executions match.
    pub(super) async fn count(&self, query: &str) -> Result<u64> {
        let request = CountWorkflowExecutionsRequest {
            namespace: self.temporal.namespace().to_owned(),
            query: query.to_owned(),
        };
        let mut service = self.temporal.service();
        let counted = service
            .count_workflow_executions(Request::new(request))
            .await;
        let counted = counted.map_err(|status| refusal(&status, ""))?;
        Ok(u64::try_from(counted.into_inner().count).unwrap_or(0))
    }

    /// `most` of `total` executions that match, from the newest to the oldest.
    pub(super) async fn some(&self, query: &str, total: u64, most: usize) -> Result<Vec<Listed>> {
        let mut listed = self.list(query).await?;
        if total > listed.len() as u64 {
            let oldest = self.oldest(query, &listed).await?;
            listed.extend(oldest);
        }
        let places = spread(listed.len(), most);
        Ok(places.into_iter().map(|at| listed[at].clone()).collect())
    }

    /// The newest that match: no server sorts for all its stores, and this is the order of all of them.
    pub(super) async fn list(&self, query: &str) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        let mut next_page_token = Vec::new();
        loop {
            let request = ListWorkflowExecutionsRequest {
                namespace: self.temporal.namespace().to_owned(),
                page_size: PAGE,
                next_page_token,
                query: query.to_owned(),
            };
            let page = self
                .temporal
                .service()
                .list_workflow_executions(Request::new(request))
                .await;
            let page = page.map_err(|status| refusal(&status, ""))?.into_inner();
            listed.extend(page.executions.into_iter().filter_map(|info| {
                let execution = info.execution?;
                Some(Listed {
                    workflow_id: execution.workflow_id,
                    run_id: execution.run_id,
                    workflow_type: info.r#type.unwrap_or_default().name,
                    started: info.start_time,
                })
            }));
            next_page_token = page.next_page_token;
            if next_page_token.is_empty() || listed.len() >= LISTED_MAX {
                listed.truncate(LISTED_MAX);
                return Ok(listed);
            }
        }
    }

    /// Those that started before all of `listed`, from the other end: the time before is halved until few enough
    /// are older.
    async fn oldest(&self, query: &str, listed: &[Listed]) -> Result<Vec<Listed>> {
        let Some(last) = listed.iter().filter_map(|it| it.started).map(millis).min() else {
            return Ok(Vec::new());
        };
        let (mut none, mut many) = (0, last);
        for _ in 0..HALVINGS {
            let middle = none + (many - none) / 2;
            let older = format!("{query} AND StartTime < {}", time(middle));
            match usize::try_from(self.count(&older).await?).unwrap_or(usize::MAX) {
                0 => none = middle,
                count if count > LISTED_MAX => many = middle,
                _ => return self.list(&older).await,
            }
            if many - none <= 1 {
                break;
            }
        }
        Ok(Vec::new())
    }

    /// The history of one run; none under the conditions of [`Self::fetch`].
    pub(crate) async fn one(&self, workflow_id: &str, run_id: &str) -> Result<Option<Recorded>> {
        let run = Listed {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
            workflow_type: String::new(),
            started: None,
        };
        self.fetch(&run).await
    }

    /// The history of `execution`; none if it is gone, too long or no history that can be replayed.
    pub(super) async fn fetch(&self, execution: &Listed) -> Result<Option<Recorded>> {
        let mut events = Vec::new();
        let mut bytes = 0;
        let mut next_page_token = Vec::new();
        loop {
            let request = GetWorkflowExecutionHistoryRequest {
                namespace: self.temporal.namespace().to_owned(),
                execution: Some(WorkflowExecution {
                    workflow_id: execution.workflow_id.clone(),
                    run_id: execution.run_id.clone(),
                }),
                maximum_page_size: EVENTS_PER_CALL,
                next_page_token,
                ..Default::default()
            };
            let page = self
                .temporal
                .service()
                .get_workflow_execution_history(Request::new(request))
                .await;
            let page = match page {
                Ok(page) => page.into_inner(),
                // It was deleted between the list and this question.
                Err(status) if status.code() == temporalio_client::tonic::Code::NotFound => {
                    return Ok(None);
                }
                Err(status) => return Err(refusal(&status, &execution.workflow_id)),
            };
            let history = page.history.unwrap_or_default();
            bytes += history.encoded_len();
            events.extend(history.events);
            if bytes > BYTES_MAX || events.len() > EVENTS_MAX {
                return Ok(None);
            }
            next_page_token = page.next_page_token;
            if next_page_token.is_empty() {
                break;
            }
        }
        let mut history = History { events };
        let recorded = codec::open(&self.ring, &mut history)
            .and_then(|()| Recorded::new(history, execution.workflow_id.clone()));
        if let Err(error) = &recorded {
            tracing::warn!(
                workflow_id = execution.workflow_id,
                "a history is not sampled: {error}"
            );
        }
        Ok(recorded.ok())
    }
}

fn millis(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds.saturating_mul(1_000) + u64::try_from(time.nanos).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_strings_are_written_as_queries_want_them() {
        assert_eq!(time(1_500), "'1970-01-01T00:00:01.500Z'");
        assert_eq!(quoted("it's"), "'it''s'");
    }
}
