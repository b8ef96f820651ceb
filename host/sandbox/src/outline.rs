//! What a component imports and exports at its outside, read without compiling it, and what of it is offered.

mod offer;

use tenterhook_domain::{Code, Error, Result};
use wasmparser::{Encoding, Parser, Payload};

use crate::engine::Kind;

/// The export that makes a component carry workflows.
pub(crate) const WORKFLOW_GUEST: &str = "temporal:workflow-runtime/workflow-guest@0.1.0";
/// The export that makes a component carry activities.
pub(crate) const ACTIVITIES: &str = "tenterhook:plugin/activities@0.1.0";
/// The export by which a component says what it is.
pub(crate) const METADATA: &str = "tenterhook:plugin/metadata@0.1.0";

/// A component's outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl Outline {
    /// Reads the outside of `bytes`.
    ///
    /// # Errors
    /// `component-invalid` or `component-is-core-module`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(b"\0asm") {
            return Err(Error::new(
                Code::ComponentInvalid,
                format!(
                    "the upload is not WebAssembly: it starts with {:?} instead of \"\\0asm\"",
                    String::from_utf8_lossy(&bytes[..bytes.len().min(8)])
                ),
            ));
        }
        let mut outline = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| invalid(&error))? {
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => return Err(core_module()),
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import.map_err(|error| invalid(&error))?;
                        outline.imports.push(import.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export.map_err(|error| invalid(&error))?;
                        outline.exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    pub(crate) fn has_export(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// What it is compiled for.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        [
            (Kind::Workflow, WORKFLOW_GUEST),
            (Kind::Activity, ACTIVITIES),
        ]
        .into_iter()
        .filter(|(_, export)| self.has_export(export))
        .map(|(kind, _)| kind)
        .collect()
    }

    /// Checks that every import is offered.
    ///
    /// # Errors
    /// `component-import-unknown`, naming every import that is not.
    pub(crate) fn check_imports(&self) -> Result<()> {
        let unknown: Vec<String> = self
            .imports
            .iter()
            .filter(|import| !offer::is_offered(import))
            .map(|import| match offer::instead(import) {
                Some(instead) => format!("{import:?} ({instead})"),
                None => format!("{import:?}"),
            })
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Code::ComponentImportUnknown,
            format!(
                "the component imports what the host does not offer: {}",
                unknown.join(", ")
            ),
        ))
    }

    /// Checks that the component has something to run.
    ///
    /// # Errors
    /// `component-export-invalid`.
    pub(crate) fn check_exports(&self) -> Result<()> {
        for wanted in [WORKFLOW_GUEST, ACTIVITIES, METADATA] {
            let interface = interface_of(wanted);
            let other = self
                .exports
                .iter()
                .find(|export| interface_of(export) == interface && *export != wanted);
            if let Some(other) = other {
                return Err(Error::new(
                    Code::ComponentExportInvalid,
                    format!("the component exports {other:?}: this host knows {wanted:?}"),
                ));
            }
        }
        if self.has_export(ACTIVITIES) && !self.has_export(METADATA) {
            return Err(Error::new(
                Code::ComponentExportInvalid,
                format!(
                    "the component exports {ACTIVITIES:?} without {METADATA:?}: the host could not know which \
                     activities it has"
                ),
            ));
        }
        if self.has_export(WORKFLOW_GUEST) || self.has_export(ACTIVITIES) {
            return Ok(());
        }
        Err(Error::new(
            Code::ComponentExportInvalid,
            format!(
                "the component exports neither {WORKFLOW_GUEST:?} nor {ACTIVITIES:?}, so there is nothing to run; it \
                 exports {}",
                listed(&self.exports)
            ),
        ))
    }
}

/// `package/interface` without the version.
pub(crate) fn interface_of(name: &str) -> &str {
    name.split_once('@')
        .map_or(name, |(interface, _)| interface)
}

/// Names in quotes with commas, or `nothing`.
pub(crate) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    quoted.join(", ")
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Error {
    Error::new(
        Code::ComponentInvalid,
        format!(
            "the upload is not a valid component: {} at byte {}",
            error.message(),
            error.offset()
        ),
    )
}

/// Checks every byte of `bytes`, not only its outside.
///
/// # Errors
/// `component-invalid`, saying where.
pub(crate) fn validate(bytes: &[u8]) -> Result<()> {
    wasmparser::Validator::new()
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|error| invalid(&error))
}

fn core_module() -> Error {
    Error::new(
        Code::ComponentIsCoreModule,
        "the upload is a core WebAssembly module, not a component: build it for wasm32-wasip2 \
         (cargo build --target wasm32-wasip2), or wrap it with wasm-tools component new",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_import_is_named_with_what_to_use() {
        let outline = Outline {
            imports: vec![
                "wasi:cli/stdout@0.2.3".into(),
                "wasi:blobstore/store@0.2.0".into(),
            ],
            exports: Vec::new(),
        };
        let error = outline.check_imports().unwrap_err();
        assert_eq!(error.code(), Code::ComponentImportUnknown);
        assert!(error.detail().contains("wasi:blobstore/store@0.2.0"));
        assert!(error.detail().contains("object store over wasi:http"));
        assert!(!error.detail().contains("stdout"));
    }

    #[test]
    fn exports_must_be_something_to_run() {
        let exports = |names: &[&str]| Outline {
            imports: Vec::new(),
            exports: names.iter().map(|&name| name.to_owned()).collect(),
        };
        assert!(exports(&[WORKFLOW_GUEST]).check_exports().is_ok());
        assert!(exports(&[ACTIVITIES, METADATA]).check_exports().is_ok());
        for bad in [
            exports(&[]),
            exports(&["wasi:cli/run@0.2.0"]),
            exports(&[ACTIVITIES]),
            exports(&["tenterhook:plugin/activities@0.9.0", METADATA]),
        ] {
            assert_eq!(
                bad.check_exports().unwrap_err().code(),
                Code::ComponentExportInvalid
            );
        }
    }
}
