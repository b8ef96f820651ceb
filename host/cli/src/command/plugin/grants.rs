//! `plugin grants`: what an operator lets a plugin do.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::Value;
use tenterhook_domain::{
    PluginName,
    grant::{Grants, HttpGrant, SecretGrant},
    limit::LimitOverrides,
};

use crate::{
    client::{Call, Client},
    column::Field,
    command::assignment,
    failure::{Failure, Result},
    input,
    output::Console,
};

const FIELDS: &[Field] = &[
    Field::new("HTTP", "/http"),
    Field::new("Private network", "/private_network"),
    Field::new("Key-value", "/keyvalue"),
    Field::new("Configuration", "/config"),
    Field::new("Secrets", "/secrets"),
    Field::new("Plugins", "/plugins"),
    Field::new("Limits", "/limits"),
];

/// How a limit is given.
const EXAMPLE: &str = "--limit memory_bytes=134217728";

/// `plugin grants …`.
#[derive(Debug, Subcommand)]
pub(crate) enum GrantsCommand {
    /// Show what the plugin may do
    Get {
        /// The plugin
        plugin: String,
    },
    /// Set what the plugin may do; what is not named is not granted any more
    Put(PutArguments),
}

/// `plugin grants put PLUGIN …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("grants").required(true).multiple(true))]
pub(crate) struct PutArguments {
    /// The plugin
    plugin: String,
    /// All grants as a JSON object; - is standard input
    #[arg(long, value_name = "FILE", group = "grants", conflicts_with_all = ["http", "private_network", "keyvalue", "config", "secret", "plugins", "limit", "none"])]
    file: Option<String>,
    /// Hosts to send requests to: HOST, HOST:PORT or *.DOMAIN, with methods as GET,POST=HOST; once for each
    #[arg(long, value_name = "HOST", group = "grants")]
    http: Vec<String>,
    /// Granted hosts may be at private, loopback or link-local addresses
    #[arg(long, group = "grants")]
    private_network: bool,
    /// State of its own by keys
    #[arg(long, group = "grants")]
    keyvalue: bool,
    /// To read its configuration
    #[arg(long, group = "grants")]
    config: bool,
    /// A secret that the host puts into requests to a granted host; once for each pair
    #[arg(long, value_name = "NAME=HOST", group = "grants")]
    secret: Vec<String>,
    /// Another plugin of the scope that its workflows may call, start, signal and cancel; once for each
    #[arg(long = "reach", value_name = "PLUGIN", group = "grants")]
    plugins: Vec<PluginName>,
    /// A limit other than the default (see `tenterhook limits`); once for each
    #[arg(long, value_name = "NAME=VALUE", group = "grants")]
    limit: Vec<String>,
    /// Nothing at all
    #[arg(long, group = "grants", conflicts_with_all = ["http", "private_network", "keyvalue", "config", "secret", "plugins", "limit"])]
    none: bool,
}

impl GrantsCommand {
    /// Does it, for the scope at `scope`.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let call = match self {
            Self::Get { plugin } => Call::get([scope, &["plugins", plugin, "grants"]].concat()),
            Self::Put(arguments) => {
                let path = [scope, &["plugins", &arguments.plugin, "grants"]].concat();
                Call::put(path).json(arguments.grants()?)
            }
        };
        console.record(&client.call(call).await?, FIELDS)
    }
}

impl PutArguments {
    fn grants(&self) -> Result<Value> {
        if let Some(file) = &self.file {
            // The host reads it: it may know grants that this program does not.
            return Ok(Value::Object(input::object(file)?));
        }
        let grants = Grants {
            http: self.http.iter().map(|text| destination(text)).collect(),
            private_network: self.private_network,
            keyvalue: self.keyvalue,
            config: self.config,
            secrets: self
                .secret
                .iter()
                .map(|text| secret(text))
                .collect::<Result<_>>()?,
            plugins: self.plugins.clone(),
            limits: LimitOverrides(
                self.limit
                    .iter()
                    .map(|text| assignment::read(text, "limit", EXAMPLE))
                    .collect::<Result<_>>()?,
            ),
        };
        grants.check()?;
        serde_json::to_value(&grants)
            .map_err(|error| Failure::internal("the grants cannot be written").caused_by(&error))
    }
}

/// Reads `HOST` or `METHOD,METHOD=HOST`.
fn destination(text: &str) -> HttpGrant {
    match text.split_once('=') {
        Some((methods, host)) => HttpGrant {
            host: host.to_owned(),
            methods: methods
                .split(',')
                .map(|method| method.trim().to_ascii_uppercase())
                .collect(),
        },
        None => HttpGrant {
            host: text.to_owned(),
            methods: Vec::new(),
        },
    }
}

fn secret(text: &str) -> Result<SecretGrant> {
    let Some((name, host)) = text.split_once('=') else {
        return Err(Failure::usage(format!("{text:?} grants no secret"))
            .with_hint("write NAME=HOST, as in --secret api-key=api.example.com"));
    };
    Ok(SecretGrant {
        name: name.parse()?,
        host: host.to_owned(),
    })
}
