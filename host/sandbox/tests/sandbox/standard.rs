//! Everything that Rust's standard library can ask for, asked by a workflow, and what becomes of it.
//!
//! The guest `test-std` has a probe for each. What it imports is read from the component itself: an import without a row
//! in [`IMPORTS`] fails, and so does a probe without one in [`PROBES`].

use std::{collections::BTreeSet, sync::Arc};

use prost::Message as _;
use temporalio_protos::{
    coresdk::workflow_activation::{
        FireTimer, WorkflowActivation, WorkflowActivationJob, workflow_activation_job::Variant,
    },
    temporal::api::common::v1::Payload,
};
use tenterhook_domain::Code;
use tenterhook_workflow::guest::{Completion, Fault, Module, Moment, Terminal};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

use crate::{
    Place, guest, limits, owner,
    workflow::{NOON, init, start},
};

const GUEST: &str = "test-std";

/// What becomes of a probe.
enum Becomes {
    /// It goes on, and saw this.
    Saw(&'static str),
    /// It goes on, and saw something that is the same for the same moment and seed, and only there.
    Seeded,
    /// It goes on, and saw something that is the same each time.
    Same,
    /// The task fails.
    Fails(Code, &'static str),
}

use Becomes::{Fails, Same, Saw, Seeded};

/// What a trap of a call that would block says.
const BLOCKS: Becomes = Fails(Code::GuestCapabilityDenied, "would block");
const OUTSIDE: Becomes = Fails(Code::GuestCapabilityDenied, "may not reach outside");

const PROBES: &[(&str, Becomes)] = &[
    ("args", Saw("0")),
    ("vars", Saw("0")),
    ("var", Saw("error NotPresent")),
    ("current_dir", Saw("\"/\"")),
    ("current_exe", Saw("error Unsupported")),
    ("set_current_dir", Saw("error NotFound")),
    ("system_time", Saw("1700000000.123456789s")),
    ("instant", Saw("0ns")),
    ("sleep", BLOCKS),
    ("sleep_zero", Saw("slept")),
    ("park_timeout", Saw("parked")),
    ("yield_now", Saw("went on")),
    ("spawn", Saw("error Unsupported")),
    ("available_parallelism", Saw("error Unsupported")),
    // It asks again and again whether it is time, and time stands still.
    (
        "recv_timeout",
        Fails(Code::GuestFuelExhausted, "activation_fuel"),
    ),
    ("condvar", BLOCKS),
    ("stdin", Saw("0")),
    ("stdin_line", Saw("0")),
    ("stdout", Saw("ok")),
    ("stderr", Saw("ok")),
    ("terminals", Saw("[false, false, false]")),
    ("hash_state", Seeded),
    ("hash_order", Seeded),
    (
        "exit",
        Fails(Code::GuestTrapped, "ended its own process with status"),
    ),
    ("abort", Fails(Code::GuestTrapped, "")),
    ("panic", Fails(Code::GuestTrapped, "")),
    ("process_id", Fails(Code::GuestTrapped, "unsupported")),
    ("command", Saw("error Unsupported")),
    ("file_open", Saw("error NotFound")),
    ("file_create", Saw("error NotFound")),
    ("file_relative", Saw("error NotFound")),
    ("metadata", Saw("error NotFound")),
    ("read_dir", Saw("error NotFound")),
    ("create_dir", Saw("error NotFound")),
    ("remove_file", Saw("error NotFound")),
    ("remove_dir", Saw("error NotFound")),
    ("rename", Saw("error NotFound")),
    ("hard_link", Saw("error NotFound")),
    ("read_link", Saw("error NotFound")),
    // Without folders it only computes with the path.
    ("canonicalize", Saw("ok")),
    ("tcp_connect", OUTSIDE),
    ("tcp_connect_timeout", OUTSIDE),
    ("tcp_bind", OUTSIDE),
    ("tcp_bind_v6", OUTSIDE),
    ("udp_bind", OUTSIDE),
    ("lookup", OUTSIDE),
    // A number is read, and nobody asked.
    ("lookup_number", Saw("ok")),
    ("pointer", Same),
];

/// How an import is met.
enum Met {
    /// By these probes.
    By(&'static [&'static str]),
    /// By none: nothing hands out what it is called on, for this reason.
    Behind(&'static str),
}

use Met::{Behind, By};

const NO_FOLDERS: &str = "there are no folders, so there is no descriptor to call it on";
const NO_SOCKETS: &str = "making a socket fails the task, so there is none to call it on";

/// `interface#function`; with `*` all that begin so and stand in no row before.
const IMPORTS: &[(&str, Met)] = &[
    (
        "temporal:workflow-runtime/workflow-host#*",
        Behind("Temporal's SDK asks for it, not the standard library: the firewall's table has it"),
    ),
    ("wasi:cli/environment#get-arguments", By(&["args"])),
    ("wasi:cli/environment#get-environment", By(&["vars", "var"])),
    ("wasi:cli/exit#exit", By(&["exit"])),
    ("wasi:cli/stdin#get-stdin", By(&["stdin", "stdin_line"])),
    ("wasi:cli/stdout#get-stdout", By(&["stdout"])),
    ("wasi:cli/stderr#get-stderr", By(&["stderr", "panic"])),
    (
        "wasi:cli/terminal-stdin#get-terminal-stdin",
        By(&["terminals"]),
    ),
    (
        "wasi:cli/terminal-stdout#get-terminal-stdout",
        By(&["terminals"]),
    ),
    (
        "wasi:cli/terminal-stderr#get-terminal-stderr",
        By(&["terminals"]),
    ),
    ("wasi:clocks/monotonic-clock#now", By(&["instant"])),
    (
        "wasi:clocks/monotonic-clock#subscribe-duration",
        By(&["sleep"]),
    ),
    (
        "wasi:clocks/monotonic-clock#subscribe-instant",
        By(&["sleep"]),
    ),
    ("wasi:clocks/wall-clock#now", By(&["system_time"])),
    (
        "wasi:filesystem/preopens#get-directories",
        By(&["file_open", "read_dir"]),
    ),
    ("wasi:filesystem/types#*", Behind(NO_FOLDERS)),
    ("wasi:io/poll#[method]pollable.block", By(&["sleep"])),
    ("wasi:io/poll#poll", By(&["sleep"])),
    (
        "wasi:io/streams#[method]input-stream.*",
        By(&["stdin", "stdin_line"]),
    ),
    (
        "wasi:io/streams#[method]output-stream.*",
        By(&["stdout", "stderr"]),
    ),
    (
        "wasi:random/insecure-seed#insecure-seed",
        By(&["hash_state", "hash_order"]),
    ),
    (
        "wasi:sockets/instance-network#instance-network",
        By(&["tcp_bind", "udp_bind", "lookup"]),
    ),
    (
        "wasi:sockets/ip-name-lookup#resolve-addresses",
        By(&["lookup"]),
    ),
    (
        "wasi:sockets/ip-name-lookup#[method]*",
        Behind("asking for a name fails the task, so there is no answer to read"),
    ),
    (
        "wasi:sockets/tcp-create-socket#create-tcp-socket",
        By(&["tcp_connect", "tcp_bind"]),
    ),
    ("wasi:sockets/tcp#[method]*", Behind(NO_SOCKETS)),
    (
        "wasi:sockets/udp-create-socket#create-udp-socket",
        By(&["udp_bind"]),
    ),
    ("wasi:sockets/udp#[method]*", Behind(NO_SOCKETS)),
];

async fn module(place: &Place) -> Arc<dyn Module> {
    let component = place.load(&guest(GUEST)).await;
    // Fuel ends what spins, whatever else the machine does.
    let limits = limits(|limits| {
        limits.activation_fuel = 100_000_000;
        limits.activation_millis = 60_000;
    });
    component
        .workflows(limits, owner(component.digest()))
        .unwrap()
}

/// What a workflow ends with at once, or how it fails.
fn run(module: &Arc<dyn Module>, kind: &str, input: &str, moment: Moment) -> Result<String, Fault> {
    let mut instance = module.instantiate(&init(kind, input), moment)?;
    instance.activate(&start(), moment)?;
    let poll = instance.poll_routine(0)?;
    assert!(instance.take_commands().is_empty());
    Ok(result(poll.completion))
}

fn result(completion: Option<Completion>) -> String {
    let Some(Completion::Terminal(Terminal::Completed(payload))) = completion else {
        panic!("{completion:?}")
    };
    String::from_utf8(Payload::decode(&payload[..]).unwrap().data).unwrap()
}

/// What the probe of `name` saw, or how the task failed.
fn probe(module: &Arc<dyn Module>, name: &str, moment: Moment) -> Result<String, (Code, String)> {
    match run(module, "Probe", &format!("{name:?}"), moment) {
        Ok(json) => Ok(serde_json::from_str(&json).unwrap()),
        Err(Fault::Dead { code, message }) => Err((code, message)),
        Err(fault) => panic!("{name}: {fault:?}"),
    }
}

#[tokio::test]
async fn each_probe_becomes_what_is_stated_each_time() {
    let place = Place::new();
    let module = module(&place).await;
    let known: Vec<String> =
        serde_json::from_str(&run(&module, "Names", "null", NOON).unwrap()).unwrap();
    let stated: Vec<&str> = PROBES.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, stated, "probes and rows");
    let reseeded = Moment { seed: 43, ..NOON };
    let mut wrong = Vec::new();
    for (name, becomes) in PROBES {
        let (first, again) = (probe(&module, name, NOON), probe(&module, name, NOON));
        let replayed = Moment {
            replaying: true,
            ..NOON
        };
        let replayed = probe(&module, name, replayed);
        let other = probe(&module, name, reseeded);
        let right = match (becomes, &first) {
            (Saw(text), Ok(seen)) => seen == text && other == first,
            (Seeded, Ok(_)) => other != first,
            (Same, Ok(_)) => other == first,
            (Fails(code, part), Err((failed, message))) => failed == code && message.contains(part),
            _ => false,
        };
        if !right || first != again || first != replayed {
            wrong.push(format!("{name}: {first:?}, {again:?}, {other:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn clocks_move_with_history_alone() {
    let place = Place::new();
    let module = module(&place).await;
    let mut instance = module.instantiate(&init("Elapsed", "null"), NOON).unwrap();
    instance.activate(&start(), NOON).unwrap();
    let waits = instance.poll_routine(0).unwrap().completion;
    assert_eq!(waits, Some(Completion::Blocked));
    assert_eq!(instance.take_commands().len(), 1);
    let later = Moment {
        time_nanos: NOON.time_nanos + 1_000_000_007,
        ..NOON
    };
    let mut fired = WorkflowActivationJob::default();
    fired.variant = Some(Variant::FireTimer(FireTimer { seq: 1 }));
    let mut activation = WorkflowActivation::default();
    activation.jobs.push(fired);
    instance
        .activate(&activation.encode_to_vec(), later)
        .unwrap();
    let spans = result(instance.poll_routine(0).unwrap().completion);
    assert_eq!(spans, "[0,1000000007,1000000007]");
}

/// `interface#function` of everything that a component imports, without versions.
fn imports(component: &[u8]) -> BTreeSet<String> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("a component")
    };
    let mut found = BTreeSet::new();
    for item in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = item else {
            panic!("a guest imports interfaces alone: {item:?}")
        };
        let name = resolve.id_of(*id).unwrap();
        let name = name.split('@').next().unwrap();
        for function in resolve.interfaces[*id].functions.keys() {
            found.insert(format!("{name}#{function}"));
        }
    }
    found
}

#[test]
fn each_import_is_met_by_a_probe_or_stands_behind_one() {
    let probes: BTreeSet<&str> = PROBES.iter().map(|(name, _)| *name).collect();
    let imports = imports(&guest(GUEST));
    let mut used = BTreeSet::new();
    let mut unmet = Vec::new();
    for import in &imports {
        let row = IMPORTS
            .iter()
            .find(|(pattern, _)| match pattern.strip_suffix('*') {
                Some(start) => import.starts_with(start),
                None => import == pattern,
            });
        match row {
            Some((pattern, Met::By(by))) => {
                assert!(
                    !by.is_empty() && by.iter().all(|name| probes.contains(name)),
                    "{pattern}"
                );
                used.insert(*pattern);
            }
            Some((pattern, Met::Behind(why))) => {
                assert!(!why.is_empty());
                used.insert(*pattern);
            }
            None => unmet.push(import.as_str()),
        }
    }
    assert!(unmet.is_empty(), "no row for\n{}", unmet.join("\n"));
    let idle: Vec<_> = IMPORTS
        .iter()
        .filter(|(pattern, _)| !used.contains(pattern))
        .collect();
    assert!(
        idle.is_empty(),
        "rows of imports that are not there: {}",
        idle.len()
    );
}
