//! May this token do that, there?
//!
//! First the place: to a token that may not know of it, it does not exist, in the very words of the store. Then the
//! role: what a token may know of and not do is refused as such.

use axum::extract::{FromRequestParts as _, RawPathParams};
use http::request::Parts;
use tenterhook_domain::{Code, Error, PluginName, Result, Scope, TenantId, token::Principal};

use crate::{Access, request::path_invalid};

/// Lets `principal` do what `access` asks for at the place in the path.
///
/// # Errors
/// `permission-denied`; `tenant-not-found`, `environment-not-found` or `plugin-not-found`; `request-invalid` or
/// `name-invalid` for a path that cannot be read.
pub(super) async fn permit(access: Access, principal: &Principal, parts: &mut Parts) -> Result<()> {
    match (access, principal) {
        (Access::Open | Access::Authenticated, _) | (_, Principal::Admin) => Ok(()),
        // Said before anything is looked up, so that it tells nothing of what is there.
        (Access::Admin, _) => Err(denied(access, principal)),
        _ => {
            let params = RawPathParams::from_request_parts(parts, &())
                .await
                .map_err(|rejection| path_invalid(&rejection.body_text()))?;
            Place::read(&params)?.known_to(principal)?;
            if may(access, principal) {
                Ok(())
            } else {
                Err(denied(access, principal))
            }
        }
    }
}

/// Which roles an operation is for, once the place is known to the token.
fn may(access: Access, principal: &Principal) -> bool {
    match principal {
        Principal::Admin => true,
        Principal::Operator { .. } => access != Access::Admin,
        Principal::Author { .. } => matches!(access, Access::Member | Access::Author),
        Principal::Caller { .. } => matches!(access, Access::Member | Access::Caller),
    }
}

fn denied(access: Access, principal: &Principal) -> Error {
    let takes = match access {
        Access::Author => "the plugin's author, the tenant's operator or an admin",
        Access::Caller => "a caller of the environment, the tenant's operator or an admin",
        Access::Operator => "the tenant's operator or an admin",
        _ => "an admin",
    };
    Error::new(
        Code::PermissionDenied,
        format!(
            "a token of role {} may not do this: it takes one of {takes}",
            principal.role()
        ),
    )
}

/// What a path names.
struct Place {
    tenant: TenantId,
    scope: Option<Scope>,
    plugin: Option<PluginName>,
}

impl Place {
    fn read(params: &RawPathParams) -> Result<Self> {
        let get = |name: &str| {
            let found = params.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value)
        };
        let tenant: TenantId = get("tenant")
            .ok_or_else(|| {
                Error::new(
                    Code::Internal,
                    "a route for tenants has no tenant in its path",
                )
            })?
            .parse()?;
        let scope = match get("environment") {
            Some(environment) => Some(Scope::new(tenant.clone(), environment.parse()?)),
            None => None,
        };
        let plugin = get("plugin").map(str::parse).transpose()?;
        Ok(Self {
            tenant,
            scope,
            plugin,
        })
    }

    fn known_to(&self, principal: &Principal) -> Result<()> {
        if !principal.sees(&self.tenant) {
            return Err(Error::new(
                Code::TenantNotFound,
                format!("there is no tenant {}", self.tenant),
            ));
        }
        let (own, own_plugin) = match principal {
            Principal::Admin | Principal::Operator { .. } => return Ok(()),
            Principal::Author { scope, plugin } => (scope, Some(plugin)),
            Principal::Caller { scope } => (scope, None),
        };
        let Some(scope) = &self.scope else {
            return Ok(());
        };
        if scope != own {
            return Err(Error::new(
                Code::EnvironmentNotFound,
                format!(
                    "tenant {} has no environment {}",
                    scope.tenant, scope.environment
                ),
            ));
        }
        match (&self.plugin, own_plugin) {
            (Some(plugin), Some(own)) if plugin != own => Err(Error::new(
                Code::PluginNotFound,
                format!("{scope} has no plugin {plugin}"),
            )),
            _ => Ok(()),
        }
    }
}
