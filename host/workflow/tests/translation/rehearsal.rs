//! Types tried with made-up work: how they begin, and whether they do the same twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use serde_json::{Value, json};
use temporalio_protos::{
    coresdk::{
        activity_result::activity_resolution::Status,
        workflow_activation::{
            InitializeWorkflow, WorkflowActivation, workflow_activation_job::Variant as Job,
        },
        workflow_commands::{
            ScheduleActivity, SetPatchMarker, StartTimer, workflow_command::Variant as Command,
        },
    },
    temporal::api::failure::v1::Failure,
};
use tenterhook_domain::{Code, Digest, limit::Limits};
use tenterhook_workflow::{
    ACTIVATIONS_MAX, Beginning, Rehearsal, Repetition,
    guest::{Completion, Fault, Init, Instance, JobResult, Module, Moment, Poll},
};

use crate::script::{encode, poll};

/// What a guest does in an activation.
type Mind = fn(&Stage, &WorkflowActivation) -> Result<Vec<Command>, Fault>;

/// A guest that follows its mind and never ends. Instances know which of them they are.
#[derive(Clone)]
struct Stage {
    mind: Mind,
    begins: fn() -> Result<(), Fault>,
    made: Arc<AtomicU32>,
    number: u32,
    pushed: Vec<Vec<u8>>,
}

impl Module for Stage {
    fn instantiate(&self, init: &Init, _: Moment) -> Result<Box<dyn Instance>, Fault> {
        let start = InitializeWorkflow::decode(init.initialize_workflow.as_slice()).unwrap();
        assert_eq!(start.workflow_type, "Pay", "the guest's own name");
        (self.begins)()?;
        Ok(Box::new(Self {
            number: self.made.fetch_add(1, Ordering::SeqCst),
            ..self.clone()
        }))
    }
}

impl Instance for Stage {
    fn activate(&mut self, activation: &[u8], moment: Moment) -> Result<Vec<JobResult>, Fault> {
        let activation = WorkflowActivation::decode(activation).unwrap();
        assert_eq!(moment.replaying, activation.is_replaying);
        let commands = (self.mind)(self, &activation)?;
        self.pushed.extend(commands.into_iter().map(encode));
        Ok(vec![JobResult::None; activation.jobs.len()])
    }

    fn poll_routine(&mut self, _: u64) -> Result<Poll, Fault> {
        Ok(poll(Some(Completion::Blocked), false))
    }

    fn take_commands(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pushed)
    }

    fn current_details(&self) -> Option<&str> {
        None
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

fn rehearse<T>(
    mind: Mind,
    begins: fn() -> Result<(), Fault>,
    play: impl FnOnce(Rehearsal<'_>) -> T,
) -> T {
    let module = Arc::new(Stage {
        mind,
        begins,
        made: Arc::default(),
        number: 0,
        pushed: Vec::new(),
    });
    play(Rehearsal {
        module,
        scope: "host/inspection".parse().unwrap(),
        plugin: "payment".parse().unwrap(),
        digest: Digest::of(b"release one"),
        limits: Arc::new(Limits::default()),
        result: &|name| {
            if name == "Charge" {
                json!({ "paid": true })
            } else {
                Value::Null
            }
        },
    })
}

fn repeat(mind: Mind) -> Repetition {
    rehearse(mind, || Ok(()), |it| it.repeat("Pay", Some(&json!({}))))
}

#[track_caller]
fn differs(mind: Mind, parts: &[&str]) {
    let Repetition::Differs(what) = repeat(mind) else {
        panic!("{:?}", repeat(mind));
    };
    for part in parts {
        assert!(what.contains(part), "{part:?} in {what}");
    }
}

fn timer(seq: u32, seconds: u64) -> Command {
    Command::StartTimer(StartTimer {
        seq,
        start_to_fire_timeout: Some(Duration::from_secs(seconds).try_into().unwrap()),
    })
}

fn activity(seq: u32) -> Command {
    Command::ScheduleActivity(ScheduleActivity {
        seq,
        activity_id: seq.to_string(),
        activity_type: "Charge".into(),
        start_to_close_timeout: Some(Duration::from_secs(9).try_into().unwrap()),
        ..Default::default()
    })
}

fn jobs(activation: &WorkflowActivation) -> Vec<&Job> {
    let jobs = activation.jobs.iter();
    jobs.filter_map(|job| job.variant.as_ref()).collect()
}

#[test]
fn what_is_started_succeeds_and_the_same_is_the_same() {
    let mind: Mind = |_, activation| {
        Ok(match jobs(activation)[..] {
            [Job::InitializeWorkflow(_)] => vec![timer(1, 3600)],
            [Job::FireTimer(_)] => {
                assert_eq!(
                    activation.timestamp.as_ref().unwrap().seconds % 86_400,
                    3600
                );
                vec![activity(2)]
            }
            [Job::ResolveActivity(it)] => {
                let result = it.result.as_ref().unwrap().status.as_ref().unwrap();
                let Status::Completed(success) = result else {
                    panic!("a success: {result:?}")
                };
                assert_eq!(success.result.as_ref().unwrap().data, b"{\"paid\":true}");
                Vec::new()
            }
            ref other => panic!("{other:?}"),
        })
    };
    let same = Repetition::Same {
        activations: 3,
        commands: 2,
    };
    assert_eq!(repeat(mind), same);
}

#[test]
fn a_run_without_end_is_left() {
    let same = Repetition::Same {
        activations: ACTIVATIONS_MAX,
        commands: ACTIVATIONS_MAX,
    };
    assert_eq!(repeat(|_, _| Ok(vec![timer(1, 1)])), same);
}

#[test]
fn a_patch_is_known_when_it_is_repeated() {
    let mind: Mind = |_, activation| {
        let known = jobs(activation)
            .iter()
            .any(|job| matches!(job, Job::NotifyHasPatch(it) if it.patch_id == "fee"));
        assert_eq!(known, activation.is_replaying);
        let patch_id = "fee".to_owned();
        Ok(vec![Command::SetPatchMarker(SetPatchMarker {
            patch_id,
            deprecated: false,
        })])
    };
    assert!(matches!(repeat(mind), Repetition::Same { .. }));
}

#[test]
fn another_command_is_named_with_its_place() {
    differs(
        |_, activation| {
            Ok(match activation.is_replaying {
                false => vec![timer(1, 5), activity(2)],
                true => vec![timer(1, 5), timer(2, 7)],
            })
        },
        &[
            "activation 1, command 2",
            "ScheduleActivity payment.Charge() the first time",
            "StartTimer 7.000 s when it is repeated",
        ],
    );
    differs(
        |_, activation| {
            Ok(match jobs(activation)[..] {
                [Job::FireTimer(_)] if activation.is_replaying => vec![],
                _ => vec![timer(1, 5)],
            })
        },
        &["activation 2, command 1 is StartTimer 5.000 s", "missing"],
    );
    // Something of the instance's own, an address perhaps.
    differs(
        |stage, _| Ok(vec![timer(1, u64::from(stage.number))]),
        &["StartTimer 0.000 s", "StartTimer 1.000 s"],
    );
}

#[test]
fn failures_say_little_unless_they_come_by_repeating() {
    fn dead(code: Code) -> Result<Vec<Command>, Fault> {
        Err(Fault::Dead {
            code,
            message: "over".into(),
        })
    }
    let Repetition::Unknown(why) = repeat(|_, _| dead(Code::GuestTrapped)) else {
        panic!("nothing can be told")
    };
    assert!(why.contains("over"), "{why}");
    differs(
        |_, activation| match activation.is_replaying {
            true => dead(Code::GuestTrapped),
            false => Ok(vec![]),
        },
        &["fails only when it is repeated", "over"],
    );
    let late = repeat(|stage, _| match stage.number {
        1 => dead(Code::GuestDeadlineExceeded),
        _ => Ok(vec![timer(1, 1)]),
    });
    assert!(
        matches!(late, Repetition::Unknown(_)),
        "the machine's clock: {late:?}"
    );
}

#[test]
fn a_type_is_made_or_says_why_not() {
    let begin = |begins| rehearse(|_, _| Ok(vec![]), begins, |it| it.begin("Pay", None));
    fn says(message: &str) -> Result<(), Fault> {
        let failure = Failure {
            message: message.to_owned(),
            ..Default::default()
        };
        Err(Fault::Failure(failure.encode_to_vec()))
    }
    assert_eq!(begin(|| Ok(())), Beginning::Made);
    let declined = begin(|| says("no amount"));
    assert_eq!(declined, Beginning::Declined("no amount".into()));
    let unknown = begin(|| says("No workflow named 'Pay' exported by this component"));
    let Beginning::Failed { code, .. } = unknown else {
        panic!("{unknown:?}")
    };
    assert_eq!(code, Code::WorkflowTypeNotFound);
    let trapped = begin(|| {
        Err(Fault::Dead {
            code: Code::GuestTrapped,
            message: "unreachable".into(),
        })
    });
    let message = "unreachable".to_owned();
    let code = Code::GuestTrapped;
    assert_eq!(trapped, Beginning::Failed { code, message });
}
