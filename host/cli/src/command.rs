//! The subcommands: one file each, with its arguments and what it does.

mod assignment;
pub(crate) mod completions;
pub(crate) mod context_key;
pub(crate) mod environment;
mod limits;
mod page;
pub(crate) mod plugin;
pub(crate) mod release;
pub(crate) mod schedule;
pub(crate) mod secret_key;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod workflow;

use tenterhook_domain::secret_key::SecretKeys;
use tokio::runtime::{Builder, Runtime};

use self::plugin::PluginCommand;
use crate::{
    arguments::{Command, InScope},
    client::Client,
    connection::ConnectionArguments,
    failure::{Failure, Result},
    host, log,
    output::Console,
};

/// The variable that names a Temporal server to use instead of an embedded one.
const TEMPORAL_ADDRESS_VARIABLE: &str = "TEMPORAL_ADDRESS";
/// The variable that holds secret keys themselves, where a host has no file of them.
const SECRET_KEYS_VARIABLE: &str = "TENTERHOOK_SECRET_KEYS";
/// How the names of the variables begin that say how to reach a bucket.
const AWS_VARIABLES: &str = "AWS_";

/// Does what `command` says.
///
/// # Errors
/// What went wrong, to be shown.
pub(crate) fn run(command: Command, console: &Console) -> Result<()> {
    match command {
        Command::Dev(mut options) => {
            options.temporal_address = std::env::var(TEMPORAL_ADDRESS_VARIABLE)
                .ok()
                .filter(|address| !address.is_empty());
            options.secrets.keys = secret_keys()?;
            log::start(&options.log)?;
            run_host(host::dev(options))
        }
        Command::Serve(mut options) => {
            // Names that are not Unicode are not among them.
            let variables = std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            });
            options.aws = variables
                .filter(|(name, _)| name.starts_with(AWS_VARIABLES))
                .collect();
            options.secrets.keys = secret_keys()?;
            log::start(&options.log)?;
            run_host(host::serve(options))
        }
        Command::Completions(completions) => completions.write(),
        Command::CompileComponent => tenterhook_sandbox::compile_stdin()
            .map_err(|error| Failure::internal("nothing was compiled").caused_by(&error)),
        remote => {
            let runtime = runtime(&mut Builder::new_current_thread())?;
            runtime.block_on(run_remote(remote, console))
        }
    }
}

/// The commands that ask a host.
async fn run_remote(command: Command, console: &Console) -> Result<()> {
    match command {
        Command::Tenant(remote) => {
            remote
                .command
                .run(&client(&remote.connection, console)?, console)
                .await
        }
        Command::Environment(remote) => {
            let tenant = remote.tenant.name()?;
            remote
                .command
                .run(&client(&remote.connection, console)?, tenant, console)
                .await
        }
        Command::Plugin(InScope {
            connection,
            scope,
            command: PluginCommand::Author(command),
        }) => command.run(&connection, &scope, console).await,
        Command::Plugin(InScope {
            connection,
            scope,
            command: PluginCommand::Check(arguments),
        }) => arguments.run(&connection, &scope, console).await,
        Command::Plugin(InScope {
            command: PluginCommand::Replay(arguments),
            ..
        }) => arguments.run(console).await,
        Command::Plugin(remote) => {
            let scope = remote.scope.path()?;
            remote
                .command
                .run(&client(&remote.connection, console)?, &scope, console)
                .await
        }
        Command::Release(remote) => {
            let scope = remote.scope.path()?;
            remote
                .command
                .run(&client(&remote.connection, console)?, &scope, console)
                .await
        }
        Command::Workflow(remote) => {
            let scope = remote.scope.path()?;
            remote
                .command
                .run(&client(&remote.connection, console)?, &scope, console)
                .await
        }
        Command::Schedule(remote) => {
            let scope = remote.scope.path()?;
            remote
                .command
                .run(&client(&remote.connection, console)?, &scope, console)
                .await
        }
        Command::Token(remote) => {
            remote
                .command
                .run(&client(&remote.connection, console)?, console)
                .await
        }
        Command::ContextKey(remote) => {
            remote
                .command
                .run(&client(&remote.connection, console)?, console)
                .await
        }
        Command::SecretKey(remote) => remote.command.run(&remote.connection, console).await,
        Command::Limits(connection) => limits::show(&client(&connection, console)?, console).await,
        Command::Quotas(connection) => {
            limits::show_quotas(&client(&connection, console)?, console).await
        }
        Command::Dev(_)
        | Command::Serve(_)
        | Command::Completions(_)
        | Command::CompileComponent => Err(Failure::internal("this command asks no host")),
    }
}

fn client(connection: &ConnectionArguments, console: &Console) -> Result<Client> {
    Client::new(connection.resolve(console)?)
}

fn secret_keys() -> Result<Option<SecretKeys>> {
    let text = std::env::var(SECRET_KEYS_VARIABLE).ok();
    let text = text.filter(|text| !text.is_empty());
    Ok(text.as_deref().map(SecretKeys::parse).transpose()?)
}

/// How long a stopped host waits for threads that cannot be interrupted.
const BLOCKING_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(1);

fn run_host(host: impl Future<Output = anyhow::Result<()>>) -> Result<()> {
    let runtime = runtime(&mut Builder::new_multi_thread())?;
    let ended = runtime.block_on(host);
    // What still runs on blocking threads, a compilation perhaps, is nobody's any more.
    runtime.shutdown_timeout(BLOCKING_WAIT_MAX);
    ended.map_err(|error| Failure::of_host(&error))
}

fn runtime(builder: &mut Builder) -> Result<Runtime> {
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("no threads can be started").caused_by(&error))
}
