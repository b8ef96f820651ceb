//! The rules of driving a guest, and the pin.

mod failing;
mod pin;

use prost::Message as _;
use temporalio_protos::{
    coresdk::{
        workflow_activation::{UpdateRandomSeed, workflow_activation_job::Variant as Job},
        workflow_commands::{
            StartTimer, query_result, update_response::Response,
            workflow_command::Variant as Command,
        },
        workflow_completion::workflow_activation_completion::Status,
    },
    temporal::api::{
        common::v1::Payloads, enums::v1::WorkflowTaskFailedCause, failure::v1::Failure,
    },
};
use tenterhook_domain::{Code, Digest, limit::Limits};
use tenterhook_workflow::{
    MOVES_MAX, Pin, ReleasePin, announced_pin, fail_task,
    guest::{Completion, Fault, JobResult, PendingState, RoutineKind, Terminal},
};

use crate::{
    scene::*,
    script::{Call, poll},
};

fn timer(seq: u32) -> Command {
    Command::StartTimer(StartTimer {
        seq,
        start_to_fire_timeout: None,
    })
}

fn started_signal(routine: u64) -> JobResult {
    JobResult::Started {
        routine,
        kind: RoutineKind::Signal("nudge".into()),
    }
}

fn started_update(routine: u64, instance: &str) -> JobResult {
    JobResult::Started {
        routine,
        kind: RoutineKind::Update {
            name: "cancel".into(),
            update_id: "u".into(),
            protocol_instance_id: instance.into(),
        },
    }
}

/// `Accepted u-1`, `StartTimer 3`, …: what a completion says, in order.
fn words(commands: &[Command]) -> Vec<String> {
    let word = |command: &Command| match command {
        Command::UpdateResponse(it) => match &it.response {
            Some(Response::Accepted(())) => format!("accepted {}", it.protocol_instance_id),
            Some(Response::Rejected(_)) => format!("rejected {}", it.protocol_instance_id),
            Some(Response::Completed(_)) => format!("completed {}", it.protocol_instance_id),
            None => "no response".into(),
        },
        Command::RespondToQuery(it) => match &it.variant {
            Some(query_result::Variant::Succeeded(_)) => format!("answered {}", it.query_id),
            Some(query_result::Variant::Failed(_)) => format!("not answered {}", it.query_id),
            None => "no answer".into(),
        },
        Command::StartTimer(it) => format!("timer {}", it.seq),
        Command::SetPatchMarker(it) => format!("patch {}", it.patch_id),
        Command::CompleteWorkflowExecution(_) => "end".into(),
        other => format!("{other:?}"),
    };
    commands.iter().map(word).collect()
}

fn polls(calls: &[Call]) -> Vec<u64> {
    let poll = |call: &Call| match call {
        Call::Poll(routine) => Some(*routine),
        _ => None,
    };
    calls.iter().filter_map(poll).collect()
}

#[test]
fn jobs_keep_their_order_and_go_in_one_call() {
    let mut scene = Scene::begun();
    let jobs = vec![fire(2), signal("b"), fire(1), signal("a"), patch("mine")];
    scene.commands(jobs.clone());
    let calls = scene.script.calls();
    let activations: Vec<_> = calls
        .iter()
        .filter_map(|call| match call {
            Call::Activate(activation, _) => Some(&activation.jobs),
            _ => None,
        })
        .collect();
    let [given] = activations[..] else {
        panic!("one call for all jobs: {calls:?}")
    };
    let given: Vec<Job> = given.iter().filter_map(|job| job.variant.clone()).collect();
    assert_eq!(given, jobs);
}

#[test]
fn the_first_job_goes_to_instantiate_and_is_blank_in_activate() {
    let mut scene = Scene::new(Pin::Written);
    scene.commands(vec![init(), signal("early")]);
    let calls = scene.script.calls();
    let [
        Call::Instantiate(start, born),
        Call::Activate(activation, moment),
        ..,
    ] = &calls[..]
    else {
        panic!("{calls:?}")
    };
    assert_eq!(start.arguments, vec![json("41")]);
    assert_eq!(start.workflow_type, "ProcessPayment");
    let blank = Job::InitializeWorkflow(Default::default());
    assert_eq!(activation.jobs[0].variant, Some(blank));
    assert_eq!(activation.jobs[1].variant, Some(signal("early")));
    assert_eq!(born, moment);
    assert_eq!(moment.time_nanos, 1_700_000_000_123_000_000);
    assert_eq!((moment.seed, moment.replaying), (5, false));
}

#[test]
fn seeds_replace_one_another_and_time_stands_still_without_a_timestamp() {
    let mut scene = Scene::new(Pin::Written);
    let seed = Job::UpdateRandomSeed(UpdateRandomSeed {
        randomness_seed: 77,
    });
    scene.commands(vec![init(), seed]);
    let mut untimed = activation(vec![fire(1)]);
    untimed.timestamp = None;
    untimed.is_replaying = true;
    scene.run.activate(untimed);
    let mut asked = activation(vec![query("q")]);
    asked.is_replaying = true;
    scene
        .script
        .activate(Ok(vec![JobResult::Query(Ok(vec![]))]));
    scene.run.activate(asked);
    let calls = scene.script.calls();
    let moments: Vec<_> = calls
        .iter()
        .filter_map(|call| match call {
            Call::Activate(_, moment) | Call::Instantiate(_, moment) => Some(*moment),
            _ => None,
        })
        .collect();
    let seeds: Vec<_> = moments.iter().map(|moment| moment.seed).collect();
    assert_eq!(seeds, [5, 77, 77, 77]);
    let replaying: Vec<_> = moments.iter().map(|moment| moment.replaying).collect();
    assert_eq!(
        replaying,
        [false, false, true, false],
        "a query is asked once"
    );
    assert!(
        moments
            .iter()
            .all(|moment| moment.time_nanos == 1_700_000_000_123_000_000)
    );
}

#[test]
fn queries_alone_poll_nothing() {
    let mut scene = Scene::begun();
    scene.script.activate(Ok(vec![
        JobResult::Query(Ok(json("1").encode_to_vec())),
        JobResult::Query(Err(rich_failure().encode_to_vec())),
    ]));
    let commands = scene.commands(vec![query("q-1"), query("q-2")]);
    assert_eq!(words(&commands), ["answered q-1", "not answered q-2"]);
    let Command::RespondToQuery(answer) = &commands[1] else {
        unreachable!()
    };
    assert_eq!(
        answer.variant,
        Some(query_result::Variant::Failed(rich_failure()))
    );
    assert_eq!(polls(&scene.script.calls()), Vec::<u64>::new());
}

#[test]
fn a_query_pushes_no_commands() {
    let mut scene = Scene::begun();
    scene
        .script
        .activate(Ok(vec![JobResult::Query(Ok(vec![]))]));
    scene.script.push_early(timer(1));
    scene.fails(
        vec![query("q")],
        Code::CommandRefused,
        "a query may only read",
    );
}

#[test]
fn an_update_is_rejected_by_its_validator() {
    let mut scene = Scene::begun();
    let answer = JobResult::UpdateRejected(rich_failure().encode_to_vec());
    scene.script.activate(Ok(vec![answer]));
    let commands = scene.commands(vec![update("u-1")]);
    let [Command::UpdateResponse(response)] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(response.response, Some(Response::Rejected(rich_failure())));
}

#[test]
fn an_update_is_accepted_at_once_and_settled_when_its_routine_ends() {
    for rejects in [false, true] {
        let mut scene = Scene::begun();
        scene.script.activate(Ok(vec![started_update(4, "u-1")]));
        assert_eq!(
            words(&scene.commands(vec![update("u-1")])),
            ["accepted u-1"]
        );
        let completion = match rejects {
            false => Completion::UpdateCompleted {
                protocol_instance_id: "u-1".into(),
                value: json("7").encode_to_vec(),
            },
            true => Completion::UpdateRejected {
                protocol_instance_id: "u-1".into(),
                failure: rich_failure().encode_to_vec(),
            },
        };
        scene.script.poll(4, Ok(poll(Some(completion), true)));
        let commands = scene.commands(vec![fire(1)]);
        let [Command::UpdateResponse(response)] = &commands[..] else {
            panic!("{commands:?}")
        };
        let expected = match rejects {
            false => Response::Completed(json("7")),
            true => Response::Rejected(rich_failure()),
        };
        assert_eq!(response.response, Some(expected));
        scene.script.calls();
        scene.commands(vec![fire(2)]);
        assert_eq!(
            polls(&scene.script.calls()),
            [0],
            "an ended routine is not polled"
        );
    }
}

#[test]
fn routines_are_polled_in_start_order_then_main_until_none_moves() {
    let mut scene = Scene::begun();
    scene.script.activate(Ok(vec![
        started_signal(9),
        started_update(3, "u-1"),
        started_signal(5),
    ]));
    scene.script.poll(9, Ok(poll(None, false)));
    scene.script.poll(3, Ok(poll(None, true)));
    scene
        .script
        .poll(5, Ok(poll(Some(Completion::Signal(Ok(()))), false)));
    scene.commands(vec![signal("a"), update("u-1"), signal("b")]);
    assert_eq!(polls(&scene.script.calls()), [9, 3, 5, 0, 9, 3, 0]);
}

#[test]
fn polling_stops_when_the_workflow_ends() {
    let mut scene = Scene::begun();
    scene.script.activate(Ok(vec![started_signal(1)]));
    scene.script.poll(1, Ok(poll(None, true)));
    scene
        .script
        .end(Terminal::Completed(json("1").encode_to_vec()));
    assert_eq!(words(&scene.commands(vec![signal("a")])), ["end"]);
    assert_eq!(polls(&scene.script.calls()), [1, 0]);
    assert!(
        !scene.run.is_dead(),
        "an ended workflow still answers queries"
    );
}

#[test]
fn an_interceptor_that_waits_for_nothing_is_not_deterministic() {
    let cases = [
        (PendingState::Interceptor, false, true),
        (PendingState::Interceptor, true, false),
        (PendingState::InterceptorWithActivation, false, false),
        (PendingState::Handler, false, false),
    ];
    for (pending, made_progress, fails) in cases {
        let mut scene = Scene::begun();
        let mut answer = poll(Some(Completion::Blocked), made_progress);
        answer.pending = Some(pending);
        scene.script.poll(0, Ok(answer));
        if fails {
            let (failure, cause) = scene.failure(vec![fire(1)]);
            check_failure(&failure, Code::NonDeterministic, "interceptor");
            assert_eq!(cause, WorkflowTaskFailedCause::NonDeterministicError);
        } else {
            assert_eq!(scene.commands(vec![fire(1)]), vec![], "{pending:?}");
        }
    }
}

#[test]
fn responses_come_first_then_commands_then_the_end() {
    let mut scene = Scene::new(Pin::Unwritten);
    scene.script.activate(Ok(vec![
        JobResult::None,
        started_update(1, "u-1"),
        JobResult::UpdateRejected(Failure::default().encode_to_vec()),
    ]));
    scene.script.push_early(timer(1));
    let completed = Completion::UpdateCompleted {
        protocol_instance_id: "u-1".into(),
        value: vec![],
    };
    scene.script.poll(1, Ok(poll(None, true)));
    scene.script.push(timer(2));
    scene.script.poll(1, Ok(poll(Some(completed), true)));
    scene.script.end(Terminal::Completed(vec![]));
    let commands = scene.commands(vec![init(), update("u-1"), update("u-2")]);
    assert_eq!(
        words(&commands),
        [
            &format!("patch {}", marker()),
            "accepted u-1",
            "rejected u-2",
            "completed u-1",
            "timer 1",
            "timer 2",
            "end",
        ]
    );
}

#[test]
fn what_the_workflow_says_of_itself_is_readable() {
    let mut scene = Scene::begun();
    assert_eq!(scene.run.current_details(), None);
    scene.script.details("waits for the bank");
    scene.commands(vec![fire(1)]);
    assert_eq!(scene.run.current_details(), Some("waits for the bank"));
    assert_eq!(scene.run.memory_bytes(), 65_536);
}
