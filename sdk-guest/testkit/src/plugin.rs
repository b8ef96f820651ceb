//! The plugin under test: the bytes that ship, compiled as a host compiles them.

use std::{
    collections::HashMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tenterhook_domain::{Digest, PluginName, component::Metadata};
use tenterhook_sandbox::LoadedComponent;

use crate::{cargo, lab::lab};

/// Largest component that a host takes is far below; what is read is bounded by the file system.
const WASM: &str = "wasm";

/// A component, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    name: PluginName,
    metadata: Metadata,
    component: Arc<LoadedComponent>,
    bytes: Bytes,
}

impl Plugin {
    /// The plugin whose crate is in the folder `manifest_dir`: `Plugin::of(env!("CARGO_MANIFEST_DIR"))`.
    ///
    /// Cargo builds it for `wasm32-wasip2`, once for all tests of one process and quickly where nothing changed.
    ///
    /// # Panics
    /// When it does not build, or is no component that a host would take; says why.
    pub fn of(manifest_dir: impl AsRef<Path>) -> Self {
        let folder = manifest_dir.as_ref();
        once(folder, || {
            let file = cargo::build(folder)?;
            Self::load(&file)
        })
    }

    /// The component in `file`. One that gives no name of its own is called as the file.
    ///
    /// # Panics
    /// When it cannot be read, or is no component that a host would take; says why.
    pub fn from_file(file: impl AsRef<Path>) -> Self {
        let file = file.as_ref();
        once(file, || Self::load(file))
    }

    /// A component of this repository's tests, as `cargo xtask guests` leaves it beside what cargo builds.
    ///
    /// # Panics
    /// As [`Self::from_file`].
    #[doc(hidden)]
    pub fn guest(name: &str) -> Self {
        let file = format!("{name}.{WASM}");
        Self::from_file(crate::target::folder().join("guests").join(file))
    }

    fn load(file: &Path) -> Result<Self, String> {
        let bytes = fs::read(file)
            .map_err(|error| format!("{}: {error}; build the component first", file.display()))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let unnamed: PluginName = stem
            .replace('_', "-")
            .parse()
            .map_err(|error| format!("{}: {error}", file.display()))?;
        Self::load_bytes(unnamed, bytes.into())
            .map_err(|error| format!("{}: {error}", file.display()))
    }

    fn load_bytes(unnamed: PluginName, bytes: Bytes) -> Result<Self, String> {
        let lab = lab();
        let loaded = lab.wait(async move {
            let (name, metadata) = lab.sandbox.describe(&unnamed, bytes.clone()).await?;
            let digest = Digest::of(&bytes);
            let kept = bytes.clone();
            let component = lab.sandbox.load(digest, async { Ok(kept) }).await?;
            Ok(Inner {
                name,
                metadata,
                component,
                bytes,
            })
        });
        loaded
            .map(|inner| Self {
                inner: Arc::new(inner),
            })
            .map_err(|error: tenterhook_domain::Error| error.to_string())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.inner.name.as_str()
    }

    /// The digest that a host would know it by.
    pub fn digest(&self) -> String {
        self.inner.component.digest().to_string()
    }

    /// The component's size, in bytes.
    pub fn size(&self) -> usize {
        self.inner.bytes.len()
    }

    pub(crate) fn plugin_name(&self) -> &PluginName {
        &self.inner.name
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    pub(crate) fn component(&self) -> &Arc<LoadedComponent> {
        &self.inner.component
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish()
    }
}

/// What `load` makes of `path`, made once in this process.
fn once(path: &Path, load: impl FnOnce() -> Result<Plugin, String>) -> Plugin {
    static LOADED: Mutex<Option<HashMap<PathBuf, Plugin>>> = Mutex::new(None);
    let loaded = {
        let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        match all.get(path) {
            Some(plugin) => Ok(plugin.clone()),
            None => load().inspect(|plugin| {
                all.insert(path.to_owned(), plugin.clone());
            }),
        }
    };
    loaded.unwrap_or_else(|error| panic!("{error}"))
}
