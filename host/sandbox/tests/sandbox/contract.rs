//! The WIT in `wit/deps` is a copy of what its owners ship: these tests hold it against the crates.
//!
//! Compared are the parsed packages: names, types and functions, not words or order of packages.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use wit_parser::{Resolve, UnresolvedPackageGroup};

/// The sources of the crate `name`, at the version that the workspace is locked to.
fn crate_dir(name: &str) -> PathBuf {
    // What other platforms need may never have been downloaded here.
    let host = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args([
            "--filter-platform",
            str::from_utf8(&host.stdout).unwrap().trim(),
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let manifest = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == name)
        .unwrap_or_else(|| panic!("the workspace does not use {name}"))["manifest_path"]
        .as_str()
        .unwrap();
    PathBuf::from(manifest).parent().unwrap().to_owned()
}

fn ours() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.all_features = true;
    resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))
        .unwrap();
    resolve
}

/// Every interface of `package` in `resolve` as text without documentation, by name.
fn interfaces(resolve: &Resolve, package: &str) -> BTreeMap<String, String> {
    let (_, found) = resolve
        .packages
        .iter()
        .find(|(_, found)| found.name.to_string() == package)
        .unwrap_or_else(|| panic!("there is no package {package}"));
    found
        .interfaces
        .iter()
        .map(|(name, &id)| (name.clone(), signature::interface(resolve, id)))
        .collect()
}

fn check_same(ours: &Resolve, theirs: &Resolve, package: &str) {
    let (ours, theirs) = (interfaces(ours, package), interfaces(theirs, package));
    assert!(!theirs.is_empty(), "{package}");
    for (name, theirs) in &theirs {
        let ours = ours
            .get(name)
            .unwrap_or_else(|| panic!("wit/deps has no {package} {name}"));
        assert_eq!(ours, theirs, "{package} {name}");
    }
    assert_eq!(ours.len(), theirs.len(), "{package} has more than theirs");
}

#[test]
fn temporals_contract_is_the_crates() {
    let mut theirs = Resolve::default();
    theirs
        .push_path(crate_dir("temporalio-workflow").join("wit"))
        .unwrap();
    check_same(&ours(), &theirs, "temporal:workflow-runtime@0.1.0");
}

#[test]
fn wasi_is_what_wasmtime_implements() {
    let ours = ours();
    let mut wasi = Resolve::default();
    wasi.all_features = true;
    wasi.push_path(crate_dir("wasmtime-wasi").join("src/p2/wit"))
        .unwrap();
    for package in ["io", "cli", "clocks", "random", "filesystem", "sockets"] {
        check_same(&ours, &wasi, &format!("wasi:{package}@0.2.12"));
    }
    let mut http = Resolve::default();
    http.all_features = true;
    http.push_path(crate_dir("wasmtime-wasi-http").join("wit"))
        .unwrap();
    // The host never serves a component over HTTP: incoming-handler is not carried.
    let (mut ours_http, theirs_http) = (
        interfaces(&ours, "wasi:http@0.2.12"),
        interfaces(&http, "wasi:http@0.2.12"),
    );
    ours_http.remove("incoming-handler");
    for (name, text) in ours_http {
        assert_eq!(Some(&text), theirs_http.get(&name), "wasi:http {name}");
    }
}

#[test]
fn ours_parses_alone() {
    let text = include_str!("../../../../wit/plugin.wit");
    UnresolvedPackageGroup::parse("plugin.wit", text).unwrap();
}

/// Types and functions as text.
mod signature {
    use wit_parser::{
        Function, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeOwner,
    };

    pub(super) fn interface(resolve: &Resolve, id: InterfaceId) -> String {
        let interface = &resolve.interfaces[id];
        let mut lines: Vec<String> = interface
            .types
            .iter()
            .map(|(name, &id)| format!("type {name} = {}", definition(resolve, &resolve.types[id])))
            .chain(
                interface
                    .functions
                    .values()
                    .map(|function| signature(resolve, function)),
            )
            .collect();
        lines.sort();
        lines.join("\n")
    }

    fn signature(resolve: &Resolve, function: &Function) -> String {
        let params: Vec<String> = function
            .params
            .iter()
            .map(|param| format!("{}: {}", param.name, ty(resolve, &param.ty)))
            .collect();
        let result = function.result.as_ref().map(|result| ty(resolve, result));
        format!(
            "func {}({}) -> {}",
            function.name,
            params.join(", "),
            result.unwrap_or_default()
        )
    }

    fn ty(resolve: &Resolve, of: &Type) -> String {
        let Type::Id(id) = of else {
            return format!("{of:?}");
        };
        let def = &resolve.types[*id];
        match (&def.name, def.owner) {
            (Some(name), TypeOwner::Interface(owner)) => {
                let interface = &resolve.interfaces[owner];
                let package = interface
                    .package
                    .map(|id| resolve.packages[id].name.to_string());
                format!("{package:?}/{:?}.{name}", interface.name)
            }
            _ => definition(resolve, def),
        }
    }

    fn definition(resolve: &Resolve, def: &TypeDef) -> String {
        let some = |of: &Option<Type>| of.as_ref().map(|of| ty(resolve, of)).unwrap_or_default();
        match &def.kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|field| format!("{}: {}; ", field.name, ty(resolve, &field.ty)))
                .collect(),
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|case| format!("{}({}) | ", case.name, some(&case.ty)))
                .collect(),
            TypeDefKind::Enum(cases) => cases
                .cases
                .iter()
                .map(|case| format!("{} | ", case.name))
                .collect(),
            TypeDefKind::Flags(flags) => flags
                .flags
                .iter()
                .map(|flag| format!("{} & ", flag.name))
                .collect(),
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<String> = tuple.types.iter().map(|of| ty(resolve, of)).collect();
                format!("({})", types.join(", "))
            }
            TypeDefKind::Option(of) => format!("option<{}>", ty(resolve, of)),
            TypeDefKind::List(of) => format!("list<{}>", ty(resolve, of)),
            TypeDefKind::Result(result) => {
                format!("result<{}, {}>", some(&result.ok), some(&result.err))
            }
            TypeDefKind::Handle(Handle::Own(id)) => format!("own {}", ty(resolve, &Type::Id(*id))),
            TypeDefKind::Handle(Handle::Borrow(id)) => {
                format!("borrow {}", ty(resolve, &Type::Id(*id)))
            }
            TypeDefKind::Type(of) => ty(resolve, of),
            TypeDefKind::Resource => "resource".to_owned(),
            other => format!("{other:?}"),
        }
    }
}
