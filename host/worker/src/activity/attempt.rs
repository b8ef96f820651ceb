//! One attempt: from Core's task to the guest's, and from the guest's answer to Core's.

use std::{sync::Arc, time::Duration};

use prost_wkt_types::{Duration as ProtoDuration, Timestamp};
use temporalio_protos::{
    coresdk::{
        activity_result::{Success, activity_execution_result::Status},
        activity_task::Start,
    },
    temporal::api::common::v1::{Payload as ProtoPayload, Payloads},
};
use tenterhook_domain::{
    Code, Error, Result, TypeName,
    clock::{Clock, SystemClock, millis},
    context::Context,
    payload_key::PayloadRing,
};
use tenterhook_sandbox::{
    ActivityAccess, ActivityHost, ActivityTask, Cancellation, Owner, Payload, TaskInfo,
};

use tenterhook_workflow::guest::Fault;
use tokio::time::Instant;

use super::failure;
use crate::{codec, fair::Flow, lane::Home, resolver::Resolver};

/// Tenths of its time for which an attempt waits for code that is not there.
const WAIT_TENTHS: u32 = 8;

/// A task whose context is right: whose attempt it is, and of what.
pub(super) struct Claim {
    start: Start,
    context: Context,
    type_name: TypeName,
    /// What its caller calls the execution.
    caller_id: String,
}

impl Claim {
    /// Whose work it is.
    pub(super) async fn flow(&self, resolver: &Resolver) -> Flow {
        let (scope, plugin) = (&self.context.scope, &self.context.plugin);
        Flow::of(scope, plugin, resolver.weight(scope, plugin).await)
    }
}

/// Finds out whose attempt a task is.
///
/// # Errors
/// As [`Home::claim`].
pub(super) fn claim(resolver: &Resolver, home: &Home, start: Start) -> Result<Claim> {
    let workflow_id = start
        .workflow_execution
        .as_ref()
        .map_or("", |execution| &execution.workflow_id);
    let claimed = home.claim(
        resolver.keys(),
        &start.header_fields,
        workflow_id,
        &start.activity_type,
        start.scheduled_time.as_ref().map(timestamp_millis),
    )?;
    Ok(Claim {
        start,
        context: claimed.context,
        type_name: claimed.type_name,
        caller_id: claimed.caller_id,
    })
}

/// Runs the attempt, which was given to this host at `begun`, to its end. Dropping the future ends the guest.
pub(super) async fn run(
    resolver: &Resolver,
    mut claim: Claim,
    begun: Instant,
    host: Arc<dyn ActivityHost>,
) -> Status {
    let ring = match resolver.codec().ring(&claim.context.scope.tenant).await {
        Ok(ring) => ring,
        Err(error) => return failed(&error),
    };
    if let Err(error) = codec::open(&ring, &mut claim.start) {
        return failed(&error);
    }
    let host = Arc::new(SealedHost {
        ring: ring.clone(),
        host,
    });
    let status = opened(resolver, claim, begun, host).await;
    codec::seal_result(&ring, status).unwrap_or_else(|error| failed(&error))
}

/// Runs an attempt whose payloads are open.
async fn opened(
    resolver: &Resolver,
    claim: Claim,
    begun: Instant,
    host: Arc<dyn ActivityHost>,
) -> Status {
    match execute(resolver, claim, begun, host.clone()).await {
        // Core refuses a completion without a payload, and Temporal's SDKs write null for "nothing".
        Ok(Ok(result)) => Status::Completed(Success {
            result: Some(result.map_or_else(crate::payload::of_nothing, payload_to_proto)),
        }),
        Ok(Err(refused)) => failure::of_guest(refused, host.cancelled()),
        Err(error) => failed(&error),
    }
}

/// Seals what an attempt says while it runs.
struct SealedHost {
    ring: Arc<PayloadRing>,
    host: Arc<dyn ActivityHost>,
}

impl ActivityHost for SealedHost {
    fn heartbeat(&self, details: Vec<Payload>) {
        let mut sealed = Payloads {
            payloads: details.into_iter().map(payload_to_proto).collect(),
        };
        if let Err(error) = codec::seal(&self.ring, &mut sealed) {
            tracing::warn!(code = %error.code(), "a heartbeat's details are left out: {}", error.detail());
            sealed.payloads.clear();
        }
        let sealed = sealed.payloads.into_iter().map(payload_of_proto);
        self.host.heartbeat(sealed.collect());
    }

    fn cancelled(&self) -> Option<Cancellation> {
        self.host.cancelled()
    }
}

/// The answer for an attempt that the host could not bring to its end.
pub(super) fn failed(error: &Error) -> Status {
    tracing::warn!(code = %error.code(), cause = error.source_text(), "an attempt failed: {}", error.detail());
    failure::of_host(error.code(), error.detail())
}

type Answer = std::result::Result<Option<Payload>, tenterhook_sandbox::ActivityFailure>;

async fn execute(
    resolver: &Resolver,
    claim: Claim,
    begun: Instant,
    host: Arc<dyn ActivityHost>,
) -> Result<Answer> {
    let Claim {
        start,
        context,
        type_name,
        caller_id,
    } = claim;
    let terms = resolver.terms(&context.scope, &context.plugin).await?;
    let digest = context.digest.or(terms.line.current).ok_or_else(|| {
        Error::new(
            Code::ReleaseNotFound,
            format!(
                "plugin {} of {} has no current release for {type_name}: push one",
                context.plugin, context.scope
            ),
        )
    })?;
    let limit = Duration::from_millis(terms.limits.activity_millis);
    let left = time_left(&start).saturating_sub(begun.elapsed());
    let waiting = Instant::now();
    let component = resolver
        .load_or_wait(
            &context.scope,
            &context.plugin,
            digest,
            Instant::now() + wait(&start, left.min(limit)),
        )
        .await?;
    let module = component.activities().ok_or_else(|| {
        Error::new(
            Code::ActivityTypeNotFound,
            format!(
                "release {digest} of plugin {} has no activities, so no {type_name}",
                context.plugin
            ),
        )
    })?;
    let access = ActivityAccess {
        owner: Arc::new(Owner {
            scope: context.scope.clone(),
            plugin: context.plugin.clone(),
            digest,
        }),
        limits: terms.limits.clone(),
        grants: terms.grants.clone(),
        wants: resolver
            .wants(&context.scope, &context.plugin, digest)
            .await?,
        config: terms.config.clone(),
        weight: terms.weight,
    };
    // What waiting took is of the attempt's own time, not of the host's limit.
    let left = left.saturating_sub(waiting.elapsed()).min(limit);
    let task = guest_task(start, context, &type_name, caller_id, left);
    module
        .execute(task, access, host, left)
        .await
        .map_err(|fault| match fault {
            Fault::Dead { code, message } => Error::new(code, message),
            Fault::Failure(_) => Error::new(
                Code::GuestMalformed,
                "the activity answered as only workflows do",
            ),
        })
}

/// How long an attempt waits for code that is not there: it answers before it is given up for silent or late.
fn wait(start: &Start, left: Duration) -> Duration {
    let heartbeat = start.heartbeat_timeout.as_ref().map(duration_millis);
    let heartbeat = heartbeat.filter(|&timeout| timeout > 0);
    heartbeat.map_or(left, |timeout| left.min(Duration::from_millis(timeout))) * WAIT_TENTHS / 10
}

/// What is left of the attempt's own time-outs, whichever ends first. Times of the server are only compared with one
/// another: its clock need not be this machine's.
fn time_left(start: &Start) -> Duration {
    let own = start.start_to_close_timeout.as_ref().map(duration_millis);
    let passed = match (&start.scheduled_time, &start.started_time) {
        (Some(scheduled), Some(started)) => {
            timestamp_millis(started).saturating_sub(timestamp_millis(scheduled))
        }
        _ => 0,
    };
    let whole = start
        .schedule_to_close_timeout
        .as_ref()
        .map(duration_millis);
    let whole = whole
        .filter(|&timeout| timeout > 0)
        .map(|timeout| timeout.saturating_sub(passed));
    [own.filter(|&timeout| timeout > 0), whole]
        .into_iter()
        .flatten()
        .map(Duration::from_millis)
        .fold(Duration::MAX, Duration::min)
}

fn guest_task(
    start: Start,
    context: Context,
    type_name: &TypeName,
    caller_id: String,
    left: Duration,
) -> ActivityTask {
    let execution = start.workflow_execution.unwrap_or_default();
    let workflow_type = start.workflow_type.parse::<TypeName>();
    ActivityTask {
        activity_type: type_name.name.to_string(),
        input: start.input.into_iter().map(payload_of_proto).collect(),
        heartbeat_details: start
            .heartbeat_details
            .into_iter()
            .map(payload_of_proto)
            .collect(),
        info: TaskInfo {
            // The run keeps activities of a workflow that continues as new apart: their ids begin again.
            idempotency_key: format!(
                "{}/{}/{}",
                execution.workflow_id, execution.run_id, start.activity_id
            ),
            activity_id: start.activity_id,
            workflow_id: caller_id,
            run_id: execution.run_id,
            workflow_type: workflow_type.map_or(start.workflow_type, |name| name.name.into()),
            tenant: context.scope.tenant.to_string(),
            environment: context.scope.environment.to_string(),
            plugin: context.plugin.to_string(),
            attempt: start.attempt.max(1),
            scheduled_at: start.scheduled_time.as_ref().map_or(0, timestamp_millis),
            deadline: SystemClock.now_millis().saturating_add(millis(left)),
            heartbeat_timeout: start
                .heartbeat_timeout
                .as_ref()
                .map(duration_millis)
                .filter(|&timeout| timeout > 0),
            local: start.is_local,
        },
    }
}

fn timestamp_millis(time: &Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(u64::try_from(time.nanos).unwrap_or(0) / 1_000_000)
}

fn duration_millis(duration: &ProtoDuration) -> u64 {
    let seconds = u64::try_from(duration.seconds).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(u64::try_from(duration.nanos).unwrap_or(0) / 1_000_000)
}

pub(super) fn payload_of_proto(payload: ProtoPayload) -> Payload {
    Payload {
        metadata: payload.metadata.into_iter().collect(),
        data: payload.data,
    }
}

pub(super) fn payload_to_proto(payload: Payload) -> ProtoPayload {
    ProtoPayload {
        metadata: payload.metadata.into_iter().collect(),
        data: payload.data,
        ..Default::default()
    }
}
