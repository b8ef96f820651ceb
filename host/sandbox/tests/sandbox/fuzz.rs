//! Components by chance: arbitrary ones, arbitrary code in the frame of a plugin, and real ones with broken bytes.
//! Whatever comes is answered: with a coded refusal, a coded fault, or a result. A panic, an abort, a hang and a leak are
//! the host's faults.
//!
//! All of it happens in a process of its own, so that an abort is seen and what is held can be measured. What once showed
//! a fault, and one of each kind, stands in `tests/corpus` and is tried first.

#![allow(
    clippy::print_stdout,
    reason = "the process of its own says how far it is"
)]

mod footprint;
mod input;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{BufRead as _, BufReader},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tenterhook_domain::{
    Code, Digest,
    component::{CompiledCode as _, InspectionContext, Inspector as _},
    grant::Grants,
    limit::LimitOverrides,
    memory::InstanceMemory as _,
};
use tenterhook_workflow::guest::Fault;

use self::{footprint::Footprint, input::Source};
use crate::{
    Place, handmade, limits, owner, plugin,
    workflow::{NOON, init, start},
};

/// Inputs of one run.
const INPUTS: u64 = 10_000;
/// After so many everything is warm, and no more is held than then.
const WARM: u64 = 5_000;
/// Inputs that are tried side by side.
const AT_ONCE: u64 = 2;
/// How often the process says how far it is.
const STEP: u64 = 100;
/// It may be silent for so long on a busy machine before it counts as a hang.
const HANG: Duration = Duration::from_secs(240);
/// What a guest may use: enough to do something, too little to take long.
const FUEL: u64 = 1_000_000;
const MILLIS: u64 = 100;
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");

/// What became of one input.
#[derive(Debug, PartialEq, Eq, Hash)]
struct End {
    /// The code by which its push was refused, or `passed`.
    push: String,
    /// The code by which it did not load or its run died, or `loaded`, `failed` or `ran`.
    run: String,
}

/// Uploads, compiles, instantiates and runs `bytes`.
async fn run(place: &Place, bytes: Vec<u8>) -> End {
    let bytes = Bytes::from(bytes);
    let digest = Digest::of(&bytes);
    let push = push(place, bytes.clone()).await;
    let run = match place.sandbox.load(digest, async { Ok(bytes) }).await {
        Ok(component) => {
            let limits = limits(|limits| {
                limits.activation_fuel = FUEL;
                limits.activation_millis = MILLIS;
            });
            match component.workflows(limits, owner(digest)) {
                Some(module) => begin(&*module),
                None => "loaded".to_owned(),
            }
        }
        Err(error) => {
            let code = error.code();
            assert!(code.as_str().starts_with("component-"), "{code}: {error}");
            assert!(!error.detail().is_empty(), "{code} without a word");
            code.to_string()
        }
    };
    place.sandbox.forget(&digest);
    End { push, run }
}

/// Whatever is refused has a code, and says why.
async fn push(place: &Place, bytes: Bytes) -> String {
    let set = [("activation_fuel", FUEL), ("activation_millis", MILLIS)];
    let set = set.map(|(name, value)| (name.to_owned(), value));
    let grants = Grants {
        limits: LimitOverrides(set.into()),
        ..Grants::default()
    };
    let context = InspectionContext {
        plugin: &plugin("payment"),
        grants: &grants,
        current: None,
    };
    let found = place.sandbox.inspect(context, bytes, &|_| {}).await;
    let found = found.unwrap();
    let Some(refusal) = found.refusal() else {
        return "passed".to_owned();
    };
    assert!(!refusal.detail.is_empty(), "{refusal:?}");
    let code = refusal.code.as_deref().and_then(Code::of_text);
    let code = code.unwrap_or_else(|| panic!("no code of ours: {refusal:?}"));
    code.to_string()
}

fn begin(module: &dyn tenterhook_workflow::guest::Module) -> String {
    let done = (|| {
        let mut instance = module.instantiate(&init("Any", "null"), NOON)?;
        instance.activate(&start(), NOON)?;
        instance.poll_routine(0)
    })();
    match done {
        Err(Fault::Dead { code, message }) => {
            assert!(code != Code::Internal && message.len() > code.as_str().len());
            code.to_string()
        }
        Err(Fault::Failure(_)) => "failed".to_owned(),
        Ok(_) => "ran".to_owned(),
    }
}

/// The process that inputs are tried in.
struct Trial {
    folder: tempfile::TempDir,
    place: Place,
    source: Source,
    /// Inputs that come twice are tried once, for what is compiled of one is thrown away at its end.
    known: Mutex<HashSet<Digest>>,
    ends: Mutex<BTreeMap<String, u64>>,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            place: Place::at(&folder.path().join("compiled")),
            folder,
            source: Source::new(),
            known: Mutex::default(),
            ends: Mutex::default(),
        }
    }

    /// What stands in the corpus ends as its name says.
    async fn replay(&self) {
        let mut files: Vec<_> = fs::read_dir(CORPUS)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 10, "the corpus is kept: {files:?}");
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let expected = name.split('.').next().unwrap();
            let end = run(&self.place, kept(&file)).await;
            assert!(
                [&end.push, &end.run].contains(&&expected.to_owned()),
                "{name}: {end:?}"
            );
        }
        self.check_nothing_held();
    }

    /// Tries the inputs of `numbers`, some at once.
    async fn all(self: &Arc<Self>, numbers: std::ops::Range<u64>) {
        let next = Arc::new(AtomicU64::new(numbers.start));
        let workers = (0..AT_ONCE).map(|worker| {
            let (trial, next, end) = (self.clone(), next.clone(), numbers.end);
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    if number.is_multiple_of(STEP) {
                        println!("input {number}");
                    }
                    trial.one(number, worker).await;
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        self.check_nothing_held();
    }

    async fn one(&self, number: u64, worker: u64) {
        let input = self.source.input(number);
        if !self.known.lock().unwrap().insert(Digest::of(&input)) {
            return self.count(&["again"]);
        }
        let under_way = under_way(std::process::id(), worker);
        fs::write(&under_way, &input).unwrap();
        let answered = AssertUnwindSafe(run(&self.place, input))
            .catch_unwind()
            .await;
        let End { push, run } = answered.unwrap_or_else(|_| panic!("input {number} panics"));
        self.count(&[&format!("push {push}"), &format!("run {run}")]);
        fs::remove_file(&under_way).unwrap();
    }

    fn count(&self, ends: &[&str]) {
        let mut counted = self.ends.lock().unwrap();
        for end in ends {
            *counted.entry((*end).to_owned()).or_default() += 1;
        }
    }

    /// While nothing is tried, no instance is alive and no compiled code is kept.
    fn check_nothing_held(&self) {
        let reading = self.place.sandbox.memory().reading();
        assert_eq!(
            (reading.bytes, reading.is_short),
            (0, false),
            "instances are alive"
        );
        assert_eq!(self.place.sandbox.held(), [], "compiled code is held");
        let left = fs::read_dir(self.folder.path().join("compiled")).unwrap();
        let left: Vec<_> = left.map(|file| file.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// It shows something only where all depths are reached.
    fn check_depths(&self) {
        let ends = self.ends.lock().unwrap();
        println!("{ends:#?}");
        let number = |end: &str| ends.get(end).copied().unwrap_or_default();
        for (end, least) in [
            ("push component-invalid", 1_000),
            ("push component-is-core-module", 300),
            ("push component-export-invalid", 50),
            ("push component-import-unknown", 50),
            ("push component-metadata-invalid", 500),
            ("push passed", 50),
            ("run guest-trapped", 1_000),
            ("run guest-fuel-exhausted", 50),
            ("run loaded", 50),
            ("run ran", 5),
        ] {
            assert!(number(end) >= least, "too few of {end}: {ends:#?}");
        }
        let all: u64 = ends
            .iter()
            .filter(|(end, _)| !end.starts_with("push"))
            .map(|(_, number)| number)
            .sum();
        assert_eq!(all, INPUTS);
    }
}

/// The input that `file` of the corpus is: bytes, a component in WAT, or what `activate` does in the frame of a plugin.
fn kept(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).unwrap();
    let text = || str::from_utf8(&bytes).unwrap();
    match file.extension().unwrap().to_str().unwrap() {
        "wat" => wat::parse_str(text()).unwrap(),
        "activate" => handmade::Workflow {
            activate: text(),
            ..handmade::Workflow::default()
        }
        .component(),
        "wasm" => bytes,
        other => panic!("{other} is no kind of input"),
    }
}

/// Where the input lies that a worker of a process tries now.
fn under_way(process: u32, worker: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.join(format!("fuzz-{process}-{worker}.wasm"))
}

/// Not a test: what the process of its own does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs in a process of its own, which the test below starts"]
async fn is_the_process_of_its_own() {
    let trial = Arc::new(Trial::new());
    trial.replay().await;
    trial.all(0..WARM).await;
    let warm = Footprint::now();
    trial.all(WARM..INPUTS).await;
    let end = Footprint::now();
    println!("{warm:?}, then {end:?}");
    end.check_no_more_than(warm);
    trial.check_depths();
}

#[test]
fn whatever_is_uploaded_is_answered() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "fuzz::is_the_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = process.id();
    let (sender, said) = channel();
    let output = BufReader::new(process.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        for line in output.lines() {
            // Nobody listens any more once it counts as a hang.
            let _ = sender.send(line.unwrap());
        }
    });
    let hint = format!(
        "what it tried is in {} and beside it: put what shows the fault into {CORPUS}",
        under_way(id, 0).display()
    );
    let mut lines = Vec::new();
    loop {
        match said.recv_timeout(HANG) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                process.kill().unwrap();
                process.wait().unwrap();
                panic!("it hangs after {:?}; {hint}", lines.last());
            }
        }
    }
    reader.join().unwrap();
    let status = process.wait().unwrap();
    let last = lines[lines.len().saturating_sub(5)..].join("\n");
    assert!(status.success(), "{status} after\n{last}\n{hint}");
}
