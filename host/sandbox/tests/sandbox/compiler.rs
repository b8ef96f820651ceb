//! Components that are too much for the compiler end a child, and nothing else.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tenterhook_domain::{
    Code,
    component::{InspectionContext, Inspector as _},
    grant::Grants,
};
use tenterhook_sandbox::{CompileLimits, CompilerCommand};

use crate::{Place, guest, handmade, inspect::refusal_is, plugin};

/// What this program is called with to be the compiler.
const COMPILER: [&str; 4] = [
    "--exact",
    "compiler::is_the_compiler",
    "--ignored",
    "--quiet",
];

/// Not a test: what the children of the tests below run.
#[test]
#[ignore = "runs in children of other tests"]
fn is_the_compiler() {
    // A person who runs ignored tests gives no socket.
    let _ = tenterhook_sandbox::compile_stdin();
}

pub(crate) fn command(change: impl FnOnce(&mut CompileLimits)) -> CompilerCommand {
    let mut limits = CompileLimits::default();
    change(&mut limits);
    CompilerCommand {
        program: std::env::current_exe().unwrap(),
        arguments: COMPILER.map(Into::into).to_vec(),
        limits,
    }
}

fn place(dir: &TempDir, command: CompilerCommand) -> Place {
    Place::with_compiler(&dir.path().join("aot"), Some(command))
}

/// A function whose blocks the compiler must all hold at once, of some megabytes in a few kilobytes a block.
fn bomb() -> Vec<u8> {
    let mut functions = String::from("(func $bomb (param i32) (result i64) (local i64)\n");
    for number in 0..60_000_u32 {
        let mask = number % 31;
        writeln!(
            functions,
            "(if (i32.and (local.get 0) (i32.shl (i32.const 1) (i32.const {mask}))) (then (local.set 1 \
             (i64.rotl (i64.add (local.get 1) (i64.const {number})) (i64.extend_i32_u (local.get 0))))))"
        )
        .unwrap();
    }
    functions.push_str("(local.get 1))");
    handmade::Workflow {
        list: "(drop (call $bomb (i32.const 0)))",
        functions: &functions,
        ..handmade::Workflow::default()
    }
    .component()
}

async fn check_bomb(change: impl FnOnce(&mut CompileLimits), says: &[&str]) {
    let dir = TempDir::new().unwrap();
    let place = place(&dir, command(change));
    let context = InspectionContext {
        plugin: &plugin("bomb"),
        grants: &Grants::default(),
        current: None,
    };
    let found = place.sandbox.inspect(context, bomb().into(), &|_| {}).await;
    let found = found.unwrap();
    refusal_is(&found, Code::ComponentCompileFailed, says);
    assert_eq!(found.refusal().unwrap().name, "compiles");
    // Nothing of it is kept.
    assert_eq!(
        std::fs::read_dir(dir.path().join("aot")).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn too_much_memory_is_refused() {
    let bytes = 48 * 1024 * 1024;
    let says = ["compile_memory_bytes", &bytes.to_string()];
    check_bomb(|limits| limits.memory_bytes = bytes, &says).await;
}

#[tokio::test]
async fn too_much_processor_time_is_refused() {
    let says = ["compile_cpu_millis", "1000 ms"];
    check_bomb(|limits| limits.cpu_millis = 1_000, &says).await;
}

#[tokio::test]
async fn too_much_time_is_refused() {
    let says = ["compile_millis", "300 ms"];
    check_bomb(|limits| limits.millis = 300, &says).await;
}

#[tokio::test]
async fn a_child_compiles_what_this_process_loads() {
    let dir = TempDir::new().unwrap();
    let bytes = guest("payment");
    let loaded = place(&dir, command(|_| {})).load(&bytes).await;
    assert!(loaded.activities().is_some());
    // What was compiled before needs no child.
    let nothing = CompilerCommand {
        program: PathBuf::from("/nonexistent/compiler"),
        ..command(|_| {})
    };
    let again = place(&dir, nothing).load(&bytes).await;
    assert_eq!(again.digest(), loaded.digest());
}

/// A child that something else ends is no verdict on the component: another one is tried, and then it is the host's
/// fault.
#[tokio::test]
async fn a_child_that_is_killed_is_a_fault_of_the_host() {
    let says = |arguments: [&str; 2]| CompilerCommand {
        program: PathBuf::from("/bin/sh"),
        arguments: arguments.map(Into::into).to_vec(),
        limits: CompileLimits::default(),
    };
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("children");
    let dies = format!("echo >> {}; kill -KILL $$", log.display());
    for (arguments, part, children) in [
        (["-c", dies.as_str()], "ended from outside", 2),
        (["-c", "exit 3"], "exit status: 3", 0),
    ] {
        let _ = std::fs::remove_file(&log);
        let place = place(&dir, says(arguments));
        let context = InspectionContext {
            plugin: &plugin("payment"),
            grants: &Grants::default(),
            current: None,
        };
        let bytes = guest("payment").into();
        let error = place.sandbox.inspect(context, bytes, &|_| {}).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert!(error.detail().contains(part), "{error}");
        let seen = std::fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(seen.lines().count(), children);
    }
}

/// A compiler that has its order, from the process of this number, and waits for the component.
fn ordered(parent: u32) -> (UnixStream, Child) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let order =
        format!(r#"{{"parent":{parent},"kinds":[],"memory_bytes":1073741824,"cpu_millis":1000}}"#);
    for part in [&(order.len() as u64).to_le_bytes()[..], order.as_bytes()] {
        ours.write_all(part).unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(COMPILER)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .spawn();
    (ours, child.unwrap())
}

/// Before it sees a byte of the component it can open nothing any more: no file, and no socket.
#[test]
fn a_compiler_has_no_files_and_no_network() {
    let (ours, mut child) = ordered(std::process::id());
    let limits = format!("/proc/{}/limits", child.id());
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let limits = std::fs::read_to_string(&limits).unwrap();
        let most = |what: &str| {
            let line = limits
                .lines()
                .find_map(|line| line.strip_prefix(what))
                .unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        if most("Max open files") == "0" {
            assert_eq!(most("Max file size"), "0");
            break;
        }
        assert!(Instant::now() < deadline, "it is not bounded:\n{limits}");
    }
    drop(ours);
    child.wait().unwrap();
}

/// The compiler of a host that is gone is gone too, here before it began.
#[test]
fn an_orphan_does_not_compile() {
    let (mut ours, mut child) = ordered(1);
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut answer = Vec::new();
    ours.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty(), "{answer:?}");
}
