//! Which host a command talks to, and with which token.
//!
//! What stands nearest wins: the flags, then the variables, then the data folder in the working directory. A
//! token of a data folder goes to the host of that folder only, never to an address from elsewhere.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use clap::Args;
use url::{Host, Url};

use crate::{
    failure::{Failure, Result, code},
    host_options::{ADMIN_TOKEN_FILE, API_ADDRESS_FILE, DATA_DIR},
    input,
    output::Console,
};

const URL_VARIABLE: &str = "TENTERHOOK_URL";
const TOKEN_VARIABLE: &str = "TENTERHOOK_TOKEN";
const DATA_DIR_VARIABLE: &str = "TENTERHOOK_DATA_DIR";
/// Largest address or token file, in bytes.
const FILE_BYTES_MAX: usize = 4 * 1024;

/// Where the host is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArguments {
    /// The host's API [env: TENTERHOOK_URL] [default: api-address in the data folder]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// The API token; the variable keeps it out of lists of processes [env: TENTERHOOK_TOKEN] [default: admin-token in the data folder]
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<String>,
    /// The data folder of a host on this machine [env: TENTERHOOK_DATA_DIR] [default: ./.tenterhook]
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
}

/// A host and a token for it.
pub(crate) struct Connection {
    /// `http` or `https`; its path is what stands before `/v1`.
    pub(crate) url: Url,
    /// The bearer token.
    pub(crate) token: String,
}

/// Where the URL comes from.
enum Place {
    Url(String),
    Folder(PathBuf),
}

impl ConnectionArguments {
    /// The same token for the host at `url`.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self {
            url: Some(url.to_owned()),
            token: self.token.clone(),
            data_dir: None,
        }
    }

    /// The host and token that these arguments, the environment and the data folder say.
    ///
    /// # Errors
    /// `host-unknown` or `token-missing` where nothing says it, `usage` where the URL cannot be used.
    pub(crate) fn resolve(&self, console: &Console) -> Result<Connection> {
        self.resolve_in(&|name| std::env::var_os(name), console)
    }

    fn resolve_in(
        &self,
        variable: &dyn Fn(&str) -> Option<OsString>,
        console: &Console,
    ) -> Result<Connection> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let place = match (&self.url, &self.data_dir, variable(URL_VARIABLE)) {
            (Some(url), ..) => Place::Url(url.clone()),
            (None, Some(folder), _) => Place::Folder(folder.clone()),
            (None, None, Some(url)) => Place::Url(url.to_string_lossy().into_owned()),
            (None, None, None) => Place::Folder(
                variable(DATA_DIR_VARIABLE).map_or_else(|| DATA_DIR.into(), PathBuf::from),
            ),
        };
        // A folder named by a flag brings its own token: the variable's may be of another host.
        let from_variable =
            || variable(TOKEN_VARIABLE).map(|token| token.to_string_lossy().into_owned());
        let given = self.token.clone().or_else(|| {
            if self.data_dir.is_some() {
                None
            } else {
                from_variable()
            }
        });
        let (url, token) = match place {
            Place::Url(text) => (parse(&text)?, given.ok_or_else(token_missing)?),
            Place::Folder(folder) => {
                let url = address(&folder)?;
                let token = match given {
                    Some(token) => token,
                    None => admin_token(&folder, console)?,
                };
                (url, token)
            }
        };
        let token = token.trim().to_owned();
        if token.is_empty() {
            return Err(token_missing());
        }
        if url.scheme() == "http" && !is_local(&url) {
            console.warn(&format!(
                "the token is sent to {url} without encryption: use https"
            ));
        }
        Ok(Connection { url, token })
    }
}

fn token_missing() -> Failure {
    Failure::new(code::TOKEN_MISSING, "no API token is given")
        .with_hint("set TENTERHOOK_TOKEN, or give --token; `tenterhook token create` makes one")
}

fn parse(text: &str) -> Result<Url> {
    let refused = |why: &str| {
        Failure::usage(format!("{text:?} is not the URL of a host: {why}"))
            .with_hint("write it like https://tenterhook.example.com or http://127.0.0.1:8080")
    };
    let mut url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it is neither http nor https"));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(refused("it has more than scheme, host, port and path"));
    }
    // A host that listens on every address is reached here by the local one.
    let local = match url.host() {
        Some(Host::Ipv4(ip)) if ip.is_unspecified() => Some(Ipv4Addr::LOCALHOST.into()),
        Some(Host::Ipv6(ip)) if ip.is_unspecified() => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    };
    if let Some(ip) = local {
        url.set_ip_host(ip)
            .map_err(|()| refused("it has no host"))?;
    }
    Ok(url)
}

/// True if `url` does not leave this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn address(folder: &Path) -> Result<Url> {
    let file = folder.join(API_ADDRESS_FILE);
    if !file.exists() {
        let detail = format!(
            "no host runs on the data folder {}: {API_ADDRESS_FILE} is not there",
            folder.display()
        );
        return Err(Failure::new(code::HOST_UNKNOWN, detail).with_hint(
            "start one with `tenterhook dev`, or give --data-dir, or --url and --token",
        ));
    }
    let text = text(&file)?;
    if text.contains("://") {
        parse(&text)
    } else {
        parse(&format!("http://{text}"))
    }
}

fn admin_token(folder: &Path, console: &Console) -> Result<String> {
    let file = folder.join(ADMIN_TOKEN_FILE);
    let token = text(&file).map_err(|failure| {
        failure.with_hint(
            "give --token, or set TENTERHOOK_TOKEN; only the host's own user may read the file",
        )
    })?;
    if is_open_to_others(&file) {
        console.warn(&format!(
            "{} can be read by others, who then may do everything: chmod 600 it, and revoke the token if they did",
            file.display()
        ));
    }
    Ok(token)
}

fn text(file: &Path) -> Result<String> {
    let bytes = input::file_bytes(file, FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        Failure::new(
            code::FILE_UNREADABLE,
            format!("{} is not text", file.display()),
        )
        .caused_by(&error)
    })?;
    Ok(text.trim().to_owned())
}

#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    const GROUP_AND_OTHERS: u32 = 0o077;
    std::fs::metadata(file)
        .is_ok_and(|metadata| metadata.permissions().mode() & GROUP_AND_OTHERS != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
#[path = "connection/tests.rs"]
mod tests;
