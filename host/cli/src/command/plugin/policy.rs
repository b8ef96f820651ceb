//! `plugin policy`: how a plugin's releases are handled.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::{
    client::{Call, Client},
    column::Field,
    duration,
    failure::{Failure, Result, code},
    output::Console,
    reason::ReasonArgument,
};

const FIELDS: &[Field] = &[
    Field::new("On divergence", "/on_divergence"),
    Field::new("Upgrade on", "/upgrade_on"),
    Field::new("Open sampled", "/sample_open"),
    Field::new("Closed sampled", "/sample_closed"),
    Field::new("Sample age (s)", "/sample_age_seconds"),
    Field::new("Retention (s)", "/retention_seconds"),
];

/// `plugin policy …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show how the plugin's releases are handled
    Get {
        /// The plugin
        plugin: String,
    },
    /// Change how the plugin's releases are handled; what is not named stays
    Set(SetArguments),
}

/// `plugin policy set PLUGIN …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("policy").required(true).multiple(true))]
pub(crate) struct SetArguments {
    /// The plugin
    plugin: String,
    /// What a new release is to running executions
    #[arg(long, value_enum, value_name = "WHAT", group = "policy")]
    on_divergence: Option<OnDivergence>,
    /// When a chain of runs goes over to a newer release
    #[arg(long, value_enum, value_name = "WHEN", group = "policy")]
    upgrade_on: Option<UpgradeOn>,
    /// Histories of open executions that are replayed, for each workflow type
    #[arg(long, value_name = "COUNT", group = "policy")]
    sample_open: Option<u32>,
    /// Histories of closed executions that are replayed, for each workflow type
    #[arg(long, value_name = "COUNT", group = "policy")]
    sample_closed: Option<u32>,
    /// Closed executions older than this are not replayed
    #[arg(long, value_name = "DURATION", group = "policy", value_parser = duration::parse)]
    sample_age: Option<Duration>,
    /// How long a release without executions is kept
    #[arg(long, value_name = "DURATION", group = "policy", value_parser = duration::parse)]
    retention: Option<Duration>,
    #[command(flatten)]
    reason: ReasonArgument,
}

/// What a new release is to running executions.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnDivergence {
    /// They stay on theirs
    Pin,
    /// It is refused if one of them would not replay on it
    Refuse,
    /// Once it is current, those that replay on it move at their next task; the others stay
    Migrate,
}

/// When a chain of runs goes over to a newer release.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum UpgradeOn {
    /// With its next run
    ContinueAsNew,
    /// Never
    Never,
}

impl PolicyCommand {
    /// Does it, for the scope at `scope`.
    pub(super) async fn run(
        &self,
        client: &Client,
        scope: &[&str],
        console: &Console,
    ) -> Result<()> {
        let plugin = match self {
            Self::Get { plugin } => plugin,
            Self::Set(arguments) => &arguments.plugin,
        };
        let path = [scope, &["plugins", plugin, "policy"]].concat();
        let (mut policy, tag) = client.call_tagged(Call::get(&path)).await?;
        if let Self::Set(arguments) = self {
            arguments.change(&mut policy)?;
            // What somebody else changes in between is not changed back.
            let call = Call::put(&path).json(policy).if_match(tag);
            policy = client.call(call.reason(&arguments.reason)).await?;
        }
        console.record(&policy, FIELDS)
    }
}

impl SetArguments {
    fn change(&self, policy: &mut Value) -> Result<()> {
        let on_divergence = self.on_divergence.map(|what| match what {
            OnDivergence::Pin => "pin",
            OnDivergence::Refuse => "refuse",
            OnDivergence::Migrate => "migrate",
        });
        let upgrade_on = self.upgrade_on.map(|when| match when {
            UpgradeOn::ContinueAsNew => "continue-as-new",
            UpgradeOn::Never => "never",
        });
        let seconds = |time: Option<Duration>| time.map(|time| json!(time.as_secs()));
        let fields = [
            ("on_divergence", on_divergence.map(Value::from)),
            ("upgrade_on", upgrade_on.map(Value::from)),
            ("sample_open", self.sample_open.map(Value::from)),
            ("sample_closed", self.sample_closed.map(Value::from)),
            ("sample_age_seconds", seconds(self.sample_age)),
            ("retention_seconds", seconds(self.retention)),
        ];
        let object = policy.as_object_mut().ok_or_else(|| {
            Failure::new(code::ANSWER_INVALID, "the host's answer is not a policy")
        })?;
        for (name, value) in fields {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }
}
