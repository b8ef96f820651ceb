//! The signed header that says which scope and plugin an execution or activity belongs to.
//!
//! A token is `v1.<key id>.<claims>.<mac>`: claims are base64url JSON, the mac is HMAC-SHA256 over all that
//! stands before it. It is bound to one workflow id, so a header taken from one execution is worth nothing
//! on another. The one of a schedule is bound to the ids of what it starts (`schedule`).

mod key;
mod schedule;

use std::sync::{Arc, PoisonError, RwLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    name::{EnvironmentName, PluginName, Scope, TenantId, TypeName},
};

pub use key::{
    CONTEXT_KEY_DELAY_MILLIS, CONTEXT_KEY_DELAY_MILLIS_MAX, CONTEXT_KEY_GRACE_MILLIS,
    CONTEXT_KEYS_MAX, ContextKey, ContextKeyEntry, ContextKeySet, ContextKeyState, KeptContextKey,
};
pub use schedule::ScheduleContext;

/// The Temporal header field that carries the token.
pub const HEADER: &str = "tenterhook-context";
/// Longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// How long after it was signed a context may still begin something, in milliseconds: a day, for who signs and who
/// takes it up may be apart that long when Temporal was away, and their clocks never are. What has begun goes on for as
/// long as it takes.
pub const CONTEXT_LIFE_MILLIS: u64 = 24 * 60 * 60 * 1_000;
const VERSION: &str = "v1";
/// So much of a key's id is repeated to who meets it; ours are shorter.
const KEY_ID_CHARS_SHOWN: usize = 16;

/// What a context header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Whose execution it is.
    pub scope: Scope,
    /// The plugin that owns the workflow or activity type.
    pub plugin: PluginName,
    /// The execution as Temporal knows it, scope included.
    pub workflow_id: String,
    /// The release to run, where it is given by an ancestor: the workflow's own for its activities, the
    /// parent's for children of the same plugin.
    pub digest: Option<Digest>,
    /// When what it is of must have begun at the latest, in milliseconds since the Unix epoch. None where nobody knows
    /// when that will be. Of one that was read it is earlier where its key was retired earlier.
    pub begins_by: Option<u64>,
}

impl Context {
    /// Refuses what began after its time, at `began_at`, by the server's own record.
    ///
    /// # Errors
    /// `context-invalid`.
    pub fn check_begun(&self, began_at: u64) -> Result<()> {
        check_begun(self.begins_by, began_at)
    }
}

fn check_begun(begins_by: Option<u64>, began_at: u64) -> Result<()> {
    match begins_by {
        Some(by) if began_at > by => Err(refused(
            "it has expired or its key was retired, for what it was signed for should have begun before",
        )),
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    tenant: TenantId,
    environment: EnvironmentName,
    plugin: PluginName,
    workflow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    /// Of a schedule: the type that it starts. Then `workflow` is what the ids of its executions begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts: Option<TypeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begins_by: Option<u64>,
}

/// The keys that a host signs and verifies with: one signs, every one verifies. Who holds them follows the key set of the
/// database without being told: see [`ContextKeys::follow`].
#[derive(Debug)]
pub struct ContextKeys {
    now: RwLock<Arc<Keys>>,
}

#[derive(Debug)]
struct Keys {
    signing: ContextKey,
    verifying: Vec<ContextKey>,
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &ContextKey> {
        std::iter::once(&self.signing).chain(&self.verifying)
    }
}

impl ContextKey {
    fn mac(&self, signed: &str) -> Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).map_err(|error| {
            Error::new(Code::Internal, "the context key has no usable length").caused_by(error)
        })?;
        mac.update(signed.as_bytes());
        Ok(mac)
    }
}

impl ContextKeys {
    /// `signing` signs; `others` are accepted too.
    pub fn new(signing: ContextKey, others: Vec<ContextKey>) -> Self {
        let keys = Keys {
            signing,
            verifying: others,
        };
        Self {
            now: RwLock::new(Arc::new(keys)),
        }
    }

    /// Puts `newer` in the place of these keys, for all who hold them. True if another key signs now.
    pub fn follow(&self, newer: Self) -> bool {
        let newer = newer.now();
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let changed = now.signing.id != newer.signing.id;
        *now = newer;
        changed
    }

    fn now(&self) -> Arc<Keys> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }

    /// The id of the key that signs now.
    pub fn signing_id(&self) -> String {
        self.now().signing.id.clone()
    }

    /// The token for `context`.
    ///
    /// # Errors
    /// `internal` only: the claims always serialise.
    pub fn sign(&self, context: &Context) -> Result<String> {
        let claims = Claims {
            tenant: context.scope.tenant.clone(),
            environment: context.scope.environment.clone(),
            plugin: context.plugin.clone(),
            workflow: context.workflow_id.clone(),
            digest: context.digest,
            starts: None,
            begins_by: context.begins_by,
        };
        self.sign_claims(&claims)
    }

    fn sign_claims(&self, claims: &Claims) -> Result<String> {
        let json = serde_json::to_vec(claims).map_err(|error| {
            Error::new(Code::Internal, "the context's claims do not serialise").caused_by(error)
        })?;
        let now = self.now();
        let signed = format!("{VERSION}.{}.{}", now.signing.id, BASE64.encode(json));
        let mac = BASE64.encode(now.signing.mac(&signed)?.finalize().into_bytes());
        Ok(format!("{signed}.{mac}"))
    }

    /// Secrets for another purpose, one for each key that is not retired; the first belongs to the key that signs. They tell
    /// nothing of the keys, nor of the secrets for other purposes.
    ///
    /// # Errors
    /// `internal` only: the keys have a usable length.
    pub fn derive(&self, purpose: &str) -> Result<Vec<[u8; 32]>> {
        let now = self.now();
        let coming = now.verifying.iter().filter(|key| key.begins_by.is_none());
        let keys = std::iter::once(&now.signing).chain(coming);
        // What is signed as a token begins with a version, so none is ever mistaken for a purpose.
        keys.map(|key| {
            Ok(key
                .mac(&format!("for {purpose}"))?
                .finalize()
                .into_bytes()
                .into())
        })
        .collect()
    }

    /// Reads and checks `token`, which must be of the execution `workflow_id`.
    ///
    /// # Errors
    /// `context-invalid` when it is malformed, forged, or of another execution; `context-key-unknown` when it names a key
    /// that is not among these.
    pub fn verify(&self, token: &str, workflow_id: &str) -> Result<Context> {
        let claims = self.read(token)?;
        if claims.starts.is_some() || claims.workflow != workflow_id {
            return Err(refused("it belongs to another execution"));
        }
        Ok(claims.into_context())
    }

    /// What `token` says, if one of the keys signed it. A key that another follows narrows when it must have begun.
    fn read(&self, token: &str) -> Result<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused("it is too long"));
        }
        let (signed, mac) = token
            .rsplit_once('.')
            .ok_or_else(|| refused("it is malformed"))?;
        let mut parts = signed.split('.');
        let (Some(VERSION), Some(key_id), Some(claims), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused("it is malformed"));
        };
        let now = self.now();
        let key = now
            .all()
            .find(|key| key.id == key_id)
            .ok_or_else(|| unknown(key_id))?;
        let mac = BASE64.decode(mac).map_err(|_| refused("it is malformed"))?;
        key.mac(signed)?
            .verify_slice(&mac)
            .map_err(|_| refused("its signature does not match"))?;
        let claims = BASE64
            .decode(claims)
            .map_err(|_| refused("it is malformed"))?;
        let mut claims: Claims =
            serde_json::from_slice(&claims).map_err(|_| refused("its claims cannot be read"))?;
        claims.begins_by = claims.begins_by.into_iter().chain(key.begins_by).min();
        Ok(claims)
    }
}

impl Claims {
    fn into_context(self) -> Context {
        Context {
            scope: Scope::new(self.tenant, self.environment),
            plugin: self.plugin,
            workflow_id: self.workflow,
            digest: self.digest,
            begins_by: self.begins_by,
        }
    }
}

fn refused(why: &str) -> Error {
    Error::new(
        Code::ContextInvalid,
        format!("the context header is refused: {why}"),
    )
}

/// Said apart from a forgery: the key may be one that this host has not heard of yet, so the work is tried again.
fn unknown(key_id: &str) -> Error {
    let shown: String = key_id.chars().take(KEY_ID_CHARS_SHOWN).collect();
    Error::new(
        Code::ContextKeyUnknown,
        format!(
            "the context header is signed with key {shown:?}, which this host does not know: it is forged, or the host has \
             not heard of a new key yet"
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            scope: "acme/production".parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            workflow_id: "acme/production/p-1".into(),
            digest: Some(Digest::of(b"x")),
            begins_by: Some(1_000),
        }
    }

    fn key(id: &str, byte: u8) -> ContextKey {
        ContextKey::new(id, [byte; 32])
    }

    #[test]
    fn what_is_signed_is_read_back_also_after_rotation() {
        let old = ContextKeys::new(key("a", 1), vec![]);
        let token = old.sign(&context()).unwrap();
        let rotated = ContextKeys::new(key("b", 2), vec![key("a", 1)]);
        assert_eq!(
            rotated.verify(&token, "acme/production/p-1").unwrap(),
            context()
        );
        let dropped = ContextKeys::new(key("b", 2), vec![]);
        assert_eq!(
            dropped
                .verify(&token, "acme/production/p-1")
                .unwrap_err()
                .code(),
            Code::ContextKeyUnknown
        );
    }

    #[test]
    fn what_began_in_time_is_taken_for_ever_and_what_began_later_never() {
        let within = context();
        for (began_at, taken) in [(0, true), (1_000, true), (1_001, false)] {
            assert_eq!(within.check_begun(began_at).is_ok(), taken, "{began_at}");
        }
        let unknown = Context {
            begins_by: None,
            ..context()
        };
        assert!(unknown.check_begun(u64::MAX).is_ok());
        // A header of before there was a time has none.
        let claims = r#"{"tenant":"acme","environment":"production","plugin":"p","workflow":"w"}"#;
        let claims: Claims = serde_json::from_str(claims).unwrap();
        assert_eq!(claims.begins_by, None);
    }

    #[test]
    fn forged_moved_and_malformed_tokens_are_refused() {
        let keys = ContextKeys::new(key("a", 1), vec![]);
        let token = keys.sign(&context()).unwrap();
        assert!(
            keys.verify(&token, "acme/production/p-2").is_err(),
            "of another execution"
        );
        let other = ContextKeys::new(key("a", 9), vec![])
            .sign(&context())
            .unwrap();
        assert!(
            keys.verify(&other, "acme/production/p-1").is_err(),
            "signed with another secret"
        );
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(
                    keys.verify(&changed, "acme/production/p-1").is_err(),
                    "changed at {at}"
                );
            }
        }
        for text in ["", ".", "v1.a.e30", "v2.a.e30.AA", "v1.a.e30.AA.BB"] {
            assert!(
                keys.verify(text, "acme/production/p-1").is_err(),
                "{text:?}"
            );
        }
    }
}
