//! The probes: what is asked for, and what is said of the answer.

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    hash::{BuildHasher, RandomState},
    io::{self, IsTerminal, Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
    process,
    sync::{Condvar, Mutex, mpsc},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Long enough to be seen.
const PAUSE: Duration = Duration::from_millis(5);
const FILE: &str = "/etc/hostname";
/// Addresses that need no name to be looked up.
const ADDRESS: &str = "127.0.0.1:80";
const ANY: &str = "127.0.0.1:0";

type Probe = (&'static str, fn() -> String);

/// All probes by name.
pub(crate) const ALL: &[Probe] = &[
    ("args", || env::args().count().to_string()),
    ("vars", || env::vars().count().to_string()),
    ("var", || said(env::var("PATH"))),
    ("current_dir", || said(env::current_dir())),
    ("current_exe", || kind(env::current_exe())),
    ("set_current_dir", || kind(env::set_current_dir("/"))),
    ("system_time", || {
        said(SystemTime::now().duration_since(UNIX_EPOCH))
    }),
    ("instant", || {
        let begun = Instant::now();
        compute();
        said(Ok::<_, ()>(begun.elapsed()))
    }),
    ("sleep", || {
        thread::sleep(PAUSE);
        "slept".to_owned()
    }),
    ("sleep_zero", || {
        thread::sleep(Duration::ZERO);
        "slept".to_owned()
    }),
    ("park_timeout", || {
        thread::park_timeout(PAUSE);
        "parked".to_owned()
    }),
    ("yield_now", || {
        thread::yield_now();
        "went on".to_owned()
    }),
    ("spawn", || kind(thread::Builder::new().spawn(|| ()))),
    ("available_parallelism", || {
        kind(thread::available_parallelism())
    }),
    ("recv_timeout", || {
        let (_sender, receiver) = mpsc::channel::<()>();
        said(receiver.recv_timeout(PAUSE))
    }),
    ("condvar", || {
        let lock = Mutex::new(());
        let Ok(guard) = lock.lock() else {
            return "poisoned".to_owned();
        };
        match Condvar::new().wait_timeout(guard, PAUSE) {
            Ok((_, waited)) => format!("timed out: {}", waited.timed_out()),
            Err(_) => "poisoned".to_owned(),
        }
    }),
    ("stdin", || {
        let mut text = String::new();
        said(io::stdin().read_to_string(&mut text))
    }),
    ("stdin_line", || {
        let mut text = String::new();
        said(io::stdin().read_line(&mut text))
    }),
    ("stdout", || {
        println!("a line on standard output");
        kind(io::stdout().flush())
    }),
    ("stderr", || {
        eprintln!("a line on standard error");
        kind(io::stderr().flush())
    }),
    ("terminals", || {
        let terminals = [
            io::stdin().is_terminal(),
            io::stdout().is_terminal(),
            io::stderr().is_terminal(),
        ];
        format!("{terminals:?}")
    }),
    ("hash_state", || {
        RandomState::new().hash_one("a key").to_string()
    }),
    ("hash_order", || {
        let set: HashSet<u32> = (0..64).collect();
        let map: HashMap<u32, u32> = (0..64).map(|number| (number, number)).collect();
        let order = set.into_iter().chain(map.into_keys());
        order.map(|number| format!("{number} ")).collect()
    }),
    ("exit", || process::exit(3)),
    ("abort", || process::abort()),
    ("panic", || std::panic::panic_any("on purpose")),
    ("process_id", || said(Ok::<_, ()>(process::id() > 0))),
    ("command", || kind(process::Command::new("true").status())),
    ("file_open", || kind(fs::File::open(FILE))),
    ("file_create", || kind(fs::File::create("made"))),
    ("file_relative", || kind(fs::read("made"))),
    ("metadata", || kind(fs::metadata(FILE))),
    ("read_dir", || kind(fs::read_dir("/"))),
    ("create_dir", || kind(fs::create_dir("made"))),
    ("remove_file", || kind(fs::remove_file(FILE))),
    ("remove_dir", || kind(fs::remove_dir("made"))),
    ("rename", || kind(fs::rename(FILE, "made"))),
    ("hard_link", || kind(fs::hard_link(FILE, "made"))),
    ("read_link", || kind(fs::read_link(FILE))),
    ("canonicalize", || kind(fs::canonicalize("."))),
    ("tcp_connect", || kind(TcpStream::connect(ADDRESS))),
    ("tcp_connect_timeout", || {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
        kind(TcpStream::connect_timeout(&address, PAUSE))
    }),
    ("tcp_bind", || kind(TcpListener::bind(ANY))),
    ("tcp_bind_v6", || kind(TcpListener::bind("[::1]:0"))),
    ("udp_bind", || kind(UdpSocket::bind(ANY))),
    ("lookup", || kind("localhost:80".to_socket_addrs())),
    ("lookup_number", || kind(ADDRESS.to_socket_addrs())),
    ("pointer", || {
        // Where things lie in memory follows from what was allocated before, and that from history.
        let on_heap = Box::new(1_u8);
        format!("{:p}", &raw const *on_heap)
    }),
];

/// Whether it went well, else the kind of the error.
fn kind<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("error {:?}", error.kind()),
    }
}

/// The value, or the error, as Rust writes them.
fn said<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {error:?}"),
    }
}

/// Takes a while.
pub(crate) fn compute() {
    let sum = (0..100_000_u64).fold(0, |sum, turn| std::hint::black_box(sum ^ turn));
    std::hint::black_box(sum);
}
