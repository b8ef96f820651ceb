//! How tasks and workflows fail and end, and what is left of the instance.

use super::*;

#[test]
fn what_a_guest_says_of_its_failure_is_kept_whole() {
    let bytes = || rich_failure().encode_to_vec();
    let task_failed = |cause| Completion::TaskFailed {
        failure: bytes(),
        cause,
    };
    type Arrange<'a> = Box<dyn Fn(&Scene) + 'a>;
    let cases: Vec<(&str, Arrange<'_>, WorkflowTaskFailedCause)> = vec![
        (
            "activate",
            Box::new(|scene| scene.script.activate(Err(Fault::Failure(bytes())))),
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        ),
        (
            "poll",
            Box::new(|scene| scene.script.poll(0, Err(Fault::Failure(bytes())))),
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        ),
        (
            "task-failed",
            Box::new(|scene| {
                scene
                    .script
                    .poll(0, Ok(poll(Some(task_failed(None)), false)))
            }),
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        ),
        (
            "task-failed with a cause",
            Box::new(|scene| {
                scene
                    .script
                    .poll(0, Ok(poll(Some(task_failed(Some(24))), false)))
            }),
            WorkflowTaskFailedCause::NonDeterministicError,
        ),
        (
            "task-failed with a cause nobody knows",
            Box::new(|scene| {
                scene
                    .script
                    .poll(0, Ok(poll(Some(task_failed(Some(u32::MAX))), false)))
            }),
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        ),
        (
            "task-failed with a cause that says nothing",
            Box::new(|scene| {
                scene
                    .script
                    .poll(0, Ok(poll(Some(task_failed(Some(0))), false)))
            }),
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        ),
        (
            "a failed signal routine",
            Box::new(|scene| {
                scene.script.activate(Ok(vec![started_signal(1)]));
                let failed = Completion::Signal(Err(bytes()));
                scene.script.poll(1, Ok(poll(Some(failed), true)));
            }),
            WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
        ),
    ];
    for (name, arrange, expected) in cases {
        let mut scene = Scene::begun();
        scene.script.push_early(timer(1));
        arrange(&scene);
        let (failure, cause) = scene.failure(vec![signal("a")]);
        assert_eq!(failure, rich_failure(), "{name}");
        assert_eq!(cause, expected, "{name}");
    }
}

#[test]
fn only_a_terminal_failure_fails_the_workflow() {
    let details = Payloads {
        payloads: vec![json("1")],
    };
    let cases = [
        Terminal::Failed(rich_failure().encode_to_vec()),
        Terminal::Cancelled(Some(details.encode_to_vec())),
        Terminal::Cancelled(None),
        Terminal::Completed(json("2").encode_to_vec()),
    ];
    for terminal in cases {
        let mut scene = Scene::begun();
        scene.script.end(terminal.clone());
        let commands = scene.commands(vec![fire(1)]);
        match (terminal, &commands[..]) {
            (Terminal::Failed(_), [Command::FailWorkflowExecution(it)]) => {
                assert_eq!(it.failure, Some(rich_failure()));
            }
            (Terminal::Cancelled(given), [Command::CancelWorkflowExecution(it)]) => {
                assert_eq!(it.details, given.map(|_| details.clone()));
            }
            (Terminal::Completed(_), [Command::CompleteWorkflowExecution(it)]) => {
                assert_eq!(it.result, Some(json("2")));
            }
            (terminal, commands) => panic!("{terminal:?} became {commands:?}"),
        }
    }
}

#[test]
fn a_trap_leaves_no_instance() {
    let dead = || Fault::Dead {
        code: Code::GuestTrapped,
        message: "panicked at 'no such order', src/lib.rs:7".into(),
    };
    let mut scene = Scene::begun();
    scene.script.poll(0, Err(dead()));
    scene.fails(vec![fire(1)], Code::GuestTrapped, "no such order");
    assert!(matches!(scene.script.calls().last(), Some(Call::Dropped)));
    scene.fails(vec![fire(2)], Code::Internal, "no instance");
    assert!(
        scene.script.calls().is_empty(),
        "the guest is not called again"
    );

    let mut scene = Scene::new(Pin::Unwritten);
    scene.script.instantiate_fails(dead());
    scene.fails(vec![init()], Code::GuestTrapped, "no such order");
}

#[test]
fn an_unknown_workflow_type_fails_the_task() {
    let mut scene = Scene::new(Pin::Unwritten);
    scene
        .script
        .instantiate_fails(Fault::Failure(rich_failure().encode_to_vec()));
    let (failure, cause) = scene.failure(vec![init()]);
    assert_eq!(failure, rich_failure());
    assert_eq!(
        cause,
        WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure
    );
}

#[test]
fn an_eviction_drops_the_instance_and_calls_nothing() {
    let mut scene = Scene::begun();
    assert_eq!(scene.commands(vec![evict()]), vec![]);
    assert!(scene.run.is_dead());
    assert!(matches!(scene.script.calls()[..], [Call::Dropped]));

    let mut unknown = Scene::new(Pin::Unwritten);
    assert_eq!(unknown.commands(vec![evict()]), vec![]);
    assert!(unknown.script.calls().is_empty());

    Scene::begun().fails(vec![fire(1), evict()], Code::Internal, "eviction");
}

#[test]
fn answers_that_do_not_fit_their_jobs_fail_the_task() {
    let fits = [
        (vec![fire(1)], vec![JobResult::None]),
        (vec![signal("a")], vec![JobResult::None]),
    ];
    for (jobs, results) in fits {
        let mut scene = Scene::begun();
        scene.script.activate(Ok(results));
        scene.commands(jobs);
    }
    let query_answer = || JobResult::Query(Ok(vec![]));
    let main = JobResult::Started {
        routine: 1,
        kind: RoutineKind::Main,
    };
    let cases: Vec<(Vec<Job>, Vec<JobResult>)> = vec![
        (vec![fire(1)], vec![]),
        (vec![fire(1)], vec![JobResult::None, JobResult::None]),
        (vec![fire(1)], vec![started_signal(1)]),
        (vec![fire(1)], vec![query_answer()]),
        (vec![signal("a")], vec![started_update(1, "u-1")]),
        (vec![signal("a")], vec![query_answer()]),
        (vec![signal("a")], vec![main]),
        (vec![signal("a")], vec![started_signal(0)]),
        (
            vec![signal("a"), signal("b")],
            vec![started_signal(1), started_signal(1)],
        ),
        (vec![update("u-1")], vec![JobResult::None]),
        (vec![update("u-1")], vec![started_signal(1)]),
        (vec![update("u-1")], vec![started_update(1, "u-2")]),
        (vec![update("u-1")], vec![query_answer()]),
        (vec![query("q")], vec![JobResult::None]),
        (vec![query("q")], vec![JobResult::UpdateRejected(vec![])]),
    ];
    for (jobs, results) in cases {
        let mut scene = Scene::begun();
        scene.script.activate(Ok(results));
        scene.script.push_early(timer(1));
        scene.fails(jobs, Code::GuestMalformed, "the answer to an activation");
    }
}

#[test]
fn completions_that_do_not_fit_their_routines_fail_the_task() {
    let done = |instance: &str| Completion::UpdateCompleted {
        protocol_instance_id: instance.into(),
        value: vec![],
    };
    let rejected = |instance: &str| Completion::UpdateRejected {
        protocol_instance_id: instance.into(),
        failure: vec![],
    };
    let cases: Vec<(u64, Option<Completion>)> = vec![
        (0, None),
        (0, Some(Completion::Signal(Ok(())))),
        (0, Some(done("u-1"))),
        (0, Some(rejected("u-1"))),
        (1, Some(Completion::Blocked)),
        (1, Some(Completion::Terminal(Terminal::Completed(vec![])))),
        (1, Some(done("u-1"))),
        (2, Some(Completion::Signal(Ok(())))),
        (2, Some(done("u-2"))),
        (2, Some(rejected("u-2"))),
    ];
    for (routine, completion) in cases {
        let mut scene = Scene::begun();
        scene
            .script
            .activate(Ok(vec![started_signal(1), started_update(2, "u-1")]));
        scene.script.poll(routine, Ok(poll(completion, true)));
        scene.fails(
            vec![signal("a"), update("u-1")],
            Code::GuestMalformed,
            "a routine's completion",
        );
    }
}

#[test]
fn the_worker_fails_tasks_in_the_same_words() {
    let cause = WorkflowTaskFailedCause::NonDeterministicError;
    let completion = fail_task("r", Code::ComponentMissing, "the release is gone", cause);
    assert_eq!(completion.run_id, "r");
    let (failure, given) = failure_of(completion);
    check_failure(&failure, Code::ComponentMissing, "the release is gone");
    assert_eq!(failure.message, "[component-missing] the release is gone");
    assert_eq!(given, cause);
}
