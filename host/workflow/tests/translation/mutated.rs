//! Bytes by chance, at every place where a guest hands some over: any bytes, and right ones that were changed.

use std::cell::Cell;

use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use prost::Message as _;
use temporalio_protos::coresdk::workflow_commands::{workflow_command::Variant as Command, *};

use crate::{
    bytes::{Fate, feed, places},
    scene::*,
    script::encode,
};

/// Cases of one property.
const CASES: u32 = 4_000;

/// One change to bytes.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index),
    /// A length or number that is written in as many bytes as there are.
    Huge(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        at().prop_map(Change::Cut),
        at().prop_map(Change::Huge),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        let len = bytes.len();
        if len == 0 {
            return bytes;
        }
        match change {
            Change::Set(at, byte) => bytes[at.index(len)] = byte,
            Change::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Change::Insert(at, new) => {
                let at = at.index(len);
                bytes.splice(at..at, new);
            }
            Change::Cut(at) => bytes.truncate(at.index(len)),
            Change::Huge(at) => {
                let at = at.index(len);
                bytes.splice(at..=at, [0xff; 9].into_iter().chain([0x01]));
            }
        }
    }
    bytes
}

/// Right bytes of many kinds.
fn seeds() -> Vec<Vec<u8>> {
    let headers = || [("trace".to_owned(), json("1"))].into();
    let execution = || temporalio_protos::coresdk::common::NamespacedWorkflowExecution {
        namespace: "elsewhere".into(),
        workflow_id: "globex/production/p-9".into(),
        run_id: "r".into(),
    };
    let commands = [
        Command::ScheduleActivity(ScheduleActivity {
            seq: 1,
            activity_type: "Charge".into(),
            arguments: vec![json("1")],
            headers: headers(),
            start_to_close_timeout: Some(Default::default()),
            ..Default::default()
        }),
        Command::ScheduleLocalActivity(ScheduleLocalActivity {
            activity_type: "billing.Charge".into(),
            schedule_to_close_timeout: Some(Default::default()),
            retry_policy: Some(Default::default()),
            ..Default::default()
        }),
        Command::StartChildWorkflowExecution(StartChildWorkflowExecution {
            workflow_id: "c".into(),
            workflow_type: "Child".into(),
            headers: headers(),
            memo: headers(),
            search_attributes: Some(Default::default()),
            ..Default::default()
        }),
        Command::SignalExternalWorkflowExecution(SignalExternalWorkflowExecution {
            target: Some(
                signal_external_workflow_execution::Target::WorkflowExecution(execution()),
            ),
            headers: headers(),
            ..Default::default()
        }),
        Command::RequestCancelExternalWorkflowExecution(RequestCancelExternalWorkflowExecution {
            workflow_execution: Some(execution()),
            ..Default::default()
        }),
        Command::SetPatchMarker(SetPatchMarker {
            patch_id: "tenterhook".into(),
            deprecated: true,
        }),
        Command::UpsertWorkflowSearchAttributes(UpsertWorkflowSearchAttributes {
            search_attributes: Some(
                temporalio_protos::temporal::api::common::v1::SearchAttributes {
                    indexed_fields: [("Tenanu".to_owned(), json("1"))].into(),
                },
            ),
        }),
    ];
    let as_new = ContinueAsNewWorkflowExecution {
        workflow_type: "payment.Refund".into(),
        headers: headers(),
        ..Default::default()
    };
    let mut seeds: Vec<Vec<u8>> = commands.map(encode).into();
    seeds.extend([
        as_new.encode_to_vec(),
        rich_failure().encode_to_vec(),
        json("{\"a\": [1, 2]}").encode_to_vec(),
        Vec::new(),
    ]);
    seeds
}

fn place() -> impl Strategy<Value = u8> {
    0..u8::try_from(places().len()).unwrap()
}

/// Tries many cases. Answers how many were carried, refused by the host, and failures of the guest's own.
fn tried(strategy: impl Strategy<Value = (u8, Vec<u8>)>) -> [u32; 3] {
    let fates = Cell::new([0; 3]);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let tried = runner.run(&strategy, |(place, bytes)| {
        let mut counted = fates.get();
        match feed(place, bytes) {
            Fate::Carried => counted[0] += 1,
            Fate::Refused(_) => counted[1] += 1,
            Fate::GuestFailure => counted[2] += 1,
        }
        fates.set(counted);
        Ok(())
    });
    tried.unwrap();
    fates.get()
}

#[test]
fn any_bytes_are_carried_or_refused_with_a_code() {
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let [_, refused, _] = tried((place(), bytes));
    assert!(refused > CASES / 2, "{refused}");
}

#[test]
fn changed_bytes_are_carried_or_refused_with_a_code() {
    let seed = prop::sample::select(seeds());
    let changes = prop::collection::vec(change(), 0..5);
    let bytes = (seed, changes).prop_map(|(seed, changes)| changed(seed, changes));
    let fates = tried((place(), bytes));
    assert!(fates.iter().all(|count| *count > CASES / 50), "{fates:?}");
}
