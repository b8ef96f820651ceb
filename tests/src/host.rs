//! A real host for tests, the demo and the benches: `tenterhook dev` as a process of its own, on free ports and
//! a data folder of its own, talked to over HTTP like any client would.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

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

/// The bytes of a guest that `cargo xtask guests` built.
///
/// # Errors
/// When it is not there, with the command that builds it.
pub fn guest(name: &str) -> anyhow::Result<Vec<u8>> {
    let file = target_dir().join("guests").join(format!("{name}.wasm"));
    std::fs::read(&file)
        .with_context(|| format!("{} is not there: run `cargo xtask guests`", file.display()))
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; null when there is none or it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The code of a problem, or nothing.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }

    /// The body of a success.
    ///
    /// # Errors
    /// Any other answer, in full.
    pub fn ok(self) -> anyhow::Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        bail!("{}: {}", self.status, self.body)
    }
}

/// A client of one host's API, as whoever its token says.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    address: String,
    token: String,
}

impl Api {
    /// A client of the host at `address`.
    pub fn new(address: &str, token: &str) -> Self {
        crate::install_tls();
        Self {
            client: reqwest::Client::new(),
            address: address.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The same host and token, with connections of its own.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        Self::new(&self.address, &self.token)
    }

    /// The same host, as somebody else.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The host's address, `http://…`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request with a JSON body, if any.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// `PUT`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `POST`.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<Answer> {
        let request = self
            .client
            .post(format!("{}{path}", self.address))
            .bearer_auth(&self.token);
        answer(
            request
                .header("content-type", "application/wasm")
                .body(bytes),
        )
        .await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let bytes = response.bytes().await?;
    Ok(Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    })
}

/// A tenant's environment on a host.
#[derive(Debug, Clone)]
pub struct World {
    /// Who asks.
    pub api: Api,
    base: String,
}

impl World {
    /// Makes tenant `tenant` with environment `production`.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn make(api: &Api, tenant: &str) -> anyhow::Result<Self> {
        let base = format!("/v1/tenants/{tenant}");
        api.put(&base, &json!({})).await?.ok()?;
        let base = format!("{base}/environments/production");
        api.put(&base, &json!({})).await?.ok()?;
        Ok(Self {
            api: api.clone(),
            base,
        })
    }

    /// The path of something in this environment.
    pub fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// Uploads a component as plugin `plugin`. Answers its digest.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn push(&self, plugin: &str, component: Vec<u8>) -> anyhow::Result<String> {
        let path = self.path(&format!("plugins/{plugin}/releases"));
        let release = self.api.upload(&path, component).await?.ok()?;
        Ok(release["digest"]
            .as_str()
            .context("a release has a digest")?
            .to_owned())
    }

    /// Pushes a guest under its own name, with every grant.
    ///
    /// # Errors
    /// When it is not built, or the host refuses.
    pub async fn push_guest(&self, name: &str) -> anyhow::Result<String> {
        let digest = self.push(name, guest(name)?).await?;
        self.grant(name, &json!({ "keyvalue": true, "config": true }))
            .await?;
        Ok(digest)
    }

    /// Sets a plugin's grants.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn grant(&self, plugin: &str, grants: &Value) -> anyhow::Result<()> {
        self.api
            .put(&self.path(&format!("plugins/{plugin}/grants")), grants)
            .await?
            .ok()
            .map(|_| ())
    }

    /// Sets a plugin's configuration.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn configure(&self, plugin: &str, config: &Value) -> anyhow::Result<()> {
        self.api
            .put(&self.path(&format!("plugins/{plugin}/config")), config)
            .await?
            .ok()
            .map(|_| ())
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn start(
        &self,
        workflow_type: &str,
        id: &str,
        input: Value,
    ) -> anyhow::Result<Value> {
        let body = json!({ "type": workflow_type, "id": id, "input": input });
        self.api.post(&self.path("workflows"), &body).await?.ok()
    }

    /// Starts an execution and waits for its end: `{status, result | failure, …}`.
    ///
    /// # Errors
    /// When the host refuses, or the end does not come within 60 s.
    pub async fn execute(
        &self,
        workflow_type: &str,
        id: &str,
        input: Value,
    ) -> anyhow::Result<Value> {
        self.start(workflow_type, id, input).await?;
        self.outcome(id).await
    }

    /// How an execution ended.
    ///
    /// # Errors
    /// When the host refuses, or the end does not come within 60 s.
    pub async fn outcome(&self, id: &str) -> anyhow::Result<Value> {
        let outcome = self
            .api
            .get(&self.path(&format!("workflows/{id}/result?wait=60s")))
            .await?
            .ok()?;
        if outcome["status"] == "running" {
            let description = self.describe(id).await?;
            bail!("workflow {id} has not ended within 60 s: {description:#}");
        }
        Ok(outcome)
    }

    /// What is known of an execution.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn describe(&self, id: &str) -> anyhow::Result<Value> {
        self.api
            .get(&self.path(&format!("workflows/{id}")))
            .await?
            .ok()
    }

    /// The events of an execution's history.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn events(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        let history = self
            .api
            .get(&self.path(&format!("workflows/{id}/history?limit=1000")))
            .await?
            .ok()?;
        Ok(history["events"].as_array().cloned().unwrap_or_default())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn signal(&self, id: &str, name: &str, input: Value) -> anyhow::Result<()> {
        let path = self.path(&format!("workflows/{id}/signals/{name}"));
        self.api
            .post(&path, &json!({ "input": input }))
            .await?
            .ok()
            .map(|_| ())
    }

    /// Asks a query; the answer in full.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn query(&self, id: &str, name: &str, input: Value) -> anyhow::Result<Answer> {
        self.api
            .post(
                &self.path(&format!("workflows/{id}/queries/{name}")),
                &json!({ "input": input }),
            )
            .await
    }

    /// Sends an update; the answer in full.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn update(&self, id: &str, name: &str, input: Value) -> anyhow::Result<Answer> {
        self.api
            .post(
                &self.path(&format!("workflows/{id}/updates/{name}")),
                &json!({ "input": input }),
            )
            .await
    }

    /// Asks an execution to end.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        self.api
            .post(&self.path(&format!("workflows/{id}/cancel")), &json!({}))
            .await?
            .ok()
            .map(|_| ())
    }

    /// Looks at an execution until `seen` says so.
    ///
    /// # Errors
    /// When it does not within 30 s; the last look is in the error.
    pub async fn until(&self, id: &str, seen: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let description = self.describe(id).await?;
            if seen(&description) {
                return Ok(description);
            }
            if Instant::now() > deadline {
                bail!("workflow {id} did not come to it within 30 s: {description:#}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// `tenterhook dev` as a process. Dropping it kills it, and with it its Temporal server.
#[derive(Debug)]
pub struct Host {
    child: Child,
    data_dir: PathBuf,
    arguments: Vec<String>,
    /// Its API, as its administrator.
    pub api: Api,
}

impl Host {
    /// Starts a host on `data_dir` and waits until it is ready.
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
        let arguments: Vec<String> = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        let mut child = spawn(data_dir, &arguments)?;
        let api = ready(&mut child, data_dir).await?;
        Ok(Self {
            child,
            data_dir: data_dir.to_owned(),
            arguments,
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
        let pid = libc::pid_t::try_from(self.child.id())?;
        // SAFETY: `kill` only sends a signal; the process is our child and not yet waited for, so the id is its own.
        #[allow(unsafe_code)]
        let sent = unsafe { libc::kill(pid, libc::SIGTERM) };
        anyhow::ensure!(sent == 0, "the host is gone");
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
        self.child = spawn(&self.data_dir, &self.arguments)?;
        self.api = ready(&mut self.child, &self.data_dir).await?;
        Ok(())
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("host.log")).unwrap_or_default()
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

fn spawn(data_dir: &Path, arguments: &[String]) -> anyhow::Result<Child> {
    let program = target_dir().join("debug").join("tenterhook");
    std::fs::create_dir_all(data_dir)?;
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(data_dir.join("host.log"))?;
    let mut command = Command::new(&program);
    command
        .arg("dev")
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments);
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
            let token = std::fs::read_to_string(data_dir.join("admin-token"))?;
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
