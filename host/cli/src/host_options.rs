//! What `tenterhook dev` and `tenterhook serve` are told, and the files by which the command line finds a host.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use tenterhook_domain::{Code, Error, Result, limit::LimitOverrides, secret_key::SecretKeys};
use tenterhook_registry::AllowedPlace;

use crate::duration;

/// The data folder unless another is given.
pub const DATA_DIR: &str = "./.tenterhook";
/// In the data folder: the API's address as a URL, while the host answers.
pub const API_ADDRESS_FILE: &str = "api-address";
/// In the data folder: a token that may do everything, readable by its owner only.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";
/// In the data folder: the address of Temporal's UI as a URL, while there is one.
pub const TEMPORAL_UI_ADDRESS_FILE: &str = "temporal-ui-address";

/// In the data folder: the keys that secrets are encrypted under, readable by its owner only, where no others are given.
pub const SECRET_KEYS_FILE: &str = "secret-keys";

/// Least memory for instances, in bytes: of a few small ones.
const INSTANCE_MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// How many outbound connections a host may have.
const OUTBOUND_CONNECTIONS: std::ops::RangeInclusive<usize> = 8..=65_536;

/// What `tenterhook dev` is told.
#[derive(Debug, Clone, Args)]
pub struct DevOptions {
    /// Where everything is kept; made where it is not there, used by one host at a time
    #[arg(long, value_name = "DIR", default_value = DATA_DIR, env = "TENTERHOOK_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Where the API listens; port 0 chooses a free one and writes it to api-address in the data folder
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:0",
        env = "TENTERHOOK_LISTEN"
    )]
    pub listen: SocketAddr,
    /// Port of the embedded Temporal server [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub temporal_port: Option<u16>,
    /// Port of Temporal's UI [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub ui_port: Option<u16>,
    /// The Temporal server to use instead of an embedded one: the variable `TEMPORAL_ADDRESS`, which the
    /// program reads and no flag sets, for Temporal's own settings come from Temporal's own variables.
    #[arg(skip)]
    pub temporal_address: Option<String>,
    /// How long requests and tasks under way may take to end when the host stops
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub drain_timeout: Duration,
    /// What any plugin gets at most.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// What all plugins together get.
    #[command(flatten)]
    pub capacity: CapacityOptions,
    /// Whether runs are repeated.
    #[command(flatten)]
    pub double_runs: DoubleRunOptions,
    /// Where components may come from, and who may have signed them.
    #[command(flatten)]
    pub origins: OriginOptions,
    /// What secrets are encrypted under.
    #[command(flatten)]
    pub secrets: SecretOptions,
    /// Who may show decrypted payloads.
    #[command(flatten)]
    pub codec: CodecOptions,
    /// What the host says of itself.
    #[command(flatten)]
    pub log: LogOptions,
}

/// What `tenterhook serve` is told.
#[derive(Debug, Clone, Args)]
pub struct ServeOptions {
    /// What this host does
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ROLE",
        env = "TENTERHOOK_ROLE"
    )]
    pub role: Role,
    /// Where this host's own things are kept: compiled components, its token and, unless hosts share a database, the
    /// store; used by one host at a time
    #[arg(long, value_name = "DIR", default_value = DATA_DIR, env = "TENTERHOOK_DATA_DIR")]
    pub data_dir: PathBuf,
    /// The database that hosts share, postgres://USER:PASSWORD@HOST/NAME [default: SQLite in the data folder]
    #[arg(
        long,
        value_name = "URL",
        env = "TENTERHOOK_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// Where components are kept, s3://BUCKET/PREFIX or file:///FOLDER; hosts that share a database share this too
    /// [default: the data folder]
    #[arg(long, value_name = "URL", env = "TENTERHOOK_BLOBS")]
    pub blobs: Option<String>,
    /// How to reach a bucket: the variables `AWS_*`, which the program reads and no flag sets.
    #[arg(skip)]
    pub aws: Vec<(String, String)>,
    /// Where the API listens; port 0 chooses a free one and writes it to api-address in the data folder
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:0",
        env = "TENTERHOOK_LISTEN"
    )]
    pub listen: SocketAddr,
    /// Temporal namespace of the work [default: TEMPORAL_NAMESPACE, or temporal.toml's]
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Temporal task queue of the work [default: tenterhook]
    #[arg(long, value_name = "QUEUE", env = "TENTERHOOK_TASK_QUEUE")]
    pub task_queue: Option<String>,
    /// How long the host still takes requests after /readyz says that it stops: as long as a load balancer needs to
    /// notice
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1s",
        value_parser = duration::parse,
        env = "TENTERHOOK_STOP_NOTICE"
    )]
    pub stop_notice: Duration,
    /// How long requests and tasks under way may take to end when the host stops
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub drain_timeout: Duration,
    /// What any plugin gets at most.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// What all plugins together get.
    #[command(flatten)]
    pub capacity: CapacityOptions,
    /// Whether runs are repeated.
    #[command(flatten)]
    pub double_runs: DoubleRunOptions,
    /// Where components may come from, and who may have signed them.
    #[command(flatten)]
    pub origins: OriginOptions,
    /// What secrets are encrypted under.
    #[command(flatten)]
    pub secrets: SecretOptions,
    /// Who may show decrypted payloads.
    #[command(flatten)]
    pub codec: CodecOptions,
    /// What the host says of itself.
    #[command(flatten)]
    pub log: LogOptions,
}

/// What all plugins together get of this host.
#[derive(Debug, Clone, Default, Args)]
pub struct CapacityOptions {
    /// Bytes of linear memory that all instances may hold together; near it the host polls for no new work [default: half
    /// of the machine's memory]
    #[arg(
        long,
        value_name = "BYTES",
        env = "TENTERHOOK_INSTANCE_MEMORY",
        value_parser = clap::value_parser!(u64).range(INSTANCE_MEMORY_BYTES_MIN..)
    )]
    pub instance_memory: Option<u64>,
    /// Outbound connections at once, shared between tenants [default: a quarter of the files that the host may have open]
    #[arg(
        long,
        value_name = "NUMBER",
        env = "TENTERHOOK_OUTBOUND_CONNECTIONS",
        value_parser = connections
    )]
    pub outbound_connections: Option<usize>,
}

/// Whether runs are repeated.
#[derive(Debug, Clone, Default, Args)]
pub struct DoubleRunOptions {
    /// Of a hundred workflow runs so many are repeated on a fresh instance in the background, to find code that would not
    /// replay; 0 for none [default: 1; 100 for `tenterhook dev`]
    #[arg(
        id = "double_run_share",
        long = "double-run-share",
        value_name = "PERCENT",
        env = "TENTERHOOK_DOUBLE_RUN_SHARE",
        value_parser = clap::value_parser!(u8).range(0..=100)
    )]
    pub share: Option<u8>,
}

impl DoubleRunOptions {
    /// Of `tenterhook dev`, where whoever writes the code is there to read what is found.
    pub fn of_dev(&self) -> u8 {
        self.share.unwrap_or(100)
    }

    /// Of `tenterhook serve`.
    pub fn of_serve(&self) -> u8 {
        self.share.unwrap_or(1)
    }
}

/// Reads a number of outbound connections.
fn connections(text: &str) -> Result<usize> {
    let number = text.parse().ok();
    let number = number.filter(|number| OUTBOUND_CONNECTIONS.contains(number));
    number.ok_or_else(|| {
        let (least, most) = (OUTBOUND_CONNECTIONS.start(), OUTBOUND_CONNECTIONS.end());
        Error::new(
            Code::HostConfigInvalid,
            format!("{text:?} outbound connections cannot be: use {least} to {most}"),
        )
    })
}

/// What any plugin gets at most on this host.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitOptions {
    /// The most that any plugin gets of a limit on this host, whatever its grants say (see `tenterhook limits`); once for
    /// each [default: none]
    #[arg(
        id = "host_limit",
        long = "limit",
        value_name = "NAME=VALUE",
        env = "TENTERHOOK_LIMITS",
        value_delimiter = ',',
        value_parser = ceiling
    )]
    pub limits: Vec<(String, u64)>,
}

impl LimitOptions {
    /// The ceilings by name; of one that is given twice the last.
    pub fn ceilings(&self) -> LimitOverrides {
        LimitOverrides(self.limits.iter().cloned().collect())
    }
}

/// Reads `NAME=VALUE`.
fn ceiling(text: &str) -> Result<(String, u64)> {
    let pair = text.split_once('=');
    let pair = pair.and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    let Some(pair) = pair else {
        return Err(Error::new(
            Code::HostConfigInvalid,
            format!("{text:?} sets no limit: write NAME=VALUE with a whole number"),
        ));
    };
    LimitOverrides([pair.clone()].into()).check(Code::HostConfigInvalid)?;
    Ok(pair)
}

/// Where components may come from, and who may have signed them.
#[derive(Debug, Clone, Default, Args)]
pub struct OriginOptions {
    /// A registry that releases may be pulled from, HOST[:PORT][/PREFIX]; {tenant} in the prefix stands for the tenant's
    /// name; may be repeated [default: none]
    #[arg(
        id = "oci_registry",
        long = "oci-registry",
        value_name = "REGISTRY",
        env = "TENTERHOOK_OCI_REGISTRIES",
        value_delimiter = ','
    )]
    pub registries: Vec<AllowedPlace>,
    /// A Docker configuration file with the registries' credentials, read anew for each pull
    #[arg(
        id = "oci_credentials",
        long = "oci-credentials",
        value_name = "FILE",
        env = "TENTERHOOK_OCI_CREDENTIALS"
    )]
    pub credentials: Option<PathBuf>,
    /// A trusted_root.json of sigstore's, for signers that are known by certificate; without it they are known by key
    #[arg(long, value_name = "FILE", env = "TENTERHOOK_TRUST_ROOT")]
    pub trust_root: Option<PathBuf>,
}

/// What secrets are encrypted under.
#[derive(Debug, Clone, Default, Args)]
pub struct SecretOptions {
    /// A file with the keys that secrets are encrypted under, as `tenterhook secret-key make` makes it; the first
    /// encrypts, all decrypt; read anew as it changes. The keys themselves may stand in TENTERHOOK_SECRET_KEYS instead
    /// [default: secret-keys in the data folder, made where it is not there; none where hosts share a database]
    #[arg(
        id = "secret_key_file",
        long = "secret-key-file",
        value_name = "FILE",
        env = "TENTERHOOK_SECRET_KEY_FILE"
    )]
    pub file: Option<PathBuf>,
    /// The keys themselves: the variable `TENTERHOOK_SECRET_KEYS`, which the program reads and no flag sets.
    #[arg(skip)]
    pub keys: Option<SecretKeys>,
}

/// Who may show decrypted payloads.
#[derive(Debug, Clone, Default, Args)]
pub struct CodecOptions {
    /// A page that may call the codec endpoint from a browser, as Temporal's UI does, SCHEME://HOST[:PORT]; may be repeated
    /// [default: none]
    #[arg(
        id = "codec_origin",
        long = "codec-origin",
        value_name = "ORIGIN",
        env = "TENTERHOOK_CODEC_ORIGINS",
        value_delimiter = ',',
        value_parser = origin
    )]
    pub origins: Vec<String>,
}

/// Reads `SCHEME://HOST[:PORT]`, as browsers write an origin.
fn origin(text: &str) -> Result<String> {
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b))
    };
    match host {
        Some(host) if is_host(host) => Ok(text.to_owned()),
        _ => Err(Error::new(
            Code::HostConfigInvalid,
            format!(
                "{text:?} is no origin: write SCHEME://HOST[:PORT] in lower case, without a path"
            ),
        )),
    }
}

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Role {
    /// Everything
    #[default]
    All,
    /// The API; no workflows, no activities, no checks of releases
    Server,
    /// Workflows, activities and checks of releases; of the API only /livez and /readyz
    Worker,
}

impl Role {
    /// True if it has the API.
    pub const fn serves(self) -> bool {
        matches!(self, Self::All | Self::Server)
    }

    /// True if it runs workflows and activities, and checks releases.
    pub const fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

/// What a host says of itself on stderr.
#[derive(Debug, Clone, Args)]
pub struct LogOptions {
    /// How the log is written to stderr
    #[arg(
        id = "log_format",
        long = "log-format",
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        env = "TENTERHOOK_LOG_FORMAT"
    )]
    pub format: LogFormat,
    /// What is logged: a level, or a filter such as info,tenterhook_worker=debug
    #[arg(
        id = "log_filter",
        long = "log-filter",
        value_name = "FILTER",
        // Core and its client say at `info` what each call of theirs does, which costs 3 to 5 % of a busy host's CPU.
        default_value = "info,temporalio_sdk_core=warn,temporalio_client=warn,temporalio_common=warn",
        env = "TENTERHOOK_LOG"
    )]
    pub filter: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For a person, a line an event
    #[default]
    Text,
    /// For a machine, a JSON object an event
    Json,
}
