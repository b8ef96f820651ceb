//! `tenant trust`: whom a tenant trusts to sign its releases.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tenterhook_domain::trust::TRUST_KEY_BYTES_MAX;

use crate::{
    client::{Call, Client},
    column::Field,
    failure::{Failure, Result, code},
    input,
    output::Console,
    reason::ReasonArgument,
};

const FIELDS: &[Field] = &[
    Field::new("Mode", "/mode"),
    Field::new("Keys", "/keys"),
    Field::new("Identities", "/identities"),
];

/// `tenant trust …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Show whom the tenant trusts to sign its releases
    Get {
        /// The tenant
        tenant: String,
    },
    /// Change whom the tenant trusts to sign its releases; what is not named stays
    Set(SetArguments),
}

/// `tenant trust set TENANT …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("trust").required(true).multiple(true))]
pub(crate) struct SetArguments {
    /// The tenant
    tenant: String,
    /// What becomes of a release that nobody trusted signed
    #[arg(long, value_enum, value_name = "MODE", group = "trust")]
    mode: Option<Mode>,
    /// A public key in PEM (P-256 or Ed25519); may be repeated, and takes the place of all keys of before
    #[arg(long = "key", value_name = "FILE", group = "trust")]
    keys: Vec<PathBuf>,
    /// A signer by certificate: its OIDC issuer and its e-mail address or URI; may be repeated, and takes the place of
    /// all identities of before
    #[arg(long = "identity", num_args = 2, value_names = ["ISSUER", "SUBJECT"], group = "trust")]
    identities: Vec<String>,
    #[command(flatten)]
    reason: ReasonArgument,
}

/// What becomes of a release that nobody trusted signed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Nothing: signatures are not looked at
    Off,
    /// It gets a warning
    Warn,
    /// It is refused
    Require,
}

impl TrustCommand {
    /// Does it.
    pub(super) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        let tenant = match self {
            Self::Get { tenant } => tenant,
            Self::Set(arguments) => &arguments.tenant,
        };
        let path = ["tenants", tenant, "trust"];
        let mut policy = client.call(Call::get(path)).await?;
        if let Self::Set(arguments) = self {
            arguments.change(&mut policy)?;
            let call = Call::put(path).json(policy);
            policy = client.call(call.reason(&arguments.reason)).await?;
        }
        console.record(&policy, FIELDS)
    }
}

impl SetArguments {
    fn change(&self, policy: &mut Value) -> Result<()> {
        let object = policy.as_object_mut().ok_or_else(|| {
            Failure::new(
                code::ANSWER_INVALID,
                "the host's answer is not a trust policy",
            )
        })?;
        if let Some(mode) = self.mode {
            let mode = match mode {
                Mode::Off => "off",
                Mode::Warn => "warn",
                Mode::Require => "require",
            };
            object.insert("mode".to_owned(), mode.into());
        }
        if !self.keys.is_empty() {
            let read = |file: &PathBuf| {
                let bytes = input::file_bytes(file, TRUST_KEY_BYTES_MAX)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned().into())
            };
            let keys: Result<Vec<Value>> = self.keys.iter().map(read).collect();
            object.insert("keys".to_owned(), keys?.into());
        }
        if !self.identities.is_empty() {
            let pairs = self.identities.chunks_exact(2);
            let identities: Vec<Value> = pairs
                .map(|pair| json!({"issuer": pair[0], "subject": pair[1]}))
                .collect();
            object.insert("identities".to_owned(), identities.into());
        }
        Ok(())
    }
}
