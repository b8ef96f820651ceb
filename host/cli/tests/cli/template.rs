//! What new authors get is a plugin of this workspace too, so that it is built and its tests run with all others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::program::Program;

/// The plugin that is kept: as `plugin new NAME --kit` writes it.
const KEPT: &str = "test-new";
/// In the environment: what is kept is written instead of compared.
const REWRITE: &str = "TENTERHOOK_REWRITE";
/// Where what the manifest of a workspace of its own has, and none of a member may have, begins: profiles, what is put in
/// place of other crates, and that it is a workspace. A member builds by those of this repository, which are the same.
const OF_A_WORKSPACE: &str = "\n# Components are uploaded";

fn checkout() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    folder.canonicalize().expect("the checkout is there")
}

/// The manifest and the code below a folder, by their paths from it. The rest, such as what git is to leave out, is not
/// for a member of a workspace.
fn kept_of(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let is_kept = path.ends_with("Cargo.toml")
                || path.extension().is_some_and(|extension| extension == "rs");
            if path.is_dir() {
                folders.push(path);
            } else if is_kept {
                let text = fs::read_to_string(&path).expect("a text");
                let from = path.strip_prefix(folder).expect("below it");
                found.insert(from.to_owned(), text);
            }
        }
    }
    found
}

/// The manifest of a plugin by itself as that of a member: it finds the SDK from where it lies, on each machine.
fn of_a_member(manifest: &str) -> String {
    let (own, of_workspace) = manifest
        .split_once(OF_A_WORKSPACE)
        .expect("what members may not have comes last");
    for section in ["[package]", "[lib]", "[dependencies]", "[dev-dependencies]"] {
        assert!(!of_workspace.contains(section), "{section} is left out");
    }
    own.replace(&checkout().display().to_string(), "../..")
}

#[tokio::test]
async fn what_new_authors_get_is_built_and_tested_with_all_others() {
    let sdk = checkout().display().to_string();
    let program = Program::new().variable("TENTERHOOK_SDK", &sdk);
    program
        .run(&format!("plugin new {KEPT} --kit"))
        .await
        .exited(0);
    let mut written = kept_of(&program.folder().join(KEPT));
    assert!(written.len() >= 3, "{:?}", written.keys());
    let manifest = written
        .get_mut(Path::new("Cargo.toml"))
        .expect("it is there");
    *manifest = of_a_member(manifest);

    let folder = checkout().join("plugins").join(KEPT);
    if std::env::var_os(REWRITE).is_some() {
        for (path, text) in &written {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
    }
    let kept = kept_of(&folder);
    let paths = |files: &BTreeMap<PathBuf, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&kept), paths(&written));
    for (path, text) in &written {
        assert_eq!(
            &kept[path],
            text,
            "plugins/{KEPT}/{} is not what `plugin new` writes: \
             {REWRITE}=1 cargo test --workspace --test cli template",
            path.display()
        );
    }
}
