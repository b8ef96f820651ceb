//! `plugin new`: a crate that builds, tests and pushes at once.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use tenterhook_domain::PluginName;

use crate::{
    failure::{Failure, Result, code},
    output::Console,
};

/// What a new plugin consists of: where each file goes, and what stands in it.
const TEMPLATE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/manifest.toml")),
    (".cargo/config.toml", include_str!("template/config.toml")),
    ("README.md", include_str!("template/README.md")),
    (".gitignore", "/target\n/.tenterhook\n"),
    ("src/lib.rs", include_str!("template/plugin.rs")),
];
/// What `--kit` adds.
const KIT_TEST: (&str, &str) = ("tests/kit.rs", include_str!("template/kit.rs"));
/// What stands for the plugin's name in the template.
const NAME: &str = "{{name}}";
/// What stands for where the SDK comes from.
const SDK: &str = "{{sdk}}";
/// What stands for what the manifest replaces of other crates.
const PATCH: &str = "{{patch}}";
/// What stands for what only tests depend on.
const KIT: &str = "{{kit}}";
/// The guest SDK in a checkout, and the test kit in it.
const SDK_FOLDER: &str = "sdk-guest";
const KIT_FOLDER: &str = "sdk-guest/testkit";
const PATCH_FOLDER: &str = "sdk-guest/prost-wkt";
/// What a checkout is tested with, and a new plugin had better be too.
const PINNED: &[&str] = &["Cargo.lock", "rust-toolchain.toml"];

/// `plugin new NAME`.
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// The plugin, and the folder that is made for it: lower-case letters, digits and -
    name: PluginName,
    /// A checkout of Tenterhook, whose guest SDK the plugin is to use [default: the one around the working directory, else the published version]
    #[arg(long, value_name = "FOLDER", env = "TENTERHOOK_SDK")]
    sdk: Option<PathBuf>,
    /// Add tests of the workflow in the test kit; the first of them compiles much of the host, which takes minutes
    #[arg(long)]
    kit: bool,
}

impl NewArguments {
    /// Makes the folder and its files.
    pub(super) fn run(&self, console: &Console) -> Result<()> {
        let name = self.name.as_str();
        let checkout = match &self.sdk {
            Some(folder) => Some(checkout_at(folder)?),
            None => checkout_around(Path::new(".")),
        };
        let folder = Path::new(name);
        require_free(folder)?;
        let kit_test = self.kit.then_some(&KIT_TEST);
        let kit = self.kit.then(|| kit_dependencies(checkout.as_deref()));
        let kit = kit.unwrap_or_default();
        let patch = checkout.as_deref().map(patches).unwrap_or_default();
        for (file, text) in TEMPLATE.iter().chain(kit_test) {
            let text = text
                .replace(NAME, name)
                .replace(SDK, &dependency(checkout.as_deref(), SDK_FOLDER))
                .replace(KIT, &kit)
                .replace(PATCH, &patch);
            write(&folder.join(file), text.as_bytes())?;
        }
        if let Some(checkout) = &checkout {
            for file in PINNED {
                // A checkout that pins less is fine.
                if let Ok(bytes) = fs::read(checkout.join(file)) {
                    write(&folder.join(file), &bytes)?;
                }
            }
        }
        let from = checkout.map_or_else(
            || format!("version {}", version()),
            |checkout| checkout.join(SDK_FOLDER).display().to_string(),
        );
        console.note(&format!(
            "made the plugin {name} in {name}/, with the SDK of {from}"
        ));
        console.note(&format!(
            "next: cd {name}, then `tenterhook plugin build`, `plugin test`, `plugin dev`"
        ));
        Ok(())
    }
}

/// The version of the SDK that goes with this program.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// What a manifest says of a crate of a checkout, or of the one that is published.
fn dependency(checkout: Option<&Path>, folder: &str) -> String {
    checkout.map_or_else(
        || format!("\"{}\"", version()),
        |checkout| {
            // A string of JSON is one of TOML too, whatever is in the path.
            let path = checkout.join(folder).display().to_string();
            format!("{{ path = {} }}", serde_json::Value::from(path))
        },
    )
}

/// What a manifest replaces of other crates, where there is a checkout to take it from.
fn patches(checkout: &Path) -> String {
    format!(
        "
# Temporal's crates without a register of message types that no plugin reads, a quarter of a component.
[patch.crates-io]
prost-wkt = {}
",
        dependency(Some(checkout), PATCH_FOLDER)
    )
}

/// What tests in the kit depend on.
fn kit_dependencies(checkout: Option<&Path>) -> String {
    let kit = dependency(checkout, KIT_FOLDER);
    format!("\n[dev-dependencies]\nserde_json = \"1\"\ntenterhook-testkit = {kit}\n")
}

/// The checkout that somebody named, by its own folder or that of its SDK.
fn checkout_at(folder: &Path) -> Result<PathBuf> {
    let unusable = || {
        Failure::usage(format!(
            "{} is no checkout of Tenterhook: there is no {SDK_FOLDER}/Cargo.toml in it",
            folder.display()
        ))
    };
    let folder = folder.canonicalize().map_err(|_| unusable())?;
    let above = folder.parent().unwrap_or(&folder);
    [folder.as_path(), above]
        .into_iter()
        .find(|folder| is_checkout(folder))
        .map(Path::to_owned)
        .ok_or_else(unusable)
}

/// The checkout that `folder` lies in.
fn checkout_around(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let found = folder.ancestors().find(|folder| is_checkout(folder));
    found.map(Path::to_owned)
}

fn is_checkout(folder: &Path) -> bool {
    folder.join(SDK_FOLDER).join("Cargo.toml").is_file()
}

/// Checks that `folder` is not there yet, or is empty.
fn require_free(folder: &Path) -> Result<()> {
    let taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if taken {
        return Err(Failure::new(
            code::FOLDER_TAKEN,
            format!(
                "{} is there already, and is no empty folder",
                folder.display()
            ),
        )
        .with_hint("choose another name, or go to another folder"));
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let written = file
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(file, bytes));
    written.map_err(|error| {
        Failure::new(
            code::FILE_UNWRITABLE,
            format!("{} cannot be written", file.display()),
        )
        .caused_by(&error)
    })
}
