//! A guest that no test uses shows nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file below a `tests` folder of the workspace, but this one.
fn test_sources(root: &Path) -> Vec<String> {
    let mut folders: Vec<PathBuf> = vec![root.join("tests")];
    for part in ["host", "sdk-guest"] {
        folders.push(root.join(part));
    }
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_test(path.strip_prefix(root).unwrap()) {
                sources.push(fs::read_to_string(&path).unwrap());
            }
        }
    }
    sources
}

fn is_test(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
        && path.components().any(|part| part.as_os_str() == "tests")
        && !path.ends_with("e2e/guests.rs")
}

#[test]
fn every_test_guest_is_used_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap();
    let sources = test_sources(&root);
    let mut guests: Vec<String> = fs::read_dir(root.join("plugins"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("test-"))
        .collect();
    guests.sort();
    assert!(guests.len() >= 8, "too few guests are found: {guests:?}");
    // As a string of its own: `"test-pin"` does not stand for `"test-pin-v1"`.
    guests.retain(|name| {
        !sources
            .iter()
            .any(|source| source.contains(&format!("\"{name}\"")))
    });
    assert!(guests.is_empty(), "no test uses {guests:?}");
}
