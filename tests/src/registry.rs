//! A private OCI registry for tests, the CNCF's distribution from Debian's package: its own folder, a free port on
//! 127.0.0.1, gone with the process that started it.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::OciImageManifest,
    secrets::RegistryAuth,
};
use tempfile::TempDir;
use tenterhook_domain::Digest;

use crate::host::{die_with_us, spawn_from_lasting_thread};

/// Where Debian puts the program.
const PROGRAM: &str = "/usr/bin/docker-registry";
/// How long it may take to start, on a busy machine.
const READY_MAX: Duration = Duration::from_secs(60);
/// Who may use a registry that asks: the user, the password, and the password as the registry knows it (bcrypt).
pub const USER: (&str, &str) = ("ci", "a-password");
const HTPASSWD: &str = "ci:$2b$04$9Lduopi/Nv3xRAxwvbqbdeDyf0Q0X6O32UmiwUIPdlmzYpEib1SDC\n";

/// The config type of the CNCF's Wasm layout.
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The layer type of the CNCF's Wasm layout.
pub const WASM_LAYER: &str = "application/wasm";

/// A running registry. Dropping it ends it.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    folder: TempDir,
    address: String,
    auth: RegistryAuth,
}

impl Registry {
    /// Starts one that lets everybody in.
    ///
    /// # Errors
    /// When it is not installed, naming the package, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with("", RegistryAuth::Anonymous)
    }

    /// Starts one that asks for [`USER`].
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub fn start_private() -> anyhow::Result<Self> {
        let (user, password) = USER;
        let auth = RegistryAuth::Basic(user.to_owned(), password.to_owned());
        Self::start_with("auth: {htpasswd: {realm: tests, path: users}}\n", auth)
    }

    fn start_with(further: &str, auth: RegistryAuth) -> anyhow::Result<Self> {
        crate::install_tls();
        ensure!(
            Path::new(PROGRAM).is_file(),
            "no registry is installed: apt-get install docker-registry"
        );
        let folder = tempfile::tempdir()?;
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n\
             log: {{accesslog: {{disabled: true}}}}\n{further}",
            folder.path().join("data").display()
        );
        std::fs::write(folder.path().join("config.yml"), config)?;
        std::fs::write(folder.path().join("users"), HTPASSWD)?;
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "config.yml"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        die_with_us(&mut command);
        let mut child = spawn_from_lasting_thread(command)?;
        let log = child.stderr.take().context("the registry has no log")?;
        match listening(log) {
            Ok(address) => Ok(Self {
                child,
                folder,
                address,
                auth,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Where it listens, `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Pushes a component in the CNCF's Wasm layout as `repository:tag`. Answers the reference by its digest.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn push(&self, name: &str, component: impl Into<Bytes>) -> anyhow::Result<String> {
        let layer = ImageLayer::new(component, WASM_LAYER.to_owned(), None);
        self.push_as(name, WASM_CONFIG, vec![layer]).await
    }

    /// Pushes any layers with a config of any type.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn push_as(
        &self,
        name: &str,
        config: &str,
        layers: Vec<ImageLayer>,
    ) -> anyhow::Result<String> {
        self.push_manifest(name, config, &layers, None).await
    }

    /// Pushes a manifest whose layer the registry does not have, and which says that it is at `url`.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn push_foreign(
        &self,
        name: &str,
        component: impl Into<Bytes>,
        url: &str,
    ) -> anyhow::Result<String> {
        let layer = ImageLayer::new(component, WASM_LAYER.to_owned(), None);
        let config = Config::new(Bytes::from_static(b"{}"), WASM_CONFIG.to_owned(), None);
        let mut manifest = OciImageManifest::build(&[layer], &config, None);
        manifest.layers[0].urls = Some(vec![url.to_owned()]);
        self.push_manifest(name, WASM_CONFIG, &[], Some(manifest))
            .await
    }

    async fn push_manifest(
        &self,
        name: &str,
        config: &str,
        layers: &[ImageLayer],
        manifest: Option<OciImageManifest>,
    ) -> anyhow::Result<String> {
        let config = Config::new(Bytes::from_static(b"{}"), config.to_owned(), None);
        let image: Reference = format!("{}/{name}", self.address).parse()?;
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            ..ClientConfig::default()
        });
        client
            .push(&image, layers, config, &self.auth, manifest)
            .await?;
        let digest = client.fetch_manifest_digest(&image, &self.auth).await?;
        Ok(format!("{}/{name}@{digest}", self.address))
    }

    /// Where it keeps the bytes of `digest`.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let blobs = "data/docker/registry/v2/blobs/sha256";
        let folder = self.folder.path().join(blobs);
        folder.join(&hex[..2]).join(&hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address that the registry says in its log; reads on to the end, for what nobody reads stands still.
fn listening(log: impl std::io::Read + Send + 'static) -> anyhow::Result<String> {
    let (said, is_said) = mpsc::channel();
    thread::spawn(move || {
        let mut words = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("listening on ") {
                let address = rest.split('"').next().unwrap_or_default();
                let _ = said.send(Ok(address.to_owned()));
            }
            if words.len() < 16 * 1024 {
                words = format!("{words}{line}\n");
            }
        }
        let _ = said.send(Err(words));
    });
    match is_said.recv_timeout(READY_MAX) {
        Ok(Ok(address)) => Ok(address),
        Ok(Err(words)) => bail!("the registry ended at once:\n{words}"),
        Err(_) => bail!("the registry is not ready within {READY_MAX:?}"),
    }
}
