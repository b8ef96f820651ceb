//! Bytes that cannot be read, at every place where a guest hands some over, and bytes that are nearly right.

use prost::Message as _;
use temporalio_protos::coresdk::workflow_commands::WorkflowCommand;
use tenterhook_domain::Code;
use tenterhook_workflow::guest::Terminal;

use crate::{
    bytes::{places, scene_for},
    scene::*,
};

/// A tag that never ends.
fn garbage() -> Vec<u8> {
    vec![0xff, 0xff]
}

#[test]
fn garbage_fails_the_task_wherever_it_comes_from() {
    for (name, arrange, jobs) in places() {
        let mut scene = scene_for(&jobs);
        arrange(&scene, garbage());
        let (failure, _) = scene.failure(jobs);
        check_failure(&failure, Code::GuestMalformed, "cannot be used");
        assert!(
            failure.message.contains("from the workflow's code"),
            "{name}: {}",
            failure.message
        );
    }
}

#[test]
fn a_command_of_no_kind_fails_the_task() {
    let empty = WorkflowCommand::default().encode_to_vec();
    // Field 900, a varint: what a newer protocol might say.
    let newer = vec![0xa0, 0x38, 0x01];
    for bytes in [empty, newer] {
        let mut scene = Scene::begun();
        scene.script.push_bytes(vec![bytes]);
        scene.fails(vec![fire(1)], Code::GuestMalformed, "no known kind");
    }
}

#[test]
fn a_failure_nested_without_end_fails_the_task() {
    // Field 4 (cause) in field 4 in …: each level two or three bytes longer than what it holds.
    let mut bytes = Vec::new();
    for _ in 0..5_000 {
        let mut outer = vec![0x22];
        prost::encode_length_delimiter(bytes.len(), &mut outer).unwrap();
        outer.append(&mut bytes);
        bytes = outer;
    }
    let mut scene = Scene::begun();
    scene.script.end(Terminal::Failed(bytes));
    scene.fails(vec![fire(1)], Code::GuestMalformed, "recursion");
}
