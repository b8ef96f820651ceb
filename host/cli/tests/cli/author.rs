//! A plugin's crate: made, and what is said where it cannot be built. Building one for real is README's test.

use std::path::Path;

use crate::program::Program;

/// The checkout that this test is of.
fn checkout() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = folder.canonicalize().expect("the checkout is there");
    folder.display().to_string()
}

#[tokio::test]
async fn a_new_plugin_is_a_crate_of_its_own_with_the_sdk_of_the_checkout() {
    let program = Program::new().variable("TENTERHOOK_SDK", &checkout());
    let ran = program.run("plugin new my-greeter").await.exited(0);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .starts_with("made the plugin my-greeter in my-greeter/, with the SDK of "),
        "{}",
        ran.stderr
    );
    let read = |file: &str| {
        let file = program.folder().join("my-greeter").join(file);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let manifest = read("Cargo.toml");
    let sdk = format!("tenterhook-sdk = {{ path = \"{}/sdk-guest\" }}", checkout());
    for line in [
        "name = \"my-greeter\"",
        "crate-type = [\"cdylib\"]",
        &sdk,
        "[workspace]",
    ] {
        assert!(manifest.contains(line), "{line}: {manifest}");
    }
    assert!(read("README.md").starts_with("# my-greeter\n"));
    assert!(read("src/lib.rs").starts_with("//! "));
    assert!(read(".gitignore").contains("/target"));
    for pinned in ["Cargo.lock", "rust-toolchain.toml"] {
        let of_checkout = std::fs::read_to_string(Path::new(&checkout()).join(pinned));
        assert_eq!(Some(read(pinned)), of_checkout.ok(), "{pinned}");
    }
    for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
        assert!(
            !read(file).contains("{{"),
            "{file} has a place that nothing was put into"
        );
    }

    let ran = program.run("plugin new my-greeter").await.exited(1);
    assert!(
        ran.stderr.starts_with("error[folder-taken]: my-greeter"),
        "{}",
        ran.stderr
    );
    assert_eq!(read("Cargo.toml"), manifest, "what is there stays");
}

#[tokio::test]
async fn with_the_kit_a_new_plugin_has_tests_in_it() {
    let program = Program::new().variable("TENTERHOOK_SDK", &checkout());
    program.run("plugin new plain").await.exited(0);
    program.run("plugin new tested --kit").await.exited(0);
    let read = |file: &str| std::fs::read_to_string(program.folder().join(file));
    let plain = read("plain/Cargo.toml").expect("it is there");
    assert!(!plain.contains("dev-dependencies"), "{plain}");
    assert!(read("plain/tests/kit.rs").is_err());
    let tested = read("tested/Cargo.toml").expect("it is there");
    let kit = format!(
        "[dev-dependencies]\nserde_json = \"1\"\ntenterhook-testkit = {{ path = \"{}/sdk-guest/testkit\" }}\n",
        checkout()
    );
    assert!(tested.contains(&kit), "{tested}");
    assert!(!tested.contains("{{"), "{tested}");
    let test = read("tested/tests/kit.rs").expect("it is there");
    assert!(test.contains("Sweep::of(&plugin())"), "{test}");
}

#[tokio::test]
async fn without_a_checkout_a_new_plugin_uses_the_published_sdk() {
    let program = Program::new();
    program.run("plugin new greeter --kit").await.exited(0);
    let manifest = std::fs::read_to_string(program.folder().join("greeter/Cargo.toml"));
    let manifest = manifest.expect("it is there");
    for crate_name in ["tenterhook-sdk", "tenterhook-testkit"] {
        let line = format!("{crate_name} = \"{}\"\n", env!("CARGO_PKG_VERSION"));
        assert!(manifest.contains(&line), "{line}: {manifest}");
    }
}

#[tokio::test]
async fn a_missing_compiler_is_named_with_where_to_get_it() {
    let program = Program::new().variable("PATH", "").file(
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"1.0.0\"\n",
    );
    for command in ["plugin build", "plugin test"] {
        let ran = program.run(command).await.exited(1);
        assert!(
            ran.stderr
                .starts_with("error[tool-missing]: rustc does not run"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("https://rustup.rs"), "{}", ran.stderr);
    }
}
