//! Runs that are kept on a tape and repeated on a fresh instance: what is the same, what differs, and what is not kept.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use prost::Message as _;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{WorkflowActivation, workflow_activation_job::Variant as Job},
        workflow_commands::{
            ScheduleActivity, SetPatchMarker, StartTimer, workflow_command::Variant as Command,
        },
    },
    temporal::api::common::v1::Payload,
};
use tenterhook_domain::{
    Code,
    context::{ContextKey, ContextKeys},
    lane::Naming,
    limit::Limits,
};
use tenterhook_workflow::{
    Difference, Pin, Repeated, Run, RunIdentity, Shelf,
    guest::{Completion, Fault, Init, Instance, JobResult, Module, Moment, Poll, Terminal},
};

use crate::{
    scene::{RUN, activation, digest, fire, init, query, signal, update},
    script::{encode, poll},
};

const ROOM: u64 = 16 * 1024 * 1024;

/// What a guest answers to an activation: commands, and whether it ends.
type Mind = fn(&mut Actor, &WorkflowActivation) -> Result<(Vec<Command>, bool), Fault>;

#[derive(Clone)]
struct Actor {
    mind: Mind,
    made: Arc<AtomicU32>,
    number: u32,
    questions: u32,
    pushed: Vec<Vec<u8>>,
    ends: bool,
}

impl Module for Actor {
    fn instantiate(&self, _: &Init, _: Moment) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(Self {
            number: self.made.fetch_add(1, Ordering::SeqCst),
            ..self.clone()
        }))
    }
}

impl Instance for Actor {
    fn activate(&mut self, activation: &[u8], moment: Moment) -> Result<Vec<JobResult>, Fault> {
        let activation = WorkflowActivation::decode(activation).unwrap();
        assert_eq!(moment.replaying, activation.is_replaying);
        let jobs = activation
            .jobs
            .iter()
            .filter_map(|job| job.variant.as_ref());
        let answers = jobs.map(|job| match job {
            Job::QueryWorkflow(_) => {
                self.questions += 1;
                JobResult::Query(Ok(Payload::default().encode_to_vec()))
            }
            Job::DoUpdate(_) => JobResult::UpdateRejected(Vec::new()),
            _ => JobResult::None,
        });
        let answers: Vec<JobResult> = answers.collect();
        if answers.contains(&JobResult::None) {
            let (commands, ends) = (self.mind)(self, &activation)?;
            self.pushed.extend(commands.into_iter().map(encode));
            self.ends = ends;
        }
        Ok(answers)
    }

    fn poll_routine(&mut self, _: u64) -> Result<Poll, Fault> {
        let completion = match self.ends {
            true => Completion::Terminal(Terminal::Completed(Payload::default().encode_to_vec())),
            false => Completion::Blocked,
        };
        Ok(poll(Some(completion), false))
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

fn run(mind: Mind, shelf: &Arc<Shelf>) -> Run {
    let module = Actor {
        mind,
        made: Arc::default(),
        number: 0,
        questions: 0,
        pushed: Vec::new(),
        ends: false,
    };
    let identity = RunIdentity {
        scope: "acme/production".parse().unwrap(),
        plugin: "payment".parse().unwrap(),
        digest: digest(),
        moves: 0,
        namespace: "lanes".into(),
        task_queue: "pooled-1".into(),
        temporal_id: "acme/production/p-1".into(),
        run_id: RUN.into(),
        pin: Pin::Unwritten,
        weight: 1,
        naming: Naming::default(),
    };
    let keys = ContextKeys::new(ContextKey::new("k1", [7; 32]), vec![]);
    let limits = Arc::new(Limits::default());
    let mut run = Run::new(identity, limits, Arc::new(keys), Arc::new(module));
    run.record(shelf.clone());
    run
}

/// Gives `tasks` to a run of `mind`, and then all of it once more to a fresh instance.
fn repeat(mind: Mind, tasks: Vec<Vec<Job>>) -> Repeated {
    let shelf = Shelf::new(ROOM);
    let mut run = run(mind, &shelf);
    for jobs in tasks {
        let _ = run.activate(activation(jobs));
    }
    let tape = run.take_tape().unwrap();
    assert_eq!(
        tape.workflow_type(),
        "ProcessPayment",
        "the guest's own name"
    );
    tape.repeat(|| true)
}

#[track_caller]
fn difference(mind: Mind, tasks: Vec<Vec<Job>>) -> Difference {
    match repeat(mind, tasks) {
        Repeated::Differs(difference) => difference,
        other => panic!("{other:?}"),
    }
}

fn wait(seconds: u64) -> Command {
    Command::StartTimer(StartTimer {
        seq: 1,
        start_to_fire_timeout: Some(std::time::Duration::from_secs(seconds).try_into().unwrap()),
    })
}

fn charge(what: &str) -> Command {
    Command::ScheduleActivity(ScheduleActivity {
        seq: 2,
        activity_id: "2".to_owned(),
        activity_type: "Charge".to_owned(),
        arguments: vec![Payload {
            data: what.as_bytes().to_vec(),
            ..Payload::default()
        }],
        start_to_close_timeout: Some(std::time::Duration::from_secs(9).try_into().unwrap()),
        ..Default::default()
    })
}

#[test]
fn the_same_is_the_same_with_questions_in_between() {
    let tasks = vec![
        vec![init()],
        vec![query("q-1")],
        vec![update("u-1")],
        vec![signal("go")],
        vec![fire(1)],
    ];
    let mind: Mind = |_, activation| {
        let ends = activation
            .jobs
            .iter()
            .any(|job| matches!(&job.variant, Some(Job::FireTimer(_))));
        Ok((vec![wait(5)], ends))
    };
    assert_eq!(repeat(mind, tasks), Repeated::Same);
}

#[test]
fn who_decides_by_being_replayed_is_found() {
    let mind: Mind = |_, activation| {
        let seconds = if activation.is_replaying { 3 } else { 2 };
        Ok((vec![charge("0815"), wait(seconds)], false))
    };
    let found = difference(mind, vec![vec![init()]]);
    let expected = Difference {
        activation: 1,
        command: 2,
        expected: "StartTimer 2.000 s".to_owned(),
        actual: "StartTimer 3.000 s".to_owned(),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_query_that_changes_something_is_found() {
    let mind: Mind = |actor, _| Ok((vec![wait(u64::from(actor.questions))], false));
    let tasks = vec![vec![init()], vec![query("q-1")], vec![signal("go")]];
    let found = difference(mind, tasks);
    assert_eq!((found.activation, found.command), (2, 1));
    assert_eq!(found.expected, "StartTimer 1.000 s");
    assert_eq!(found.actual, "StartTimer 0.000 s");
}

#[test]
fn contents_are_not_told() {
    let mind: Mind = |actor, _| {
        Ok((
            vec![charge(["secret-a", "secret-b"][actor.number as usize])],
            false,
        ))
    };
    let found = difference(mind, vec![vec![init()]]);
    assert_eq!(found.expected, "ScheduleActivity Charge");
    assert_eq!(found.actual, "ScheduleActivity Charge with other contents");
}

#[test]
fn more_or_less_is_another() {
    let more: Mind = |actor, _| Ok((vec![wait(1); 1 + actor.number as usize], false));
    let found = difference(more, vec![vec![init()]]);
    assert_eq!(
        (found.command, found.expected.as_str()),
        (2, "no further command")
    );
    let ends: Mind = |actor, _| Ok((vec![], actor.number == 0));
    let found = difference(ends, vec![vec![init()]]);
    assert_eq!(found.expected, "CompleteWorkflowExecution");
    assert_eq!(found.actual, "no further command");
}

#[test]
fn a_patch_is_known_when_it_is_repeated() {
    let mind: Mind = |_, activation| {
        let known = activation.jobs.iter().any(
            |job| matches!(&job.variant, Some(Job::NotifyHasPatch(it)) if it.patch_id == "fee"),
        );
        assert_eq!(known, activation.is_replaying);
        let patch_id = "fee".to_owned();
        let marker = Command::SetPatchMarker(SetPatchMarker {
            patch_id,
            deprecated: false,
        });
        Ok((vec![marker], false))
    };
    assert_eq!(repeat(mind, vec![vec![init()]]), Repeated::Same);
}

#[test]
fn a_trap_is_a_difference_and_a_busy_machine_is_none() {
    fn dies(actor: &Actor, code: Code) -> Result<(Vec<Command>, bool), Fault> {
        match actor.number {
            0 => Ok((vec![wait(1)], false)),
            _ => Err(Fault::Dead {
                code,
                message: "quotes the guest".to_owned(),
            }),
        }
    }
    let found = difference(
        |actor, _| dies(actor, Code::GuestTrapped),
        vec![vec![init()]],
    );
    assert_eq!(found.expected, "StartTimer 1.000 s");
    assert_eq!(found.actual, "a failed task (guest-trapped)");
    let minds: [Mind; 2] = [
        |actor, _| dies(actor, Code::GuestDeadlineExceeded),
        |actor, _| dies(actor, Code::HostMemoryTaken),
    ];
    for mind in minds {
        let repeated = repeat(mind, vec![vec![init()]]);
        assert!(matches!(repeated, Repeated::Unknown(_)), "{repeated:?}");
    }
}

#[test]
fn a_run_that_failed_has_no_tape() {
    let shelf = Shelf::new(ROOM);
    let mut run = run(
        |_, _| {
            Err(Fault::Dead {
                code: Code::GuestFuelExhausted,
                message: "over".to_owned(),
            })
        },
        &shelf,
    );
    let _ = run.activate(activation(vec![init()]));
    assert!(run.take_tape().is_none());
    assert_eq!(shelf.held(), 0, "all room is given back");
}

#[test]
fn a_tape_is_taken_once_it_is_full_or_its_run_ends() {
    let shelf = Shelf::new(ROOM);
    let mut endless = run(|_, _| Ok((vec![wait(1)], false)), &shelf);
    let _ = endless.activate(activation(vec![init()]));
    assert!(endless.take_full_tape().is_none(), "there may be more");
    let tasks = (0..10_000).take_while(|_| {
        let _ = endless.activate(activation(vec![fire(1)]));
        endless.take_full_tape().is_none()
    });
    let tasks = tasks.count();
    assert!((100..1_000).contains(&tasks), "bounded: {tasks}");
    assert!(endless.take_tape().is_none(), "it was taken");
    assert_eq!(shelf.held(), 0);

    let mut ended = run(|_, _| Ok((vec![], true)), &shelf);
    let _ = ended.activate(activation(vec![init()]));
    let tape = ended.take_full_tape().unwrap();
    assert!(shelf.held() > 0);
    assert_eq!(tape.repeat(|| true), Repeated::Same);
    let unknown = tape.repeat(|| false);
    assert!(matches!(unknown, Repeated::Unknown(_)), "{unknown:?}");
    drop(tape);
    assert_eq!(shelf.held(), 0);
}

#[test]
fn what_does_not_fit_is_left_and_the_beginning_is_repeated() {
    let huge: Mind = |_, activation| {
        let is_first = activation
            .jobs
            .iter()
            .any(|job| matches!(&job.variant, Some(Job::InitializeWorkflow(_))));
        let what = "x".repeat(if is_first { 10 } else { 1_000_000 });
        Ok((vec![charge(&what)], false))
    };
    let shelf = Shelf::new(ROOM);
    let mut big = run(huge, &shelf);
    let _ = big.activate(activation(vec![init()]));
    let _ = big.activate(activation(vec![signal("go")]));
    let tape = big.take_full_tape().unwrap();
    assert!(shelf.held() < 10_000, "{}", shelf.held());
    assert_eq!(tape.repeat(|| true), Repeated::Same);

    let full = Shelf::new(10);
    let mut none = run(huge, &full);
    let _ = none.activate(activation(vec![init()]));
    assert!(none.take_full_tape().unwrap().is_empty());
    assert_eq!(full.held(), 0);
}

#[test]
fn without_a_tape_nothing_is_kept() {
    let mut scene = crate::scene::Scene::new(Pin::Unwritten);
    scene.commands(vec![init()]);
    assert!(scene.run.take_tape().is_none());
}
