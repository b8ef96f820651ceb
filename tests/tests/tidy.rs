//! The rules of this repository that no compiler keeps. Each check is shown to find what it looks for.
//!
//! Files are read as text. With `TENTERHOOK_REWRITE=1`, README's tables are written instead of compared.

#[path = "tidy/domain.rs"]
mod domain;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/readme.rs"]
mod readme;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest source file, in lines. The aim is 400; this is the next bound that holds.
const LINES_MAX: usize = 410;
/// Where the environment is read: the program's own, and the place that looks for `temporal`.
const ENVIRONMENT: &[&str] = &[
    "host/cli/src/command.rs",
    "host/cli/src/compiler.rs",
    "host/cli/src/connection.rs",
    "host/cli/src/main.rs",
    "host/cli/src/output.rs",
    "host/embedded/src/program.rs",
];
/// Where the time of day is read. The second sets a file's own time, which tells what was used longest ago.
const TIME_OF_DAY: &[&str] = &["host/domain/src/clock.rs", "host/sandbox/src/aot.rs"];
/// Where in `tests/src` there are tests: the others of its programs, and its library, have none.
const TESTED: &[&str] = &["tests/src/bin/demo/audit.rs"];
/// What a path of one person's machine starts with.
const MACHINES: &[&str] = &["/root/", "/home/", "/Users/", "/work/"];
/// Words that are nobody's here: callers are tenants and operators, and the API keeps no state of a caller.
const STRANGE_WORDS: &[&str] = &["agent", "agents", "session", "sessions"];
/// Where the last two are nouns of the domain: a user of a product with tenants logs in to one.
const USERS_LOG_IN: &[&str] = &[
    "plugins/billing/",
    "tests/src/standin",
    "tests/tests/domain/",
    "tests/tests/standin/",
];
/// This file names what it looks for.
const THIS_FILE: &str = "tests/tests/tidy.rs";

/// A file, by its path from the root with `/` between.
struct SourceFile {
    path: String,
    text: String,
}

impl SourceFile {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a package of the workspace")
        .to_owned()
}

/// Every file of ours below `folder` with one of the endings.
fn files(folder: &str, endings: &[&str]) -> Vec<SourceFile> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let from_root = path.strip_prefix(&root).expect("below the root");
                let parts: Vec<_> = from_root
                    .iter()
                    .map(|part| part.to_string_lossy())
                    .collect();
                let text = fs::read_to_string(&path).expect("a text");
                found.push(SourceFile::new(&parts.join("/"), &text));
            }
        }
    }
    assert!(!found.is_empty(), "no files below {folder:?}");
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// The host's own code, without its tests.
fn host_sources() -> Vec<SourceFile> {
    let mut sources = files("host", &[".rs"]);
    sources.retain(|file| file.path.split('/').nth(2) == Some("src"));
    sources
}

fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn without_words(files: &[SourceFile]) -> Vec<String> {
    let silent = files.iter().filter(|file| !file.text.starts_with("//! "));
    silent
        .map(|file| {
            format!(
                "{} does not begin by saying what it is (`//! …`)",
                file.path
            )
        })
        .collect()
}

fn too_long(files: &[SourceFile], lines_max: usize) -> Vec<String> {
    let counted = files.iter().map(|file| (file, file.text.lines().count()));
    counted
        .filter(|(_, lines)| *lines > lines_max)
        .map(|(file, lines)| format!("{} has {lines} lines, more than {lines_max}", file.path))
        .collect()
}

/// Finds `what` outside `allowed`, and places that are allowed for nothing.
fn outside(files: &[SourceFile], what: &str, allowed: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        let lines = file.text.lines().enumerate();
        let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
        let mut uses = code.filter(|(_, line)| line.contains(what)).peekable();
        let may = allowed.contains(&file.path.as_str());
        if may && uses.peek().is_none() {
            findings.push(format!("{} may use {what} and does not", file.path));
        } else if !may {
            findings.extend(uses.map(|(at, _)| {
                format!(
                    "{}:{}: {what} belongs into {}",
                    file.path,
                    at + 1,
                    allowed.join(", ")
                )
            }));
        }
    }
    let gone = |path: &&&str| files.iter().all(|file| file.path != **path);
    findings.extend(
        allowed
            .iter()
            .filter(gone)
            .map(|path| format!("{path} is not there")),
    );
    findings
}

fn of_one_machine(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path != THIS_FILE) {
        let logs_in = USERS_LOG_IN.iter().any(|part| file.path.starts_with(part));
        for (at, line) in file.text.lines().enumerate() {
            let path = MACHINES.iter().find(|start| line.contains(*start));
            let words = line.split(|letter: char| !letter.is_alphanumeric());
            // The name of an HTTP header, and of a setting of PostgreSQL.
            let lower = line.to_lowercase();
            let names = ["user-agent", "user_agent", "\"idle_in_transaction_"];
            let is_name = names.iter().any(|name| lower.contains(name));
            let word = words.map(str::to_lowercase).find(|word| {
                let is_domains = logs_in && word.starts_with("session");
                STRANGE_WORDS.contains(&word.as_str()) && !is_domains && !is_name
            });
            let found = path.map(|path| (*path).to_owned()).or(word);
            findings.extend(found.map(|found| format!("{}:{}: {found:?}", file.path, at + 1)));
        }
    }
    findings
}

#[test]
fn every_file_says_what_it_is() {
    for folder in ["host", "plugins", "sdk-guest", "tests", "xtask"] {
        assert_none(&without_words(&files(folder, &[".rs"])));
    }
}

#[test]
fn files_are_short() {
    assert_none(&too_long(&host_sources(), LINES_MAX));
    for folder in ["plugins", "sdk-guest", "tests", "xtask"] {
        assert_none(&too_long(&files(folder, &[".rs"]), LINES_MAX));
    }
}

#[test]
fn there_is_no_mod_rs() {
    let sources = files("", &[".rs"]);
    let named_mod = sources.iter().filter(|file| file.path.ends_with("/mod.rs"));
    let findings: Vec<_> = named_mod.map(|file| file.path.clone()).collect();
    assert_none(&findings);
}

#[test]
fn the_environment_is_read_in_few_places() {
    assert_none(&outside(&host_sources(), "env::", ENVIRONMENT));
}

#[test]
fn the_time_of_day_comes_from_the_clock() {
    assert_none(&outside(&host_sources(), "SystemTime::now", TIME_OF_DAY));
}

#[test]
fn no_test_stands_where_none_is_run() {
    // The manifest says so: what has no tests is not built once more for them.
    assert_none(&outside(&files("tests/src", &[".rs"]), "test]", TESTED));
}

#[test]
fn the_repository_speaks_of_the_project_alone() {
    let endings = [".rs", ".md", ".toml", ".wit", ".sql", ".json", "readme"];
    assert_none(&of_one_machine(&files("", &endings)));
}

#[test]
fn the_checks_find_what_they_look_for() {
    let silent = [
        SourceFile::new("a.rs", "use b;\n"),
        SourceFile::new("b.rs", "//! B.\n"),
    ];
    assert_eq!(without_words(&silent).len(), 1);
    let long = [
        SourceFile::new("a.rs", "//\n//\n//\n"),
        SourceFile::new("b.rs", "//\n//\n"),
    ];
    assert_eq!(too_long(&long, 2), ["a.rs has 3 lines, more than 2"]);

    let reads = "//! Of env::var.\nfn f() {\n    env::var(\"A\");\n}\n";
    let sources = [
        SourceFile::new("a.rs", reads),
        SourceFile::new("b.rs", reads),
    ];
    assert_eq!(
        outside(&sources, "env::", &["b.rs"]),
        ["a.rs:3: env:: belongs into b.rs"]
    );
    let quiet = [SourceFile::new("b.rs", "//! B.\n")];
    assert_eq!(
        outside(&quiet, "env::", &["b.rs"]),
        ["b.rs may use env:: and does not"]
    );
    assert_eq!(outside(&quiet, "now", &["c.rs"]), ["c.rs is not there"]);

    for bad in ["in /root/x", "in /home/me/x", "an Agent's", "two sessions"] {
        assert_eq!(
            of_one_machine(&[SourceFile::new("a.md", bad)]).len(),
            1,
            "{bad}"
        );
    }
    let logs_in = SourceFile::new("plugins/billing/a.rs", "a new session");
    assert_none(&of_one_machine(&[logs_in]));
    let strange = SourceFile::new("plugins/billing/a.rs", "an agent");
    assert_eq!(of_one_machine(&[strange]).len(), 1);
    for good in [
        ".user_agent(name)",
        "the user-agent header",
        "obsession",
        "host/domain",
    ] {
        assert_none(&of_one_machine(&[SourceFile::new("a.md", good)]));
    }
}
