//! API tokens: `tth_<id>_<secret>`, of which only a hash is kept.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    error::{Code, Error, Result},
    name::{PluginName, Scope, TenantId},
};

/// Longest label of a token, in characters.
pub const LABEL_CHARS_MAX: usize = 200;
const PREFIX: &str = "tth_";
const ID_BYTES: usize = 9;
const SECRET_BYTES: usize = 32;

/// Who a token speaks for, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case", tag = "role")]
pub enum Principal {
    /// Everything on this host.
    Admin,
    /// Everything of one tenant but what only admins may, nothing else.
    Operator {
        /// Whose.
        tenant: TenantId,
    },
    /// Pushes releases of one plugin, has them checked, and reads what it needs for that.
    Author {
        /// Where.
        #[serde(flatten)]
        scope: Scope,
        /// Which.
        plugin: PluginName,
    },
    /// Starts and talks to executions of one environment.
    Caller {
        /// Where.
        #[serde(flatten)]
        scope: Scope,
    },
}

impl Principal {
    /// The tenant it is bound to; none for an admin.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Admin => None,
            Self::Operator { tenant } => Some(tenant),
            Self::Author { scope, .. } | Self::Caller { scope } => Some(&scope.tenant),
        }
    }

    /// The role's word, as the API writes it.
    pub const fn role(&self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator { .. } => "operator",
            Self::Author { .. } => "author",
            Self::Caller { .. } => "caller",
        }
    }

    /// True if the token may know of `tenant` at all.
    pub fn sees(&self, tenant: &TenantId) -> bool {
        self.tenant().is_none_or(|own| own == tenant)
    }
}

/// A token as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// The public part, by which it is looked up.
    pub id: String,
    /// sha256 of the secret part.
    pub secret_hash: [u8; 32],
    /// Who it speaks for.
    pub principal: Principal,
    /// What it is for, in its maker's words.
    pub label: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
    /// When it ends, milliseconds since the Unix epoch; none: when it is deleted.
    pub expires_at: Option<u64>,
}

/// A new token: the text is shown once, the record is kept.
#[derive(Debug)]
pub struct NewToken {
    /// What the caller sends as bearer token.
    pub text: String,
    /// What the store keeps.
    pub record: TokenRecord,
}

/// Makes a token for `principal`.
///
/// # Errors
/// `internal` when the system has no randomness.
pub fn issue(
    principal: Principal,
    label: &str,
    created_at: u64,
    expires_at: Option<u64>,
) -> Result<NewToken> {
    let mut random = [0; ID_BYTES + SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(Code::Internal, "the system gives no randomness").caused_by(error.to_string())
    })?;
    // `_` parts the fields, so the id must not have one; the secret comes last and may.
    let id = BASE64.encode(&random[..ID_BYTES]).replace('_', "-");
    let secret = BASE64.encode(&random[ID_BYTES..]);
    Ok(NewToken {
        text: format!("{PREFIX}{id}_{secret}"),
        record: TokenRecord {
            id,
            secret_hash: hash(&secret),
            principal,
            label: label.to_owned(),
            created_at,
            expires_at,
        },
    })
}

/// The two parts of a token's text: the id to look it up by, and the secret.
pub fn parse(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(PREFIX)?
        .split_once('_')
        .filter(|(id, secret)| !id.is_empty() && !secret.is_empty())
}

impl TokenRecord {
    /// True until it expires.
    pub fn is_valid_at(&self, now_millis: u64) -> bool {
        self.expires_at.is_none_or(|end| now_millis < end)
    }

    /// Compares `secret` in constant time.
    pub fn matches(&self, secret: &str) -> bool {
        self.secret_hash.ct_eq(&hash(secret)).into()
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_itself_only() {
        let token = issue(Principal::Admin, "", 0, None).unwrap();
        let (id, secret) = parse(&token.text).unwrap();
        assert_eq!(id, token.record.id);
        assert!(token.record.matches(secret));
        assert!(!token.record.matches(&secret[1..]));
        assert!(
            parse("tth_x").is_none() && parse("abc_x_y").is_none() && parse("tth__y").is_none()
        );
    }

    #[test]
    fn a_tenants_token_sees_its_tenant_only() {
        let acme: TenantId = "acme".parse().unwrap();
        let globex: TenantId = "globex".parse().unwrap();
        assert!(Principal::Admin.sees(&acme));
        assert!(
            Principal::Operator {
                tenant: acme.clone()
            }
            .sees(&acme)
        );
        assert!(!Principal::Operator { tenant: acme }.sees(&globex));
    }
}
