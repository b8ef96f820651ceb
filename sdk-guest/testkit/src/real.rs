//! Activities whose code runs, in the sandbox that production uses, against what a test gave.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use temporalio_protos::temporal::api::common::v1::Payload as Proto;
use tenterhook_domain::TypeName;
use tenterhook_sandbox::{
    ActivityAccess, ActivityFailure, ActivityHost, ActivityTask, Cancellation, FailureLink, Owner,
    Payload, TaskInfo,
};
use tenterhook_workflow::guest::Fault;

use crate::{attempt::Ran, failure::Failure, lab::lab, mock::Facts, payload, world::World};

/// The longest that the code of an attempt may take really, where its time-outs say more or nothing.
const REALLY_MAX: Duration = Duration::from_secs(60);

/// What only the code itself is told, beside what a mock is told too.
pub(crate) struct Real<'a> {
    pub(crate) arguments: &'a [Proto],
    pub(crate) run_id: &'a str,
    pub(crate) workflow_type: &'a str,
    pub(crate) is_cancelled: bool,
    pub(crate) time: Option<Duration>,
    pub(crate) heartbeat_timeout: Option<Duration>,
    pub(crate) scheduled_at: Duration,
    pub(crate) is_local: bool,
}

struct Host {
    beat: Mutex<Option<Vec<Payload>>>,
    is_cancelled: bool,
}

impl ActivityHost for Host {
    fn heartbeat(&self, details: Vec<Payload>) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(details);
    }

    fn cancelled(&self) -> Option<Cancellation> {
        self.is_cancelled.then_some(Cancellation::Requested)
    }
}

impl World {
    pub(crate) fn perform_really(&self, name: &str, facts: Facts, real: Real<'_>) -> Ran {
        let type_name: TypeName = name
            .parse()
            .unwrap_or_else(|error| panic!("{name:?} is no activity: {error}"));
        let plugin = self.setup.plugin(&type_name.plugin);
        let plugin = plugin.unwrap_or_else(|| panic!("the kit has no plugin for {name}"));
        let module = plugin.component().activities();
        let module = module.unwrap_or_else(|| panic!("plugin {} has no activities", plugin.name()));
        let access = ActivityAccess {
            owner: Arc::new(Owner {
                scope: self.setup.outside.clone(),
                plugin: type_name.plugin.clone(),
                digest: plugin.component().digest(),
            }),
            limits: self.setup.limits.clone(),
            weight: 1,
            grants: Arc::new(self.setup.grants.clone()),
            wants: Arc::new(plugin.metadata().wants.clone()),
            config: self
                .setup
                .config
                .get(&type_name.plugin)
                .cloned()
                .unwrap_or_default(),
        };
        let within = real.time.map_or(REALLY_MAX, |time| time.min(REALLY_MAX));
        let host = Arc::new(Host {
            beat: Mutex::default(),
            is_cancelled: real.is_cancelled,
        });
        let task = self.guest_task(&type_name, facts, &real, within);
        let shared: Arc<dyn ActivityHost> = host.clone();
        let ended = lab().wait(async move { module.execute(task, access, shared, within).await });
        let beat = host
            .beat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let outcome = match ended {
            Ok(Ok(result)) => Ok(result.map_or_else(|| payload::of(&()), to_proto)),
            Ok(Err(failure)) => Err(Box::new(of_guest(failure, real.is_cancelled))),
            Err(Fault::Dead { code, message }) => {
                let failure = Failure::retryable(code.as_str(), format!("[{code}] {message}"));
                Err(Box::new(failure.into_proto()))
            }
            Err(Fault::Failure(_)) => panic!("activity {name} answered as only workflows do"),
        };
        Ran {
            outcome,
            heartbeat: beat.map(|details| first_value(&details)),
            takes: Duration::ZERO,
        }
    }

    fn guest_task(
        &self,
        type_name: &TypeName,
        facts: Facts,
        real: &Real<'_>,
        within: Duration,
    ) -> ActivityTask {
        let details = &facts.heartbeat_details;
        let beat = (!details.is_null()).then(|| of_proto(payload::of(details)));
        let scope = &self.setup.scope;
        ActivityTask {
            activity_type: type_name.name.to_string(),
            input: real.arguments.iter().cloned().map(of_proto).collect(),
            heartbeat_details: beat.into_iter().collect(),
            info: TaskInfo {
                activity_id: facts.activity_id,
                workflow_id: facts.workflow_id,
                run_id: real.run_id.to_owned(),
                workflow_type: real.workflow_type.to_owned(),
                tenant: scope.tenant.to_string(),
                environment: scope.environment.to_string(),
                plugin: type_name.plugin.to_string(),
                attempt: facts.attempt,
                scheduled_at: millis(real.scheduled_at),
                deadline: millis(now() + within),
                heartbeat_timeout: real.heartbeat_timeout.map(millis),
                idempotency_key: facts.idempotency_key,
                local: real.is_local,
            },
        }
    }
}

/// The code of activities sees the machine's clock, as in production.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn of_proto(payload: Proto) -> Payload {
    Payload {
        metadata: payload.metadata.into_iter().collect(),
        data: payload.data,
    }
}

fn to_proto(payload: Payload) -> Proto {
    Proto {
        metadata: payload.metadata.into_iter().collect(),
        data: payload.data,
        ..Default::default()
    }
}

fn first_value(details: &[Payload]) -> Value {
    details.first().map(value).unwrap_or_default()
}

/// Null for what is no JSON.
fn value(payload: &Payload) -> Value {
    serde_json::from_slice(&payload.data).unwrap_or_default()
}

/// As the worker makes it of a guest's.
fn of_guest(
    failure: ActivityFailure,
    is_cancelled: bool,
) -> temporalio_protos::temporal::api::failure::v1::Failure {
    if failure.error.kind == crate::failure::CANCELED && is_cancelled {
        return crate::failure::canceled(&failure.error.message, None);
    }
    let mut cause = None;
    for link in failure.causes.into_iter().rev() {
        cause = Some(Box::new(linked(link, cause)));
    }
    let mut read = linked(failure.error, cause);
    read.non_retryable = failure.non_retryable;
    read.next_retry_delay = failure.next_retry_delay.map(Duration::from_millis);
    read.into_proto()
}

fn linked(link: FailureLink, cause: Option<Box<Failure>>) -> Failure {
    Failure {
        kind: link.kind,
        message: link.message,
        details: link.details.iter().map(value).collect(),
        cause,
        ..Failure::default()
    }
}
