//! `wants`: what the plugin asks its operator for.

use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitBool, Token, braced};

use super::{list, literal};
use crate::function::error;

const KEYS: &str = "`http: [\"host\"]`, `keyvalue: true` and `config: [\"key\"]`";

/// The grants asked for.
#[derive(Default)]
pub(super) struct Wants {
    pub(super) http: Vec<Expr>,
    pub(super) keyvalue: bool,
    pub(super) config: Vec<Expr>,
}

impl Parse for Wants {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(syn::token::Brace) {
            return Err(input.error(format!("write `wants: {{ … }}` with {KEYS}")));
        }
        let content;
        braced!(content in input);
        let mut wants = Self::default();
        while !content.is_empty() {
            let key: Ident = content.parse()?;
            content.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "http" => wants.http = list(&content, &key)?,
                "keyvalue" => {
                    wants.keyvalue = content
                        .parse::<LitBool>()
                        .map_err(|wrong| {
                            syn::Error::new(
                                wrong.span(),
                                "`keyvalue` is asked for or not: write `keyvalue: true`",
                            )
                        })?
                        .value;
                }
                "config" => wants.config = list(&content, &key)?,
                _ => {
                    return Err(error(
                        &key,
                        &format!(
                            "a plugin cannot want `{key}`; it wants {KEYS}. Secrets are granted by the operator alone"
                        ),
                    ));
                }
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        wants.http.iter().try_for_each(host)?;
        Ok(wants)
    }
}

/// A host that is written out is one.
fn host(expression: &Expr) -> syn::Result<()> {
    let Some((text, host)) = literal(expression) else {
        return Ok(());
    };
    if host
        .strip_prefix("config:")
        .is_some_and(|key| !key.is_empty())
    {
        return Ok(());
    }
    if host.is_empty() || host.contains('/') || host.starts_with("config:") {
        return Err(error(
            text,
            &format!(
                "\"{host}\" is no host: write it without scheme and path, as \"api.example.com\" or \"api.example.com:8443\", or \"config:KEY\" for the host of the URL in that configuration key"
            ),
        ));
    }
    Ok(())
}
