//! What README and ARCHITECTURE.md say: tables are what the code has, and files they name are there.

use std::{fmt::Write as _, fs};

use tenterhook_domain::{
    Code,
    limit::{Limits, Unit},
    quota::Quotas,
};

use super::{assert_none, root};

const DOCUMENTS: &[&str] = &["README.md", "ARCHITECTURE.md"];
/// What paths of this repository start with.
const FOLDERS: &[&str] = &[
    "host/",
    "plugins/",
    "sdk-guest/",
    "tests/",
    "wit/",
    "xtask/",
];

/// Every limit, as README shows it.
fn limits() -> String {
    let mut table = "| limit | default | lowest | highest | what it bounds |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for row in Limits::TABLE {
        let mut bounds =
            [row.default, row.lowest, row.highest].map(|value| quantity(value, row.unit));
        if row.fixed {
            bounds[1..].fill(String::new());
        }
        table += &bounds_row(row.name, &bounds, row.about);
    }
    table
}

/// A row of what is bounded: its default, its lowest and its highest value.
fn bounds_row(name: &str, [default, lowest, highest]: &[String; 3], about: &str) -> String {
    let about = about.trim().trim_end_matches('.');
    format!("| `{name}` | {default} | {lowest} | {highest} | {about} |\n")
}

/// Every quota, as README shows it.
fn quotas() -> String {
    let mut table = "| quota | default | lowest | highest | what it bounds |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for row in Quotas::TABLE {
        let bounds = [row.default, row.lowest, row.highest].map(|value| quantity(value, row.unit));
        table += &bounds_row(row.name, &bounds, row.about);
    }
    table
}

/// Every code, as README shows it.
fn codes() -> String {
    let mut table = "| code | kind | what it means |\n| --- | --- | --- |\n".to_owned();
    for code in Code::ALL {
        let kind = words(&format!("{:?}", code.kind()));
        let about = code.summary().trim().trim_end_matches('.');
        let _ = writeln!(table, "| `{code}` | {kind} | {about} |");
    }
    table
}

/// `NotFound` as `not found`.
fn words(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// `value` in the largest unit that leaves it whole.
fn quantity(value: u64, unit: Unit) -> String {
    let steps: &[(u64, &str)] = match unit {
        Unit::Bytes => &[
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
            (1, "B"),
        ],
        Unit::Millis => &[(3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")],
        Unit::Fuel | Unit::Count => &[(1_000_000_000, "billion"), (1_000_000, "million")],
    };
    let whole = steps
        .iter()
        .find(|(size, _)| value >= *size && value.is_multiple_of(*size));
    match whole {
        Some((size, name)) => format!("{} {name}", value / size),
        None => value.to_string(),
    }
}

/// Where the table `name` stands in `document`: between its two comments.
fn place(document: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = document.find(&open)? + open.len();
    let end = start + document[start..].find(&close)?;
    Some(start..end)
}

fn check_table(name: &str, table: &str) {
    let path = root().join("README.md");
    let mut document = fs::read_to_string(&path).expect("README");
    let place = place(&document, name).expect("the table's place in README");
    if std::env::var_os("TENTERHOOK_REWRITE").is_some() {
        document.replace_range(place, table);
        fs::write(&path, document).expect("README can be written");
        return;
    }
    assert!(
        document[place] == *table,
        "README's table of {name} is not the code's: TENTERHOOK_REWRITE=1 cargo test --workspace --test tidy"
    );
}

/// Paths of this repository that `document` names in backticks or links, and that are not there.
fn missing(document: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let quoted = document.split('`').skip(1).step_by(2).filter(|text| {
        let plain = text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
        plain && FOLDERS.iter().any(|folder| text.starts_with(folder))
    });
    let linked = document
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let linked = linked.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let named = quoted.chain(linked).filter(|path| !is_there(path));
    named.map(|path| format!("{path} is not there")).collect()
}

#[test]
fn tables_are_what_the_code_has() {
    // One after the other, for both are written to one file.
    check_table("limits", &limits());
    check_table("quotas", &quotas());
    check_table("codes", &codes());
}

#[test]
fn what_documents_name_is_there() {
    let root = root();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).expect("a document");
        // Blocks of code are no prose: their backticks would upset the count.
        let prose: Vec<_> = text.split("```").step_by(2).collect();
        assert_none(&missing(&prose.join(""), |path| root.join(path).exists()));
    }
}

#[test]
fn untrue_documents_are_found() {
    let document =
        "See `host/a.rs`, `cargo xtask`, `host/*/b.rs`, [c](plugins/c) and [d](https://d.test).";
    assert_eq!(
        missing(document, |_| false),
        ["host/a.rs is not there", "plugins/c is not there"]
    );
    assert_none(&missing(document, |_| true));

    let document = "a\n<!-- limits -->\nold\n<!-- /limits -->\nb\n";
    let range = place(document, "limits").expect("its place");
    assert_eq!(&document[range], "old\n");
    assert_eq!(place(document, "codes"), None);

    assert_eq!(quantity(64 << 20, Unit::Bytes), "64 MiB");
    assert_eq!(quantity(1_536, Unit::Bytes), "1536 B");
    assert_eq!(quantity(900_000, Unit::Millis), "15 min");
    assert_eq!(quantity(0, Unit::Count), "0");
    assert_eq!(quantity(2_000_000_000, Unit::Fuel), "2 billion");
    assert!(limits().contains("| `memory_bytes` | 64 MiB | 1 MiB | 1 GiB |"));
    assert!(codes().contains("| `command-refused` | plugin |"));
    assert!(codes().contains("| `plugin-not-found` | not found |"));
}
