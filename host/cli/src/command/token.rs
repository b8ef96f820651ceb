//! `token`: what callers of the API show.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use tenterhook_domain::{
    Scope,
    clock::{Clock as _, SystemClock, millis},
};

use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::{Column, text},
    duration,
    failure::{Failure, Result, code},
    output::Console,
};

const COLUMNS: &[Column] = &[
    Column::new("ID", "/id"),
    Column::new("ROLE", "/principal/role"),
    Column::new("TENANT", "/principal/tenant"),
    Column::new("ENVIRONMENT", "/principal/environment"),
    Column::new("PLUGIN", "/principal/plugin"),
    Column::new("LABEL", "/label"),
    Column::time("CREATED", "/created_at"),
    Column::time("EXPIRES", "/expires_at"),
    Column::new("EXPIRED", "/expired"),
];

/// `token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and write it to stdout; it is shown this once
    Create(CreateArguments),
    /// List the tokens, without their secrets
    List {
        /// Those of this tenant only; what an operator may list
        #[arg(long, short = 't', value_name = "TENANT")]
        tenant: Option<String>,
        #[command(flatten)]
        page: PageArguments,
    },
    /// Make a token worthless from now on
    Revoke {
        /// The token's id: what stands between the first and the second _
        id: String,
        /// The tenant it is of; what an operator may revoke
        #[arg(long, short = 't', value_name = "TENANT")]
        tenant: Option<String>,
    },
}

/// `token create …`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("principal").required(true).multiple(true))]
pub(crate) struct CreateArguments {
    /// What it may do [default: operator of the --tenant]
    #[arg(long, value_enum, value_name = "ROLE", group = "principal")]
    role: Option<Role>,
    /// The tenant of an operator
    #[arg(
        long,
        short = 't',
        value_name = "TENANT",
        group = "principal",
        conflicts_with = "scope"
    )]
    tenant: Option<String>,
    /// The environment of an author or a caller
    #[arg(long, value_name = "TENANT/ENVIRONMENT")]
    scope: Option<Scope>,
    /// The plugin of an author
    #[arg(long, value_name = "PLUGIN", requires = "scope")]
    plugin: Option<String>,
    /// The same as --role admin
    #[arg(long, group = "principal", conflicts_with_all = ["role", "tenant", "scope", "plugin"])]
    admin: bool,
    /// Make it worthless after this time [default: when it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires: Option<Duration>,
    /// What it is for, for a person
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Everything on this host
    Admin,
    /// Everything of one tenant but what only admins may
    Operator,
    /// Push and look at releases of one plugin
    Author,
    /// Start and talk to executions of one environment
    Caller,
}

impl CreateArguments {
    /// Where the token is made, and what is sent.
    fn call(&self) -> Result<Call> {
        let role = match self.role {
            Some(role) => role,
            None if self.admin => Role::Admin,
            None => Role::Operator,
        };
        let needs = |flag: &str| {
            Failure::usage(format!("a token of this role needs {flag}"))
                .with_hint("operator: --tenant; author: --scope and --plugin; caller: --scope")
        };
        let unfit = |flag: &str| {
            Failure::usage(format!("{flag} does not go with this role"))
                .with_hint("operator: --tenant; author: --scope and --plugin; caller: --scope")
        };
        let scope = || self.scope.as_ref().ok_or_else(|| needs("--scope"));
        let principal = match role {
            Role::Admin => json!({"role": "admin"}),
            Role::Operator => {
                let tenant = self.tenant.as_ref().ok_or_else(|| needs("--tenant"))?;
                json!({"role": "operator", "tenant": tenant})
            }
            Role::Author => {
                let (scope, plugin) = (scope()?, self.plugin.as_ref());
                let plugin = plugin.ok_or_else(|| needs("--plugin"))?;
                json!({"role": "author", "tenant": scope.tenant, "environment": scope.environment, "plugin": plugin})
            }
            Role::Caller => {
                let scope = scope()?;
                json!({"role": "caller", "tenant": scope.tenant, "environment": scope.environment})
            }
        };
        for (given, flag, roles) in [
            (self.tenant.is_some(), "--tenant", &[Role::Operator][..]),
            (
                self.scope.is_some(),
                "--scope",
                &[Role::Author, Role::Caller][..],
            ),
            (self.plugin.is_some(), "--plugin", &[Role::Author][..]),
        ] {
            if given && !roles.contains(&role) {
                return Err(unfit(flag));
            }
        }
        let mut body = Map::new();
        let tenant = principal.get("tenant").cloned();
        body.insert("principal".to_owned(), principal);
        if let Some(label) = &self.label {
            body.insert("label".to_owned(), label.as_str().into());
        }
        if let Some(expires) = self.expires {
            let at = SystemClock.now_millis().saturating_add(millis(expires));
            body.insert("expires_at".to_owned(), at.into());
        }
        // The tenant's own door is open to its operators too.
        let tenant = tenant.as_ref().and_then(Value::as_str);
        Ok(Call::post(path(tenant, None)).json(Value::Object(body)))
    }
}

/// The tokens of a tenant, or of the host.
fn path<'a>(tenant: Option<&'a str>, id: Option<&'a str>) -> Vec<&'a str> {
    let of = tenant.map(|tenant| ["tenants", tenant]);
    of.into_iter()
        .flatten()
        .chain(["tokens"])
        .chain(id)
        .collect()
}

impl TokenCommand {
    /// Does it.
    pub(crate) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        match self {
            Self::Create(arguments) => {
                let created = client.call(arguments.call()?).await?;
                let Some(token) = created.get("token") else {
                    return Err(Failure::new(
                        code::ANSWER_INVALID,
                        "the host's answer has no token",
                    ));
                };
                console.value(&created, &text(token))
            }
            Self::List { tenant, page } => {
                let call = Call::get(path(tenant.as_deref(), None));
                let tokens = client.call(page.of(call)).await?;
                console.list(&tokens, COLUMNS)?;
                page::tell_next(&tokens, "--cursor", console);
                Ok(())
            }
            Self::Revoke { id, tenant } => {
                if id.starts_with("tth_") {
                    return Err(Failure::usage("this is a whole token, not its id")
                        .with_hint("the id is what stands between the first and the second _"));
                }
                let call = Call::delete(path(tenant.as_deref(), Some(id)));
                client.call(call).await?;
                console.note(&format!("token {id} is revoked"));
                Ok(())
            }
        }
    }
}
