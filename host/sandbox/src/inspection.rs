//! Looks at an uploaded component before it is stored: is it one, can it run here, does it say the truth?

mod describe;
mod metadata;
mod schema;

use std::sync::Arc;

use bytes::Bytes;
use tenterhook_domain::{
    Code, Digest, EnvironmentName, Error, PluginName, Result, Scope, TenantId,
    component::{Check, Inspection, Metadata},
    limit::Limits,
};

use crate::{
    component::LoadedComponent,
    outline::{self, METADATA, Outline, WORKFLOW_GUEST},
    owner::Owner,
    sandbox::{Sandbox, blocking},
};

/// Wall time in which a component must have described itself, in milliseconds.
const DESCRIBE_MILLIS: u64 = 5_000;

/// Looks at `bytes`, uploaded as `plugin`.
///
/// # Errors
/// A `component-…` code that says what is wrong and where.
pub(crate) async fn inspect(
    sandbox: &Sandbox,
    plugin: &PluginName,
    bytes: Bytes,
) -> Result<Inspection> {
    let size = bytes.len();
    let unread = bytes.clone();
    let (digest, outline) = blocking(move || {
        let outline = Outline::read(&unread)?;
        outline::validate(&unread)?;
        Ok((Digest::of(&unread), outline))
    })
    .await?;
    outline.check_imports()?;
    outline.check_exports()?;
    let mut checks = vec![
        check(
            "component",
            format!("a valid component of {size} bytes, {digest}"),
        ),
        check("imports", imports_detail(&outline)),
        check(
            "exports",
            format!("exports {}", outline::listed(&outline.exports)),
        ),
    ];

    let loaded = sandbox.load(digest, async { Ok(bytes) }).await?;
    checks.push(check("compiles", compiles_detail(&loaded)));

    let owner = Arc::new(Owner {
        scope: inspection_scope()?,
        plugin: plugin.clone(),
        digest,
    });
    let limits = Arc::new(Limits {
        activation_millis: DESCRIBE_MILLIS,
        ..Limits::default()
    });
    let has_metadata = outline.has_export(METADATA);
    let described = describe::describe(&loaded, owner, limits, has_metadata).await?;
    checks.push(check(
        "instantiates",
        "an instance without any capability answers within its limits".to_owned(),
    ));

    let metadata = metadata::merge(plugin, &outline, described)?;
    checks.push(check("metadata", metadata_detail(&metadata)));
    let schemas = schema::check_all(&metadata)?;
    checks.push(check(
        "schemas",
        format!("{schemas} JSON Schemas are valid"),
    ));
    Ok(Inspection {
        digest,
        metadata,
        checks,
    })
}

/// A scope for log lines of a component that belongs to nobody yet.
fn inspection_scope() -> Result<Scope> {
    let tenant: TenantId = "host".parse()?;
    let environment: EnvironmentName = "inspection".parse()?;
    Ok(Scope::new(tenant, environment))
}

fn check(name: &str, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        detail,
    }
}

fn imports_detail(outline: &Outline) -> String {
    let refused: Vec<&str> = outline
        .imports
        .iter()
        .map(|import| outline::interface_of(import))
        .filter(|import| import.starts_with("wasi:sockets/"))
        .collect();
    let all = format!(
        "{} imports, each offered by the host",
        outline.imports.len()
    );
    if refused.is_empty() {
        return all;
    }
    format!("{all}; calls of {} will be refused", refused.join(", "))
}

fn compiles_detail(loaded: &LoadedComponent) -> String {
    match (
        loaded.workflow_pre().is_some(),
        loaded.activities().is_some(),
    ) {
        (true, true) => "compiled for workflows and for activities",
        (true, false) => "compiled for workflows",
        _ => "compiled for activities",
    }
    .to_owned()
}

fn metadata_detail(metadata: &Metadata) -> String {
    let what = match (&metadata.name, &metadata.version) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        _ => "no metadata of its own, read from list-workflows".to_owned(),
    };
    format!(
        "{what}: {} workflows, {} activities",
        metadata.workflows.len(),
        metadata.activities.len()
    )
}

/// An error that the component's own description causes.
fn untrue(detail: impl Into<String>) -> Error {
    Error::new(Code::ComponentMetadataInvalid, detail)
}

/// True if workflows can be listed.
fn has_workflows(outline: &Outline) -> bool {
    outline.has_export(WORKFLOW_GUEST)
}
