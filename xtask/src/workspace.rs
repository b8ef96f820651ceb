//! The repository: its folders, its packages, and the cache beside it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use directories::BaseDirs;
use serde_json::Value;

/// The folder of the guests, under the root.
const PLUGINS: &str = "plugins";

/// The repository as cargo sees it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds; `CARGO_TARGET_DIR` and its configuration are honoured.
    pub(crate) target: PathBuf,
    /// The project's folder in the user's cache directory, shared by all clones.
    pub(crate) cache: PathBuf,
    /// Every package under `plugins/` that is a component.
    pub(crate) guests: Vec<Guest>,
}

/// A package that is built to a component.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// The name of its folder under `plugins/`, and of its component.
    pub(crate) name: String,
    /// The name of its package.
    pub(crate) package: String,
    /// The file that cargo builds, without `.wasm`.
    pub(crate) artifact: String,
    /// Whether it has a feature `v2`: the same guest after a change, for tests of releases.
    pub(crate) has_v2: bool,
    /// The profile of the root manifest that it is built by once more, to be measured:
    /// `package.metadata.component.measured` in its manifest.
    pub(crate) measured: Option<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo: install it with https://rustup.rs")?;
        if !output.status.success() {
            bail!("cargo metadata failed ({})", output.status);
        }
        let metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")?;
        let user = BaseDirs::new().context("no home directory: set HOME")?;
        Self::from_metadata(&metadata, user.cache_dir().join("tenterhook"))
    }

    fn from_metadata(metadata: &Value, cache: PathBuf) -> anyhow::Result<Self> {
        let folder = |key: &str| {
            let path = metadata[key].as_str();
            path.map(PathBuf::from)
                .with_context(|| format!("cargo metadata has no {key}"))
        };
        let root = folder("workspace_root")?;
        let plugins = root.join(PLUGINS);
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let mut guests: Vec<Guest> = packages
            .filter_map(|package| Guest::from_metadata(package, &plugins))
            .collect();
        guests.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Self {
            target: folder("target_directory")?,
            root,
            cache,
            guests,
        })
    }

    /// An empty one at these folders.
    #[cfg(test)]
    pub(crate) fn at(root: &Path, target: &Path) -> Self {
        Self {
            root: root.to_owned(),
            target: target.to_owned(),
            cache: PathBuf::new(),
            guests: Vec::new(),
        }
    }

    /// Cargo, in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = cargo();
        cargo.current_dir(&self.root);
        cargo
    }

    /// A program of this workspace as `cargo build --workspace --bins` leaves it.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Where the components lie for tests, demo and bench, whatever the target folder.
    pub(crate) fn guests_folder(&self) -> PathBuf {
        self.target.join("guests")
    }
}

impl Guest {
    fn from_metadata(package: &Value, plugins: &Path) -> Option<Self> {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
        if folder.parent()? != plugins {
            return None;
        }
        let is_component = |target: &&Value| {
            target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.contains(&"cdylib".into()))
        };
        let target = package["targets"].as_array()?.iter().find(is_component)?;
        Some(Self {
            name: folder.file_name()?.to_str()?.to_owned(),
            package: package["name"].as_str()?.to_owned(),
            artifact: target["name"].as_str()?.replace('-', "_"),
            has_v2: package["features"].get("v2").is_some(),
            measured: package["metadata"]["component"]["measured"]
                .as_str()
                .map(str::to_owned),
        })
    }
}

/// What cargo tells this program of its own package. Build scripts of dependencies look at these too (`ring`'s), and
/// would have everything built anew whenever `cargo xtask` follows a plain `cargo`.
const OWN_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The cargo that runs this program, else the one on PATH.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let told = name
            .to_str()
            .is_some_and(|name| OWN_PACKAGE.iter().any(|start| name.starts_with(start)));
        if told {
            cargo.env_remove(name);
        }
    }
    cargo
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn guests_are_the_components_under_plugins() {
        let package = |path: &str, kind: &str, features: Value| {
            json!({
                "name": "tenterhook-odd-one", "manifest_path": path, "features": features,
                "targets": [
                    { "kind": ["test"], "name": "tests" },
                    { "kind": [kind], "name": "odd-one" },
                ],
            })
        };
        let mut zoo = package("/r/plugins/zoo/Cargo.toml", "cdylib", json!({}));
        zoo["metadata"] = json!({ "component": { "measured": "fast" } });
        let metadata = json!({
            "workspace_root": "/r", "target_directory": "/elsewhere",
            "packages": [
                package("/r/host/domain/Cargo.toml", "cdylib", json!({})),
                package("/r/plugins/library/Cargo.toml", "lib", json!({})),
                zoo,
                package("/r/plugins/odd-one/Cargo.toml", "cdylib", json!({ "v2": [] })),
            ],
        });
        let workspace = Workspace::from_metadata(&metadata, "/cache".into()).expect("valid");
        assert_eq!(workspace.guests_folder(), Path::new("/elsewhere/guests"));
        let names: Vec<_> = workspace
            .guests
            .iter()
            .map(|guest| guest.name.as_str())
            .collect();
        assert_eq!(names, ["odd-one", "zoo"]);
        let odd = &workspace.guests[0];
        assert_eq!((odd.artifact.as_str(), odd.has_v2), ("odd_one", true));
        assert_eq!(odd.measured, None);
        assert_eq!(workspace.guests[1].measured.as_deref(), Some("fast"));
    }
}
