//! The sandbox, through its public door: real guests, and small hostile components written by hand.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::field_reassign_with_default,
    reason = "a test; and protobuf messages are non-exhaustive"
)]

mod activity;
mod aot;
mod bounds;
mod circuit;
mod compiler;
mod connections;
mod contract;
#[path = "../../../../tests/src/echo.rs"]
#[allow(dead_code, unreachable_pub)]
mod echo;
mod fuzz;
mod handing;
mod handmade;
mod hostile;
mod inspect;
mod keeping;
mod measure;
mod memory;
mod outbound;
mod parts;
mod rebinding;
mod repeats;
mod secrets;
mod share;
mod size;
mod standard;
mod tally;
mod workflow;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use tenterhook_domain::{Digest, PluginName, limit::Limits, tally::Tally};
use tenterhook_sandbox::{
    CompilerCommand, LoadedComponent, Owner, Resolver, Sandbox, SandboxConfig, Secrets, Share,
};

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
        Self::of(SandboxConfig {
            compiler,
            share,
            ..config(aot_dir)
        })
    }

    /// With secrets for its guests.
    fn with_secrets(secrets: Arc<dyn Secrets>) -> Self {
        let aot_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
        Self::of(SandboxConfig {
            secrets: Some(secrets),
            ..config(&aot_dir)
        })
    }

    /// Whose guests find hosts where `resolver` says.
    fn with_resolver(resolver: Arc<dyn Resolver>) -> Self {
        let aot_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
        Self::of(SandboxConfig {
            resolver: Some(resolver),
            ..config(&aot_dir)
        })
    }

    /// Which counts with `tally`.
    fn with_tally(tally: Arc<dyn Tally>) -> Self {
        let aot_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
        Self::of(SandboxConfig {
            tally,
            ..config(&aot_dir)
        })
    }

    /// With so many bytes of memory for all instances.
    fn with_memory(bytes: u64) -> Self {
        let aot_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
        Self::of(SandboxConfig {
            memory_bytes: bytes,
            ..config(&aot_dir)
        })
    }

    /// With so many outbound connections, which counts with `tally`.
    fn with_connections(number: usize, tally: Arc<dyn Tally>) -> Self {
        let aot_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-aot");
        Self::of(SandboxConfig {
            outbound_connections: number,
            tally,
            ..config(&aot_dir)
        })
    }

    fn of(config: SandboxConfig) -> Self {
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

fn config(aot_dir: &Path) -> SandboxConfig {
    SandboxConfig {
        aot_dir: aot_dir.to_owned(),
        keyvalue: None,
        secrets: None,
        resolver: None,
        outbound_connections: 100,
        memory_bytes: 1 << 40,
        tally: Arc::new(()),
        workflow_instances: 100,
        activity_instances: 100,
        compiler: None,
        share: None,
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
