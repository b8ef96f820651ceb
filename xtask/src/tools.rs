//! The tools that are not part of this repository: looked for, and installed where that is ours
//! to do. A missing one is one line that names it and the way to get it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::step;
use crate::workspace::Workspace;

/// What guests are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-wasip2";
/// The release of cargo-deny whose configuration `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Makes sure that the compiler can build guests.
pub(crate) fn ensure_wasm_target(workspace: &Workspace) -> anyhow::Result<()> {
    // The compiler's own folder is asked, for it may come from elsewhere than rustup.
    let mut rustc = Command::new("rustc");
    let sysroot = step::answer(
        rustc
            .args(["--print", "sysroot"])
            .current_dir(&workspace.root),
    )
    .context("rustc does not run: install Rust with https://rustup.rs")?;
    if Path::new(&sysroot)
        .join("lib/rustlib")
        .join(WASM_TARGET)
        .join("lib")
        .is_dir()
    {
        return Ok(());
    }
    if step::answer(Command::new("rustup").arg("--version")).is_none() {
        bail!(
            "the target {WASM_TARGET} is missing: install rustup from https://rustup.rs, it adds it"
        );
    }
    let what =
        format!("add the compiler's target {WASM_TARGET}: plugins are WebAssembly components");
    let mut rustup = Command::new("rustup");
    step::run(
        &what,
        rustup
            .args(["target", "add", WASM_TARGET])
            .current_dir(&workspace.root),
    )
}

/// Makes sure that the C parts of the host (SQLite, ring, jemalloc) can be built.
pub(crate) fn ensure_c_compiler() -> anyhow::Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if step::answer(Command::new(&compiler).arg("--version")).is_none() {
        bail!(
            "no C compiler `{compiler}`: install one (Debian: apt install build-essential; macOS: xcode-select --install)"
        );
    }
    if step::answer(Command::new("make").arg("--version")).is_none() {
        bail!(
            "no `make`: install it (Debian: apt install build-essential; macOS: xcode-select --install)"
        );
    }
    Ok(())
}

/// The pinned cargo-deny: the one on PATH if it is that, else ours in the cache, built once.
pub(crate) fn ensure_cargo_deny(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let is_pinned = |program: &Path| {
        let version = step::answer(Command::new(program).arg("--version"));
        version.is_some_and(|version| version.ends_with(&format!(" {CARGO_DENY}")))
    };
    let on_path = PathBuf::from("cargo-deny");
    if is_pinned(&on_path) {
        return Ok(on_path);
    }
    let root = workspace
        .cache
        .join("tools")
        .join(format!("cargo-deny-{CARGO_DENY}"));
    let program = root.join("bin/cargo-deny");
    if is_pinned(&program) {
        return Ok(program);
    }
    let what = format!(
        "install cargo-deny {CARGO_DENY} into {}: it checks licences and sources of all dependencies (once, minutes)",
        root.display()
    );
    let mut cargo = workspace.cargo();
    // Unoptimised builds in a third of the time, and it has seconds of work.
    cargo
        .args(["install", "--debug", "--locked", "--root"])
        .arg(&root);
    // In the repository its configuration and toolchain would apply, and its target folder be used.
    cargo
        .args(["cargo-deny", "--version", CARGO_DENY])
        .env_remove("CARGO_TARGET_DIR");
    step::run(&what, &mut cargo)?;
    if !is_pinned(&program) {
        bail!(
            "cargo-deny was installed, but {} does not run",
            program.display()
        );
    }
    Ok(program)
}
