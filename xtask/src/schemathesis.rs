//! The API against its own document: schemathesis, from PyPI, against a running host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::step;
use crate::workspace::Workspace;

/// The release that `tests/schemathesis.toml` is written for.
const VERSION: &str = "4.32.5";
/// What it is told, under the root.
const CONFIG: &str = "tests/schemathesis.toml";
/// What it has to know to send a component, under the root.
const HOOKS: &str = "tests/schemathesis_hooks.py";
/// Requests made up for one operation in one phase, at most.
const EXAMPLES_MAX: &str = "25";
/// How long the run over all operations takes, in seconds: it makes requests up until then.
const SECONDS: &str = "180";
/// The same of the run over the one operation that is tried alone.
const SECONDS_ALONE: &str = "20";
/// Where the search for requests begins, so that each run makes up the same ones.
const SEED: &str = "4";
/// The operation that could take away the token that the run itself shows. It is tried without the ids that other
/// operations answer.
const DESTRUCTIVE: &str = "DeleteToken";
/// How long the host may take to start.
const START_MAX: Duration = Duration::from_secs(60);
/// How often its address file is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The plugin that the run talks about; a component of `plugins/`.
const PLUGIN: &str = "payment";

/// Starts a host, furnishes it, and lets schemathesis find what does not hold. The host, the guests and Temporal's
/// program are built and there.
///
/// # Errors
/// What schemathesis found is told on its output; the error says that there is something.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let program = ensure(workspace)?;
    let host = Host::start(workspace)?;
    host.furnish(workspace)?;
    let all = ["--exclude-operation-id", DESTRUCTIVE];
    let destructive = [
        "--include-operation-id",
        DESTRUCTIVE,
        "--phases",
        "examples,coverage,fuzzing",
    ];
    for (arguments, seconds) in [(&all[..], SECONDS), (&destructive[..], SECONDS_ALONE)] {
        let mut schemathesis = Command::new(&program);
        schemathesis
            .arg("--config-file")
            .arg(workspace.root.join(CONFIG))
            .arg("run")
            .arg(format!("{}/v1/openapi.json", host.url))
            .args(["--header", &format!("Authorization: Bearer {}", host.token)])
            .args(["--max-examples", EXAMPLES_MAX, "--seed", SEED])
            .args(["--max-time", seconds, "--workers", "1"])
            .args(["--request-timeout", "30", "--warnings", "off"])
            .args(arguments)
            .env("SCHEMATHESIS_HOOKS", workspace.root.join(HOOKS))
            .current_dir(host.folder());
        // Told when it is over: what runs beside it tells its own.
        let report = host.folder().join("report");
        let file = fs::File::create(&report).context("cannot make a file for the report")?;
        let errors = file.try_clone().context("cannot share a file")?;
        schemathesis.stdout(file).stderr(errors);
        let held = step::run_silent("hold the API against its document", &mut schemathesis);
        println!("{}", fs::read_to_string(&report).unwrap_or_default());
        held?;
    }
    Ok(())
}

/// The pinned schemathesis in the cache, installed once.
fn ensure(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let root = workspace
        .cache
        .join("tools")
        .join(format!("schemathesis-{VERSION}"));
    let program = root.join("bin/schemathesis");
    let is_pinned = || {
        let version = step::answer(Command::new(&program).arg("--version"));
        version.is_some_and(|version| version.ends_with(VERSION))
    };
    if is_pinned() {
        return Ok(program);
    }
    let mut python = Command::new("python3");
    step::run(
        "make a Python environment for schemathesis (Debian: apt install python3-venv)",
        python.args(["-m", "venv", "--clear"]).arg(&root),
    )?;
    let mut pip = Command::new(root.join("bin/pip"));
    step::run(
        &format!("install schemathesis {VERSION} from PyPI: it tries the API (once)"),
        pip.args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("schemathesis=={VERSION}")),
    )?;
    ensure!(is_pinned(), "{} does not run", program.display());
    Ok(program)
}

/// A host in a folder of its own, which ends with this value.
struct Host {
    child: Child,
    program: PathBuf,
    folder: PathBuf,
    url: String,
    token: String,
}

impl Host {
    fn start(workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("tenterhook-api-{}", std::process::id()));
        fs::create_dir_all(&folder).context("cannot make a folder for the host")?;
        let program = workspace.binary("tenterhook");
        let log = fs::File::create(folder.join("log")).context("cannot make the host's log")?;
        let child = Command::new(&program)
            .args(["dev", "--listen", "127.0.0.1:0"])
            .current_dir(&folder)
            .env_remove(crate::temporal::ADDRESS)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start the host")?;
        let mut host = Self {
            child,
            program,
            folder,
            url: String::new(),
            token: String::new(),
        };
        host.await_address()?;
        Ok(host)
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address file is there once the host answers.
    fn await_address(&mut self) -> anyhow::Result<()> {
        let data = self.folder.join(".tenterhook");
        let until = Instant::now() + START_MAX;
        while Instant::now() < until {
            if let Ok(url) = fs::read_to_string(data.join("api-address")) {
                self.url = url.trim().to_owned();
                let token = fs::read_to_string(data.join("admin-token"));
                self.token = token.context("the host has no token")?.trim().to_owned();
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("cannot look at the host")? {
                bail!("the host ended ({status}):\n{}", self.log());
            }
            thread::sleep(LOOK_EVERY);
        }
        bail!("the host did not start:\n{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A scope, a plugin in it and an execution of that, so that there is something to talk about.
    fn furnish(&self, workspace: &Workspace) -> anyhow::Result<()> {
        let component = workspace.guests_folder().join(format!("{PLUGIN}.wasm"));
        let component = component.to_string_lossy();
        for command in [
            vec!["tenant", "put", "acme"],
            vec!["environment", "put", "production", "--tenant", "acme"],
            vec![
                "plugin",
                "push",
                &component,
                "--tenant",
                "acme",
                "--environment",
                "production",
            ],
        ] {
            let mut run = Command::new(&self.program);
            run.args(command)
                .current_dir(&self.folder)
                .stdout(Stdio::null());
            step::run("furnish the host", &mut run)?;
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It stops in order when it is asked to; the Temporal server goes with it in any case.
        let mut kill = Command::new("kill");
        let asked = kill.arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
