//! `environment lane`: the lane that is an environment's alone.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::{
    client::{Call, Client},
    column::Field,
    failure::Result,
    output::Console,
    reason::ReasonArgument,
};

const FIELDS: &[Field] = &[
    Field::new("Namespace", "/namespace"),
    Field::new("Task queue", "/task_queue"),
    Field::new("Default plugin", "/default_plugin"),
];

/// `environment lane …`.
#[derive(Debug, Subcommand)]
pub(crate) enum LaneCommand {
    /// Show the lane that is the environment's alone
    Get {
        /// The environment
        #[arg(value_name = "ENVIRONMENT")]
        name: String,
    },
    /// Give the environment a lane of its own, which Temporal's own tools can drive
    Set(SetArguments),
    /// Put the environment back on the pooled lane; what is open on its own waits there
    Delete {
        /// The environment
        #[arg(value_name = "ENVIRONMENT")]
        name: String,
        #[command(flatten)]
        reason: ReasonArgument,
    },
}

/// `environment lane set ENVIRONMENT …`.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    name: String,
    /// Its task queue
    #[arg(long, value_name = "QUEUE")]
    task_queue: String,
    /// Its Temporal namespace, which is this environment's alone; without one it is the hosts' own
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The plugin whose types are called by their bare names there
    #[arg(long, value_name = "PLUGIN")]
    default_plugin: Option<String>,
    #[command(flatten)]
    reason: ReasonArgument,
}

impl LaneCommand {
    /// Does it, for `tenant`.
    pub(super) async fn run(&self, client: &Client, tenant: &str, console: &Console) -> Result<()> {
        let path = |name| ["tenants", tenant, "environments", name, "lane"];
        let lane = match self {
            Self::Get { name } => client.call(Call::get(path(name))).await?,
            Self::Set(arguments) => {
                let call = Call::put(path(&arguments.name)).json(arguments.lane());
                client.call(call.reason(&arguments.reason)).await?
            }
            Self::Delete { name, reason } => {
                let call = Call::delete(path(name)).reason(reason);
                client.call(call).await?;
                console.note(&format!("environment {name} is on the pooled lane"));
                return Ok(());
            }
        };
        console.record(&lane, FIELDS)
    }
}

impl SetArguments {
    fn lane(&self) -> Value {
        let mut lane = Map::new();
        lane.insert("task_queue".to_owned(), self.task_queue.clone().into());
        let given = [
            ("namespace", &self.namespace),
            ("default_plugin", &self.default_plugin),
        ];
        for (key, value) in given {
            if let Some(value) = value {
                lane.insert(key.to_owned(), value.clone().into());
            }
        }
        lane.into()
    }
}
