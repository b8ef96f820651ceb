//! A real host for tests, the demo and the benches: `tenterhook dev` as a process of its own, on free ports and
//! a data folder of its own, talked to over HTTP like any client would.

mod api;
mod fleet;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

pub use self::{
    api::{Answer, Api, World},
    fleet::Fleet,
};

/// How long a host may take until it answers; the embedded Temporal server starts within.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between two looks at something only another process can tell.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where cargo put the workspace's programs: beside the one that runs.
///
/// # Panics
/// When the running program has no path.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let debug = program
        .ancestors()
        .find(|folder| folder.join("deps").is_dir() && !folder.ends_with("deps"));
    debug
        .and_then(Path::parent)
        .expect("the program runs from cargo's target folder")
        .to_owned()
}

/// The bytes of a guest that `cargo xtask guests` built, or, `NAME-measured`, `cargo xtask bench`.
///
/// # Errors
/// When it is not there, with the command that builds it.
pub fn guest(name: &str) -> anyhow::Result<Vec<u8>> {
    let file = target_dir().join("guests").join(format!("{name}.wasm"));
    std::fs::read(&file).with_context(|| {
        let file = file.display();
        format!("{file} is not there: run `cargo xtask guests` (`bench` for one that is measured)")
    })
}

/// How a host is started, and started again.
#[derive(Debug)]
struct Launch {
    command: &'static str,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

/// A host as a process. Dropping it kills it, and with it its Temporal server.
#[derive(Debug)]
pub struct Host {
    child: Child,
    data_dir: PathBuf,
    launch: Launch,
    /// Its API, as its administrator.
    pub api: Api,
}

impl Host {
    /// Starts `tenterhook dev` on `data_dir` and waits until it is ready.
    ///
    /// # Errors
    /// When it ends, or does not get ready in time; its log is in the data folder.
    pub async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(data_dir, &[]).await
    }

    /// The same, with further arguments of `tenterhook dev`.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn start_with(data_dir: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        let launch = Launch {
            command: "dev",
            arguments,
            variables: Vec::new(),
        };
        Self::launch(data_dir, launch).await
    }

    /// Starts `tenterhook dev` with variables of its environment.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn start_in(
        data_dir: &Path,
        variables: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let launch = Launch {
            command: "dev",
            arguments: Vec::new(),
            variables,
        };
        Self::launch(data_dir, launch).await
    }

    /// Starts `tenterhook serve` against the Temporal server at `temporal`, `HOST:PORT`.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn serve(data_dir: &Path, temporal: &str) -> anyhow::Result<Self> {
        Self::serve_with(data_dir, temporal, Vec::new()).await
    }

    /// The same, with further variables of its environment.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn serve_with(
        data_dir: &Path,
        temporal: &str,
        mut variables: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        variables.push(("TEMPORAL_ADDRESS", temporal.to_owned()));
        let launch = Launch {
            command: "serve",
            arguments: Vec::new(),
            variables,
        };
        Self::launch(data_dir, launch).await
    }

    async fn launch(data_dir: &Path, launch: Launch) -> anyhow::Result<Self> {
        let mut child = spawn(data_dir, &launch)?;
        let api = ready(&mut child, data_dir).await?;
        Ok(Self {
            child,
            data_dir: data_dir.to_owned(),
            launch,
            api,
        })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, without a word, as a crash does.
    ///
    /// # Errors
    /// When the process is gone already.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits for its end. Answers whether it ended well.
    ///
    /// # Errors
    /// When the process is gone already.
    pub async fn stop(&mut self) -> anyhow::Result<bool> {
        self.ask_to_stop()?;
        self.end().await
    }

    /// Waits for its end. Answers whether it ended well.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn end(&mut self) -> anyhow::Result<bool> {
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("the host did not stop within {READY_MAX:?}")
    }

    /// Starts it again on the same data, after [`Host::kill`] or [`Host::stop`]. The API may be elsewhere then.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.data_dir, &self.launch)?;
        self.api = ready(&mut self.child, &self.data_dir).await?;
        Ok(())
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("host.log")).unwrap_or_default()
    }

    /// Asks it to stop (SIGTERM) without waiting for its end.
    ///
    /// # Errors
    /// When the process is gone already.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        let pid = libc::pid_t::try_from(self.child.id())?;
        // SAFETY: `kill` only sends a signal; the process is our child and not yet waited for, so the id is its own.
        #[allow(unsafe_code)]
        let sent = unsafe { libc::kill(pid, libc::SIGTERM) };
        anyhow::ensure!(sent == 0, "the host is gone");
        Ok(())
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(data_dir: &Path, launch: &Launch) -> anyhow::Result<Child> {
    let program = target_dir().join("debug").join("tenterhook");
    std::fs::create_dir_all(data_dir)?;
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(data_dir.join("host.log"))?;
    let mut command = Command::new(&program);
    command.arg(launch.command).arg("--data-dir").arg(data_dir);
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(&launch.arguments);
    command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    die_with_us(&mut command);
    spawn_from_lasting_thread(command)
        .with_context(|| format!("{} does not start", program.display()))
}

/// A test run that is killed must not leave hosts behind.
pub(crate) fn die_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    let die = || {
        // SAFETY: `prctl` with these arguments touches nothing but this process's own death signal.
        #[allow(unsafe_code)]
        let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        if set == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: between fork and exec the closure makes one system call that is async-signal-safe.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(die);
    }
}

/// The death signal comes when the spawning *thread* ends, and a test's thread ends with its test.
pub(crate) fn spawn_from_lasting_thread(command: Command) -> anyhow::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: std::sync::OnceLock<mpsc::Sender<Order>> = std::sync::OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, received) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in received {
                // Nobody waits any more: the child is dropped, and killed by its owner's absence at exit.
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, spawned) = mpsc::channel();
    spawner
        .send((command, reply))
        .context("the spawning thread is gone")?;
    Ok(spawned.recv().context("the spawning thread is gone")??)
}

async fn ready(child: &mut Child, data_dir: &Path) -> anyhow::Result<Api> {
    let deadline = Instant::now() + READY_MAX;
    loop {
        if let Some(status) = child.try_wait()? {
            let log = std::fs::read_to_string(data_dir.join("host.log")).unwrap_or_default();
            bail!("the host ended at once ({status}):\n{log}");
        }
        // The address is written last, once everything answers; a host that was killed left none, for the
        // next takes it away before it starts.
        if let Ok(address) = std::fs::read_to_string(data_dir.join("api-address")) {
            // A host without an API has no token.
            let token = std::fs::read_to_string(data_dir.join("admin-token")).unwrap_or_default();
            let api = Api::new(address.trim(), token.trim());
            if api
                .get("/readyz")
                .await
                .is_ok_and(|answer| answer.status.is_success())
            {
                return Ok(api);
            }
        }
        if Instant::now() > deadline {
            let log = std::fs::read_to_string(data_dir.join("host.log")).unwrap_or_default();
            bail!("the host is not ready within {READY_MAX:?}:\n{log}");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
