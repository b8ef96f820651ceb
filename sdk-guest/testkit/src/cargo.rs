//! Builds a plugin's crate with cargo, as its author does.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

const TARGET: &str = "wasm32-wasip2";
/// The profile of this repository that makes components small; elsewhere it is cargo's own.
const OWN_PROFILE: &str = "guest";
const PROFILE: &str = "release";
/// What cargo tells a test of its own package. Build scripts look at these too, and would have everything built anew.
const OWN_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Builds the package in `folder`, and answers where its component is.
pub(crate) fn build(folder: &Path) -> Result<PathBuf, String> {
    let manifest = folder.join("Cargo.toml");
    let profile = if has_profile(folder) {
        OWN_PROFILE
    } else {
        PROFILE
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--target", TARGET, "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(&manifest)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            OWN_PACKAGE.iter().any(|prefix| name.starts_with(prefix)) || name == "CARGO_CRATE_NAME"
        });
        if own {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the plugin in {} does not build for {TARGET}: cargo says why above (a missing target is added with \
             `rustup target add {TARGET}`)",
            folder.display()
        ));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    component(&said, &manifest).ok_or_else(|| {
        format!(
            "{} builds no component: its library needs `crate-type = [\"cdylib\"]`",
            manifest.display()
        )
    })
}

/// The component among the artifacts that cargo tells of.
fn component(said: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files = messages.filter(|message| {
        message["reason"] == "compiler-artifact"
            && message["manifest_path"].as_str().map(Path::new) == Some(manifest)
    });
    files
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|it| it == "wasm"))
}

/// True in a workspace that has this repository's profile for components.
fn has_profile(folder: &Path) -> bool {
    folder.ancestors().any(|folder| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.contains("[profile.guest]"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_that_of_the_package() {
        let said = r#"
            {"reason":"compiler-artifact","manifest_path":"/p/dep/Cargo.toml","filenames":["/t/dep.wasm"]}
            {"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.d","/t/p.wasm"]}
            {"reason":"build-finished","success":true}"#;
        let found = component(said, Path::new("/p/Cargo.toml"));
        assert_eq!(found, Some(PathBuf::from("/t/p.wasm")));
        assert_eq!(component(said, Path::new("/other/Cargo.toml")), None);
    }
}
