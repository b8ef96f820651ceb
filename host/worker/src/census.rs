//! Executions counted by the release that their history pins them to: what the guard of a ramp and the retirement
//! of releases go by.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse,
        ListWorkflowExecutionsRequest,
    },
};
use tenterhook_domain::{
    Digest, PluginName, Result, Scope,
    clock::millis,
    rollout::{Census, Health},
};
use tenterhook_store::{ReleaseKey, TaskFailures};
use tenterhook_workflow::ReleasePin;

use crate::{
    connection::{Temporal, refusal},
    directory::Directory,
    payload,
};

/// Closed executions whose durations make the p99: the newest ones.
const DURATIONS_MAX: i32 = 1_000;

/// Counts by Temporal's visibility, and adds the task failures that the hosts wrote down.
///
/// Visibility lags a second or two behind, so what was just started is not counted yet.
pub struct VisibilityCensus {
    directory: Arc<Directory>,
    task_failures: Arc<dyn TaskFailures>,
}

impl VisibilityCensus {
    /// Counts on the lanes of `directory`.
    pub fn new(directory: Arc<Directory>, task_failures: Arc<dyn TaskFailures>) -> Self {
        Self {
            directory,
            task_failures,
        }
    }

    /// The p99 of the durations of what `query` finds, in milliseconds.
    async fn p99(temporal: &Temporal, query: String) -> Result<Option<u64>> {
        let request = ListWorkflowExecutionsRequest {
            namespace: temporal.namespace().to_owned(),
            page_size: DURATIONS_MAX,
            query,
            ..Default::default()
        };
        let listed = temporal
            .service()
            .list_workflow_executions(Request::new(request))
            .await
            .map_err(|status| refusal(&status, ""))?
            .into_inner();
        Ok(p99(listed.executions.iter().filter_map(duration).collect()))
    }
}

/// Counts the executions that `query` finds.
pub(crate) async fn count(
    temporal: &Temporal,
    query: String,
) -> Result<CountWorkflowExecutionsResponse> {
    let request = CountWorkflowExecutionsRequest {
        namespace: temporal.namespace().to_owned(),
        query,
    };
    let counted = temporal
        .service()
        .count_workflow_executions(Request::new(request))
        .await;
    counted
        .map(|response| response.into_inner())
        .map_err(|status| refusal(&status, ""))
}

#[async_trait]
impl Census for VisibilityCensus {
    async fn open(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<u64> {
        // One that has moved on counts too, by its first pin: attempts that it began here may still run.
        let pins: Vec<String> = ReleasePin::all_of(*digest)
            .map(|pin| format!("'{pin}'"))
            .collect();
        let pins = pins.join(", ");
        let mut open = 0;
        for listing in self.directory.listings_of(scope, plugin).await? {
            let running = format!("{} AND ExecutionStatus = 'Running'", listing.query);
            // One without a pin has not done its first task: its context may name the release.
            for pinned in [
                format!("TemporalChangeVersion IN ({pins})"),
                "TemporalChangeVersion IS NULL".to_owned(),
            ] {
                let query = format!("{running} AND {pinned}");
                open += count(&listing.temporal, query).await?.count.unsigned_abs();
            }
        }
        Ok(open)
    }

    async fn health(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: &Digest,
        since_millis: u64,
    ) -> Result<Health> {
        let since = Duration::from_millis(since_millis).as_nanos();
        let mut health = Health::default();
        for listing in self.directory.listings_of(scope, plugin).await? {
            // What began on the release, wherever it moved since.
            let query = format!(
                "{} AND TemporalChangeVersion = '{}' AND StartTime >= {since}",
                listing.query,
                ReleasePin::first(*digest)
            );
            let grouped = format!("{query} GROUP BY ExecutionStatus");
            let counted = count(&listing.temporal, grouped).await?;
            let closed_before = health.closed;
            add(&mut health, counted);
            if health.closed > closed_before {
                let closed = format!("{query} AND ExecutionStatus != 'Running'");
                // Of two places, a scope's lane and the one before, the slower counts.
                let p99 = Self::p99(&listing.temporal, closed).await?;
                health.p99_millis = health.p99_millis.max(p99);
            }
        }
        let release = ReleaseKey {
            scope: scope.clone(),
            plugin: plugin.clone(),
            digest: *digest,
        };
        let failed = self.task_failures.count(&release, since_millis).await?;
        health.task_failed = failed.runs;
        // Those are started too, and on no list of the release.
        health.started += failed.unpinned;
        Ok(health)
    }
}

fn add(health: &mut Health, counted: CountWorkflowExecutionsResponse) {
    for group in counted.groups {
        let status = group.group_values.first().map(payload::to_json);
        let count = group.count.unsigned_abs();
        health.started += count;
        match status.as_ref().and_then(serde_json::Value::as_str) {
            Some("Running" | "Paused") => {}
            Some("Failed" | "TimedOut") => {
                health.closed += count;
                health.failed += count;
            }
            _ => health.closed += count,
        }
    }
}

fn duration(info: &WorkflowExecutionInfo) -> Option<u64> {
    let duration = match info.execution_duration {
        Some(duration) => duration.try_into().ok()?,
        // A server that does not say it says when it began and ended.
        None => {
            let at = |time: Option<prost_wkt_types::Timestamp>| {
                let time = time?;
                let seconds = Duration::from_secs(u64::try_from(time.seconds).ok()?);
                Some(seconds + Duration::from_nanos(u64::try_from(time.nanos).ok()?))
            };
            at(info.close_time)?.saturating_sub(at(info.start_time)?)
        }
    };
    Some(millis(duration))
}

fn p99(mut durations: Vec<u64>) -> Option<u64> {
    durations.sort_unstable();
    let place = (durations.len() * 99).div_ceil(100);
    durations.get(place.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p99_is_one_of_the_durations() {
        assert_eq!(p99(vec![]), None);
        assert_eq!(p99(vec![7]), Some(7));
        assert_eq!(p99((1..=100).rev().collect()), Some(99));
        assert_eq!(p99((1..=1_000).collect()), Some(990));
    }
}
