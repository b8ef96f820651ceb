//! A private PostgreSQL for tests, from Debian's package: its own folder, its own port on 127.0.0.1, gone with the
//! process that started it, also when that one is killed.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

/// Where Debian puts PostgreSQL's programs, the wanted version first.
const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/17/bin",
];
/// How long it may take to make a server and to start it, on a busy machine.
const READY_MAX: Duration = Duration::from_secs(120);
/// Ports that are tried: another process may take one between its choice and its use.
const PORTS_TRIED: usize = 5;
const USER: &str = "tenterhook";

/// Its life: made, run, and ended and swept away when standard input ends, which it does with its owner.
/// `fsync` is off, for the data lives no longer than the machine runs.
const LIFE: &str = r#"
bin=$1 port=$2 user=$3
trap '' INT TERM HUP
dir=$(mktemp -d -t tenterhook-postgres.XXXXXX) || exit 1
cd "$dir"
"$bin/initdb" --pgdata="$dir/data" --username="$user" --auth=trust --no-sync --encoding=UTF8 \
  --locale=C.UTF-8 >initdb.log 2>&1 || { cat initdb.log >&2; rm -rf "$dir"; exit 1; }
"$bin/postgres" -D "$dir/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
  -c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=300 -c logging_collector=off &
server=$!
(cat >/dev/null; kill -QUIT $server 2>/dev/null) <&3 &
wait $server
kill $! 2>/dev/null
cd / && rm -rf "$dir"
"#;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    life: Child,
    bin: PathBuf,
    port: u16,
}

impl Postgres {
    /// The server that all tests of this process share: each takes a database of its own. It ends with the process.
    ///
    /// # Panics
    /// When there is none: a test that needs it fails, it is not skipped.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{error}")))
    }

    /// Makes a server and starts it. Blocks until it takes connections.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, naming the package, or does not start, with its last words.
    pub fn start() -> Result<Self, String> {
        let bin = FOLDERS
            .iter()
            .map(Path::new)
            .find(|folder| folder.join("postgres").is_file())
            .ok_or("PostgreSQL is not installed: apt-get install postgresql-15")?;
        let mut refused = String::new();
        for _ in 0..PORTS_TRIED {
            match Self::start_on(bin, free_port()?) {
                Err(error) if error.contains("Address already in use") => refused = error,
                outcome => return outcome,
            }
        }
        Err(refused)
    }

    fn start_on(bin: &Path, port: u16) -> Result<Self, String> {
        let mut command = as_no_root("sh");
        command
            // A descriptor of its own for the server's watcher: a background job's input is not the shell's.
            .args(["-c", &format!("exec 3<&0 </dev/null\n{LIFE}"), "postgres"])
            .arg(bin)
            .args([&port.to_string(), USER])
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut life = command
            .spawn()
            .map_err(|error| format!("PostgreSQL does not start: {error}"))?;
        let log = life.stderr.take().ok_or("PostgreSQL has no log")?;
        let (ready, is_ready) = mpsc::channel();
        // Reads on to the end, for a server whose log nobody reads stands still.
        thread::spawn(move || {
            let mut words = String::new();
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if line.contains("ready to accept connections") {
                    let _ = ready.send(Ok(()));
                }
                words = format!("{words}{line}\n");
                if words.len() > 16 * 1024 {
                    words.clear();
                }
            }
            let _ = ready.send(Err(words));
        });
        let server = Self {
            life,
            bin: bin.to_owned(),
            port,
        };
        match is_ready.recv_timeout(READY_MAX) {
            Ok(Ok(())) => Ok(server),
            Ok(Err(words)) => Err(format!("PostgreSQL ended at once:\n{words}")),
            Err(_) => Err(format!("PostgreSQL is not ready within {READY_MAX:?}")),
        }
    }

    /// Makes an empty database and answers its address: `postgres://…`.
    ///
    /// # Panics
    /// When it cannot be made, as when there is one of that name.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
        self.url(name)
    }

    /// The address of the database `name`.
    pub fn url(&self, name: &str) -> String {
        format!(
            "postgres://{USER}@127.0.0.1:{}/{name}?sslmode=disable",
            self.port
        )
    }

    /// The port on 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement in `database` and answers its rows, a line each, columns parted by `|`.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let done = Command::new(self.bin.join("psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"])
            .args(["--set=ON_ERROR_STOP=1", "--command", statement])
            .arg(self.url(database))
            .stdin(Stdio::null())
            .output()
            .expect("psql comes with the server");
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{statement}: {error}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.life.stdin.take());
        // Gone already is as good.
        let _ = self.life.wait();
    }
}

/// PostgreSQL refuses to run as root, so root runs it as the user that comes with its package.
fn as_no_root(program: &str) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("there is no free port: {error}"))
}
