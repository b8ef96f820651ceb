//! The command line as a whole. Each subcommand's own arguments stand beside what it does.

use clap::{Args, Parser, Subcommand};

use crate::{
    command::{
        completions::CompletionsCommand, context_key::ContextKeyCommand,
        environment::EnvironmentCommand, plugin::PluginCommand, release::ReleaseCommand,
        schedule::ScheduleCommand, secret_key::SecretKeyCommand, tenant::TenantCommand,
        token::TokenCommand, workflow::WorkflowCommand,
    },
    connection::ConnectionArguments,
    failure::{Failure, Result},
    host_options::{DevOptions, ServeOptions},
    output::Format,
};

const ABOUT: &str = "A multi-tenant host for durable business logic: Temporal workflows and activities of many \
tenants, each in its WebAssembly sandbox";
const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 used wrongly. Data goes to stdout, progress and errors to stderr.
Errors read `error[code]: what happened`; the codes are those of the HTTP API.

First steps:
  tenterhook dev                                     # a whole host on this machine
  tenterhook tenant put acme
  tenterhook environment put production --tenant acme
  tenterhook plugin push payment.wasm --tenant acme --environment production
  tenterhook workflow start payment.ProcessPayment --input @payment.json --wait 10s \\
      --tenant acme --environment production";

/// The subcommand that a host runs in a child process for each component.
pub(crate) const COMPILE_COMPONENT: &str = "compile-component";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "tenterhook", version, about = ABOUT, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// How data is written to stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        env = "TENTERHOOK_OUTPUT"
    )]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the program is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole host on this machine: Temporal server, store, workers and API in one process
    ///
    /// A second start with the same data folder goes on with everything that was there. With TEMPORAL_ADDRESS
    /// set, that server is used and none is started.
    Dev(DevOptions),
    /// Run a host against the Temporal that TEMPORAL_* variables or temporal.toml name
    Serve(ServeOptions),
    /// Tenants: who owns plugins and executions
    Tenant(Remote<TenantCommand>),
    /// Environments of a tenant: production, staging, …
    Environment(InTenant<EnvironmentCommand>),
    /// Plugins of an environment: push components, grant, configure
    Plugin(InScope<PluginCommand>),
    /// Releases of a plugin: the components that were pushed
    Release(InScope<ReleaseCommand>),
    /// Workflow executions: start them, look at them, talk to them
    Workflow(InScope<WorkflowCommand>),
    /// Schedules: executions that are started by themselves, at stated times
    Schedule(InScope<ScheduleCommand>),
    /// API tokens
    Token(Remote<TokenCommand>),
    /// The keys that the hosts sign contexts with
    ContextKey(Remote<ContextKeyCommand>),
    /// The keys that a host encrypts secrets under
    SecretKey(Remote<SecretKeyCommand>),
    /// The limits a plugin runs under, with their defaults and ranges
    Limits(ConnectionArguments),
    /// The quotas a tenant has, with their defaults and ranges
    Quotas(ConnectionArguments),
    /// Write a shell's completion script to stdout
    Completions(CompletionsCommand),
    /// Compile the component that comes over the socket that standard input is: a host starts this for itself
    #[command(name = COMPILE_COMPONENT, hide = true)]
    CompileComponent,
}

/// A command that talks to a host.
#[derive(Debug, Args)]
pub(crate) struct Remote<C: Subcommand> {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(subcommand)]
    pub(crate) command: C,
}

/// A command that talks to a host about one tenant.
#[derive(Debug, Args)]
pub(crate) struct InTenant<C: Subcommand> {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(flatten)]
    pub(crate) tenant: TenantArgument,
    #[command(subcommand)]
    pub(crate) command: C,
}

/// A command that talks to a host about one environment of a tenant.
#[derive(Debug, Args)]
pub(crate) struct InScope<C: Subcommand> {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    #[command(subcommand)]
    pub(crate) command: C,
}

/// Which tenant.
#[derive(Debug, Args)]
pub(crate) struct TenantArgument {
    /// The tenant
    #[arg(
        long,
        short = 't',
        global = true,
        value_name = "TENANT",
        env = "TENTERHOOK_TENANT",
        help_heading = "Scope"
    )]
    tenant: Option<String>,
}

impl TenantArgument {
    /// The tenant's name as given; the host checks it.
    pub(crate) fn name(&self) -> Result<&str> {
        given(
            self.tenant.as_deref(),
            "tenant",
            "--tenant",
            "TENTERHOOK_TENANT",
        )
    }
}

/// Which environment of which tenant.
#[derive(Debug, Args)]
pub(crate) struct ScopeArguments {
    #[command(flatten)]
    tenant: TenantArgument,
    /// The tenant's environment
    #[arg(
        long,
        short = 'e',
        global = true,
        value_name = "ENVIRONMENT",
        env = "TENTERHOOK_ENVIRONMENT",
        help_heading = "Scope"
    )]
    environment: Option<String>,
}

impl ScopeArguments {
    /// The path of the scope in the API, below the version.
    pub(crate) fn path(&self) -> Result<[&str; 4]> {
        let tenant = self.tenant.name()?;
        let environment = given(
            self.environment.as_deref(),
            "environment",
            "--environment",
            "TENTERHOOK_ENVIRONMENT",
        )?;
        Ok(["tenants", tenant, "environments", environment])
    }
}

/// Arguments that stand before or after a subcommand cannot be required by the parser.
fn given<'a>(value: Option<&'a str>, what: &str, flag: &str, variable: &str) -> Result<&'a str> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Failure::usage(format!("no {what} is given"))
            .with_hint(format!("give {flag}, or set {variable}"))
    })
}
