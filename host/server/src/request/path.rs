//! What a path names, as the words of `domain`.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, ScheduleId, Scope, TenantId, name::TYPE_BYTES_MAX,
    secret_key::SecretPlace,
};

use crate::{document, problem::Problem};

/// Longest id of a token that is looked up, in characters.
const TOKEN_ID_CHARS_MAX: usize = 64;

pub(crate) fn path_invalid(why: &str) -> Error {
    Error::new(
        Code::RequestInvalid,
        format!("the path cannot be read: {why}"),
    )
}

/// The decoded segments that the route names.
struct Segments(RawPathParams);

impl Segments {
    fn get(&self, name: &str) -> Result<&str> {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .ok_or_else(|| Error::new(Code::Internal, format!("a route has no {name} in its path")))
    }

    fn scope(&self) -> Result<Scope> {
        Ok(Scope::new(
            self.get("tenant")?.parse()?,
            self.get("environment")?.parse()?,
        ))
    }
}

macro_rules! places {
    ($($(#[doc = $doc:literal])+ $name:ident { $($field:ident: $type:ty),+ } |$segments:ident| $read:expr;)+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name { $(pub(crate) $field: $type,)+ }

        impl $name {
            fn read($segments: &Segments) -> Result<Self> {
                $read
            }
        }

        impl document::Reads for $name {}

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let params = RawPathParams::from_request_parts(parts, state)
                    .await
                    .map_err(|rejection| path_invalid(&rejection.body_text()))?;
                Ok(Self::read(&Segments(params))?)
            }
        }
    )+};
}

places! {
    /// `…/tenants/{tenant}`.
    AtTenant { tenant: TenantId } |segments| Ok(Self {
        tenant: segments.get("tenant")?.parse()?,
    });
    /// `…/environments/{environment}`.
    AtScope { scope: Scope } |segments| Ok(Self {
        scope: segments.scope()?,
    });
    /// `…/plugins/{plugin}`.
    AtPlugin { scope: Scope, plugin: PluginName } |segments| Ok(Self {
        scope: segments.scope()?,
        plugin: segments.get("plugin")?.parse()?,
    });
    /// `…/releases/{digest}`.
    AtRelease { scope: Scope, plugin: PluginName, digest: Digest } |segments| Ok(Self {
        scope: segments.scope()?,
        plugin: segments.get("plugin")?.parse()?,
        digest: segments.get("digest")?.parse()?,
    });
    /// `…/secrets/{secret}`.
    AtSecret { place: SecretPlace } |segments| Ok(Self {
        place: SecretPlace {
            scope: segments.scope()?,
            plugin: segments.get("plugin")?.parse()?,
            name: segments.get("secret")?.parse()?,
        },
    });
    /// `…/schedules/{schedule}`.
    AtSchedule { scope: Scope, id: ScheduleId } |segments| Ok(Self {
        scope: segments.scope()?,
        id: segments.get("schedule")?.parse()?,
    });
    /// `…/workflows/{id}`.
    AtWorkflow { scope: Scope, id: String } |segments| {
        let scope = segments.scope()?;
        let id = workflow_id(&scope, segments)?;
        Ok(Self { scope, id })
    };
    /// `…/workflows/{id}/signals/{name}` and the like.
    AtMessage { scope: Scope, id: String, name: String } |segments| {
        let scope = segments.scope()?;
        let id = workflow_id(&scope, segments)?;
        Ok(Self { scope, id, name: message_name(segments)? })
    };
    /// `/v1/tokens/{token}`.
    AtToken { id: String } |segments| Ok(Self {
        id: token_id(segments)?,
    });
    /// `/v1/tenants/{tenant}/tokens/{token}`.
    AtTenantToken { tenant: TenantId, id: String } |segments| Ok(Self {
        tenant: segments.get("tenant")?.parse()?,
        id: token_id(segments)?,
    });
}

fn token_id(segments: &Segments) -> Result<String> {
    let id = segments.get("token")?;
    if id.chars().count() > TOKEN_ID_CHARS_MAX {
        return Err(Error::new(
            Code::RequestInvalid,
            "that is no token's id: give what stands between the first and the second _ of the token",
        ));
    }
    Ok(id.to_owned())
}

fn workflow_id(scope: &Scope, segments: &Segments) -> Result<String> {
    let id = segments.get("id")?;
    scope.temporal_id(id)?;
    Ok(id.to_owned())
}

fn message_name(segments: &Segments) -> Result<String> {
    let name = segments.get("name")?;
    if name.is_empty() || name.len() > TYPE_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Error::new(
            Code::NameInvalid,
            format!(
                "{:?} is not the name of a signal, query or update: use 1 to {TYPE_BYTES_MAX} bytes without control characters",
                name.chars().take(64).collect::<String>()
            ),
        ));
    }
    Ok(name.to_owned())
}
