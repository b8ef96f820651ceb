//! Credentials in a Docker configuration file: what `docker login`, `oras login` and Kubernetes' registry secrets write.

use std::{collections::HashMap, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use tenterhook_domain::{Code, Error, Result};

/// Of the file, only what is stored in it: the helpers that it may name are programs, and none is run.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// `user:password` in base64.
    #[serde(default)]
    auth: Option<String>,
}

/// What `file` says for `registry`; nobody where it says nothing.
///
/// # Errors
/// `host-config-invalid`, with the file's name and never with what stands in it.
pub(crate) async fn of_file(file: &Path, registry: &str) -> Result<RegistryAuth> {
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| unreadable(file, "cannot be read").caused_by(error))?;
    of_bytes(&bytes, registry).map_err(|why| unreadable(file, why))
}

fn of_bytes(bytes: &[u8], registry: &str) -> Result<RegistryAuth, &'static str> {
    let config: ConfigFile =
        serde_json::from_slice(bytes).map_err(|_| "is no Docker configuration")?;
    let entry = config.auths.get(registry);
    let Some(auth) = entry.and_then(|entry| entry.auth.as_deref()) else {
        return Ok(RegistryAuth::Anonymous);
    };
    let text = BASE64.decode(auth).ok();
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) = pair.ok_or("holds an `auth` that is not user:password in base64")?;
    Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
}

fn unreadable(file: &Path, why: &str) -> Error {
    Error::new(
        Code::HostConfigInvalid,
        format!("the registries' credentials: {} {why}", file.display()),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_gets_its_own() {
        let text = format!(
            r#"{{"auths": {{"r.example": {{"auth": "{}"}}, "helped.example": {{}}}}, "credsStore": "x"}}"#,
            BASE64.encode("me:a:b")
        );
        let of = |registry| of_bytes(text.as_bytes(), registry).unwrap();
        assert_eq!(
            of("r.example"),
            RegistryAuth::Basic("me".into(), "a:b".into())
        );
        assert_eq!(of("helped.example"), RegistryAuth::Anonymous);
        assert_eq!(of("other.example"), RegistryAuth::Anonymous);
        assert_eq!(of_bytes(b"{}", "x"), Ok(RegistryAuth::Anonymous));
        for bad in [
            "",
            "7",
            r#"{"auths": {"x": {"auth": "%"}}}"#,
            r#"{"auths": {"x": {"auth": "bWU="}}}"#,
        ] {
            assert!(of_bytes(bad.as_bytes(), "x").is_err(), "{bad}");
        }
    }
}
