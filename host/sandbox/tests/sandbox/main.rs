//! The sandbox, through its public door: real guests, and small hostile components written by hand.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::field_reassign_with_default,
    reason = "a test; and protobuf messages are non-exhaustive"
)]

mod activity;
mod aot;
mod compiler;
mod contract;
mod handmade;
mod hostile;
mod inspect;
mod measure;
mod outbound;
mod share;
mod workflow;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use tenterhook_domain::{Digest, PluginName, limit::Limits};
use tenterhook_sandbox::{CompilerCommand, LoadedComponent, Owner, Sandbox, SandboxConfig, Share};

/// A sandbox.
struct Place {
    sandbox: Arc<Sandbox>,
}

impl Place {
    /// With compiled code that all tests share, and the next run too.
    fn new() -> Self {
        Self::at(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot"))
    }

    fn at(aot_dir: &Path) -> Self {
        Self::with_compiler(aot_dir, None)
    }

    fn with_compiler(aot_dir: &Path, compiler: Option<CompilerCommand>) -> Self {
        Self::with(aot_dir, compiler, None)
    }

    fn with(aot_dir: &Path, compiler: Option<CompilerCommand>, share: Option<Share>) -> Self {
        let config = SandboxConfig {
            aot_dir: aot_dir.to_owned(),
            keyvalue: None,
            secrets: None,
            workflow_instances: 100,
            activity_instances: 100,
            compiler,
            share,
        };
        Self {
            sandbox: Sandbox::new(config).unwrap(),
        }
    }

    async fn load(&self, bytes: &[u8]) -> Arc<LoadedComponent> {
        let bytes = Bytes::copy_from_slice(bytes);
        self.sandbox
            .load(Digest::of(&bytes), async { Ok(bytes) })
            .await
            .unwrap()
    }
}

/// A guest that `cargo xtask` built.
fn guest(name: &str) -> Vec<u8> {
    let program = std::env::current_exe().unwrap();
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .unwrap();
    let file: PathBuf = target.join("guests").join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests`", file.display()))
}

fn plugin(name: &str) -> PluginName {
    name.parse().unwrap()
}

fn owner(digest: Digest) -> Arc<Owner> {
    Arc::new(Owner {
        scope: "acme/production".parse().unwrap(),
        plugin: plugin("payment"),
        digest,
    })
}

fn limits(change: impl FnOnce(&mut Limits)) -> Arc<Limits> {
    let mut limits = Limits::default();
    change(&mut limits);
    Arc::new(limits)
}
