//! `token`: what callers of the API show.

use clap::{ArgGroup, Subcommand};
use serde_json::json;

use super::page::{self, PageArguments};
use crate::{
    client::{Call, Client},
    column::{Column, text},
    failure::{Failure, Result, code},
    output::Console,
};

const COLUMNS: &[Column] = &[
    Column::new("ID", "/id"),
    Column::new("ROLE", "/principal/role"),
    Column::new("TENANT", "/principal/tenant"),
];

/// `token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and write it to stdout; it is shown this once
    #[command(group = ArgGroup::new("principal").required(true))]
    Create {
        /// The token may do everything of this tenant, and nothing else
        #[arg(long, short = 't', value_name = "TENANT", group = "principal")]
        tenant: Option<String>,
        /// The token may do everything on this host
        #[arg(long, group = "principal")]
        admin: bool,
    },
    /// List the tokens, without their secrets
    List {
        #[command(flatten)]
        page: PageArguments,
    },
    /// Make a token worthless from now on
    Revoke {
        /// The token's id: what stands between the first and the second _
        id: String,
    },
}

impl TokenCommand {
    /// Does it.
    pub(crate) async fn run(&self, client: &Client, console: &Console) -> Result<()> {
        match self {
            Self::Create { tenant, .. } => {
                let principal = match tenant {
                    Some(tenant) => json!({"role": "operator", "tenant": tenant}),
                    None => json!({"role": "admin"}),
                };
                let created = client
                    .call(Call::post(["tokens"]).json(json!({"principal": principal})))
                    .await?;
                let Some(token) = created.get("token") else {
                    return Err(Failure::new(
                        code::ANSWER_INVALID,
                        "the host's answer has no token",
                    ));
                };
                console.value(&created, &text(token))
            }
            Self::List { page } => {
                let tokens = client.call(page.of(Call::get(["tokens"]))).await?;
                console.list(&tokens, COLUMNS)?;
                page::tell_next(&tokens, "--cursor", console);
                Ok(())
            }
            Self::Revoke { id } => {
                if id.starts_with("tth_") {
                    return Err(Failure::usage("this is a whole token, not its id")
                        .with_hint("the id is what stands between the first and the second _"));
                }
                client.call(Call::delete(["tokens", id])).await?;
                console.note(&format!("token {id} is revoked"));
                Ok(())
            }
        }
    }
}
