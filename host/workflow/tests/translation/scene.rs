//! A run of `payment.ProcessPayment` in `acme/production`, and short ways to say what comes and goes.

use std::{sync::Arc, time::Duration};

use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            DoUpdate, FireTimer, InitializeWorkflow, NotifyHasPatch, QueryWorkflow,
            RemoveFromCache, SignalWorkflow, WorkflowActivation, WorkflowActivationJob,
            workflow_activation_job::Variant as Job,
        },
        workflow_commands::workflow_command::Variant as Command,
        workflow_completion::{
            WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::{
        common::v1::Payload,
        enums::v1::WorkflowTaskFailedCause,
        failure::v1::{ApplicationFailureInfo, Failure, failure::FailureInfo},
    },
};
use tenterhook_domain::{
    Code, Digest,
    context::{Context, ContextKey, ContextKeys, HEADER},
    grant::Grants,
    lane::Naming,
    limit::Limits,
};
use tenterhook_workflow::{Pin, Reach, ReleasePin, Run, RunIdentity};

use crate::script::Script;

/// Temporal's id of the run.
pub const RUN: &str = "run-1";
/// The execution as Temporal knows it.
pub const ID: &str = "acme/production/p-1";
/// The lane's task queue.
pub const QUEUE: &str = "pooled-1";
/// How many shares the tenant has.
pub const WEIGHT: u16 = 3;

/// A run and the script of its guest.
pub struct Scene {
    pub run: Run,
    pub script: Script,
    pub keys: Arc<ContextKeys>,
}

/// The release that runs.
pub fn digest() -> Digest {
    Digest::of(b"release one")
}

/// The release marker of [`digest`].
pub fn marker() -> String {
    format!("tenterhook:release@{}", digest())
}

/// These other plugins and no more.
pub fn granted(plugins: &[&str]) -> Reach {
    Reach::Granted(Arc::new(Grants {
        plugins: plugins.iter().map(|name| name.parse().unwrap()).collect(),
        ..Grants::default()
    }))
}

impl Scene {
    /// With default limits.
    pub fn new(pin: Pin) -> Self {
        Self::with(pin, Limits::default())
    }

    /// With these limits.
    pub fn with(pin: Pin, limits: Limits) -> Self {
        Self::on(ReleasePin::first(digest()), pin, limits)
    }

    /// On this release, after as many moves as it says.
    pub fn on(release: ReleasePin, pin: Pin, limits: Limits) -> Self {
        Self::of(release, pin, limits, (ID, Naming::default()))
    }

    /// The execution `id`, which calls others as `naming` says; without a pin.
    pub fn called(id: &str, naming: Naming) -> Self {
        let release = ReleasePin::first(digest());
        Self::of(release, Pin::Written, Limits::default(), (id, naming))
    }

    fn of(release: ReleasePin, pin: Pin, limits: Limits, (id, naming): (&str, Naming)) -> Self {
        let script = Script::default();
        let keys = Arc::new(ContextKeys::new(ContextKey::new("k1", [7; 32]), vec![]));
        let identity = RunIdentity {
            scope: "acme/production".parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            digest: release.digest,
            moves: release.moves,
            namespace: "lanes".into(),
            task_queue: QUEUE.into(),
            temporal_id: id.into(),
            run_id: RUN.into(),
            pin,
            weight: 1,
            naming,
        };
        let module = Arc::new(script.clone());
        let mut run = Run::new(identity, Arc::new(limits), keys.clone(), module);
        run.set_reach(granted(&["billing"]));
        run.set_weight(WEIGHT);
        Self { run, script, keys }
    }

    /// Without a pin and past its first activation, with nothing pushed.
    pub fn begun() -> Self {
        Self::begun_with(Limits::default())
    }

    /// The same with these limits.
    pub fn begun_with(limits: Limits) -> Self {
        let mut scene = Self::with(Pin::Written, limits);
        assert_eq!(scene.commands(vec![init()]), vec![]);
        scene.script.calls();
        scene
    }

    /// What comes of an activation with `jobs`.
    pub fn complete(&mut self, jobs: Vec<Job>) -> WorkflowActivationCompletion {
        let completion = self.run.activate(activation(jobs));
        assert_eq!(completion.run_id, RUN);
        completion
    }

    /// The commands of an activation that must succeed.
    #[track_caller]
    pub fn commands(&mut self, jobs: Vec<Job>) -> Vec<Command> {
        let completion = self.complete(jobs);
        match completion.status {
            Some(Status::Successful(success)) => {
                assert_eq!(success.versioning_behavior, 0);
                let commands = success.commands.into_iter();
                commands
                    .map(|it| it.variant.expect("a command has a kind"))
                    .collect()
            }
            other => panic!("the task should succeed: {other:?}"),
        }
    }

    /// The failure of an activation that must fail; the instance must be gone after it.
    #[track_caller]
    pub fn failure(&mut self, jobs: Vec<Job>) -> (Failure, WorkflowTaskFailedCause) {
        let failed = failure_of(self.complete(jobs));
        assert!(self.run.is_dead(), "a failed task leaves no instance");
        assert_eq!(self.run.memory_bytes(), 0);
        failed
    }

    /// Holds the failure of an activation against `code` and a part of its message.
    #[track_caller]
    pub fn fails(&mut self, jobs: Vec<Job>, code: Code, part: &str) {
        let (failure, _) = self.failure(jobs);
        check_failure(&failure, code, part);
    }

    /// What the context header in `headers` says, which must be of `workflow_id`.
    #[track_caller]
    pub fn context(
        &self,
        headers: &std::collections::HashMap<String, Payload>,
        workflow_id: &str,
    ) -> Context {
        let payload = headers.get(HEADER).expect("a signed header");
        assert_eq!(payload.metadata["encoding"], b"json/plain");
        let token: String = serde_json::from_slice(&payload.data).expect("a JSON string");
        self.keys
            .verify(&token, workflow_id)
            .expect("a valid context")
    }
}

/// The failure and the cause of a completion that must be failed.
#[track_caller]
pub fn failure_of(completion: WorkflowActivationCompletion) -> (Failure, WorkflowTaskFailedCause) {
    match completion.status {
        Some(Status::Failed(failed)) => {
            let cause = failed.force_cause();
            (failed.failure.expect("a failure"), cause)
        }
        other => panic!("the task should fail: {other:?}"),
    }
}

/// Holds a failure of the host's against `code` and a part of its message.
#[track_caller]
pub fn check_failure(failure: &Failure, code: Code, part: &str) {
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else {
        panic!("an application failure: {failure:?}");
    };
    assert_eq!(info.r#type, code.as_str(), "{}", failure.message);
    assert_eq!(failure.source, "tenterhook");
    let start = format!("[{code}] ");
    assert!(failure.message.starts_with(&start), "{}", failure.message);
    assert!(
        failure.message.contains(part),
        "{:?} in {:?}",
        part,
        failure.message
    );
}

/// An activation at a fixed workflow time, not replaying.
pub fn activation(jobs: Vec<Job>) -> WorkflowActivation {
    let at = std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    WorkflowActivation {
        run_id: RUN.into(),
        timestamp: Some(at.into()),
        jobs: jobs
            .into_iter()
            .map(|job| WorkflowActivationJob { variant: Some(job) })
            .collect(),
        ..Default::default()
    }
}

/// The job that begins the run.
pub fn init() -> Job {
    Job::InitializeWorkflow(start())
}

/// What it carries.
pub fn start() -> InitializeWorkflow {
    InitializeWorkflow {
        workflow_type: "payment.ProcessPayment".into(),
        workflow_id: ID.into(),
        arguments: vec![json("41")],
        randomness_seed: 5,
        ..Default::default()
    }
}

pub fn signal(name: &str) -> Job {
    Job::SignalWorkflow(SignalWorkflow {
        signal_name: name.into(),
        ..Default::default()
    })
}

pub fn update(protocol_instance_id: &str) -> Job {
    Job::DoUpdate(DoUpdate {
        id: format!("id of {protocol_instance_id}"),
        protocol_instance_id: protocol_instance_id.into(),
        name: "cancel".into(),
        run_validator: true,
        ..Default::default()
    })
}

pub fn query(query_id: &str) -> Job {
    Job::QueryWorkflow(QueryWorkflow {
        query_id: query_id.into(),
        query_type: "status".into(),
        ..Default::default()
    })
}

pub fn fire(seq: u32) -> Job {
    Job::FireTimer(FireTimer { seq })
}

pub fn patch(id: &str) -> Job {
    Job::NotifyHasPatch(NotifyHasPatch {
        patch_id: id.into(),
    })
}

pub fn evict() -> Job {
    Job::RemoveFromCache(RemoveFromCache::default())
}

/// A JSON payload.
pub fn json(text: &str) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: text.into(),
        ..Default::default()
    }
}

/// A failure with everything a guest can say.
pub fn rich_failure() -> Failure {
    Failure {
        message: "the card was declined".into(),
        source: "RustSDK".into(),
        stack_trace: "at charge()\nat pay()".into(),
        encoded_attributes: Some(json("{}")),
        cause: Some(Box::new(Failure {
            message: "gateway said 402".into(),
            ..Default::default()
        })),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: "Declined".into(),
                non_retryable: true,
                details: Some(temporalio_protos::temporal::api::common::v1::Payloads {
                    payloads: vec![json("\"402\"")],
                }),
                next_retry_delay: Some(Duration::from_secs(9).try_into().unwrap()),
                category: 1,
            },
        )),
    }
}
