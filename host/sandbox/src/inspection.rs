//! Looks at an uploaded component before it takes executions: is it one, can it run here, does it say the truth?

mod describe;
mod metadata;
mod sample;
mod schema;
mod trial;
mod wanted;

use std::sync::Arc;

use bytes::Bytes;
use tenterhook_domain::{
    Code, Digest, EnvironmentName, Error, PluginName, Result, Scope, TenantId,
    check::Check,
    compatibility,
    component::{COMPONENT_BYTES_MAX, Inspection, InspectionContext, Metadata},
    error::Kind,
    limit::Limits,
};

use self::trial::{Stage, Tried};
use crate::{
    component::LoadedComponent,
    outline::{self, METADATA, Outline, WORKFLOW_GUEST},
    owner::Owner,
    sandbox::{Sandbox, aside},
};

/// Wall time in which a component must have described itself, in milliseconds.
const DESCRIBE_MILLIS: u64 = 5_000;

/// Looks at `bytes` until a check refuses them.
///
/// # Errors
/// A fault of the host.
pub(crate) async fn inspect(
    sandbox: &Sandbox,
    context: InspectionContext<'_>,
    bytes: Bytes,
    watch: &(dyn Fn(&'static str) + Send + Sync),
) -> Result<Inspection> {
    let mut found = Found {
        inspection: Inspection::default(),
        now: "component",
        watch,
    };
    match look(sandbox, context, bytes, &mut found).await {
        Ok(()) => {}
        // What the component cannot mend says nothing about the component.
        Err(error) if matches!(error.code().kind(), Kind::Internal | Kind::Unavailable) => {
            return Err(error);
        }
        Err(error) => found
            .inspection
            .checks
            .push(Check::refused(found.now, &error)),
    }
    Ok(found.inspection)
}

/// What `bytes` say of themselves, and nothing else: no check but those that reading them takes. A component without
/// metadata is taken for the plugin `unnamed`.
///
/// # Errors
/// `component-…` when it cannot run here, or says what is not so.
pub(crate) async fn describe(
    sandbox: &Sandbox,
    unnamed: &PluginName,
    bytes: Bytes,
) -> Result<(PluginName, Metadata)> {
    let outline = Outline::read(&bytes)?;
    let digest = Digest::of(&bytes);
    let loaded = sandbox.load(digest, async { Ok(bytes) }).await?;
    let owner = Arc::new(Owner {
        scope: inspection_scope()?,
        plugin: unnamed.clone(),
        digest,
    });
    let has_metadata = outline.has_export(METADATA);
    let described = describe::describe(&loaded, owner, Arc::default(), has_metadata).await?;
    let plugin = match &described.plugin {
        Some(plugin) => plugin.name.parse()?,
        None => unnamed.clone(),
    };
    let metadata = metadata::merge(&plugin, &outline, described)?;
    Ok((plugin, metadata))
}

/// What was found so far, and what is looked at now.
struct Found<'a> {
    inspection: Inspection,
    now: &'static str,
    watch: &'a (dyn Fn(&'static str) + Send + Sync),
}

impl Found<'_> {
    fn begin(&mut self, name: &'static str) {
        self.now = name;
        (self.watch)(name);
    }

    fn passed(&mut self, detail: impl Into<String>) {
        self.inspection.checks.push(Check::passed(self.now, detail));
    }

    fn warning(&mut self, code: Code, detail: impl Into<String>) {
        let check = Check::warning(self.now, code, detail);
        self.inspection.checks.push(check);
    }

    fn tried(&mut self, tried: Tried) {
        if tried.is_partial {
            self.warning(Code::ComponentNotTried, tried.detail);
        } else {
            self.passed(tried.detail);
        }
    }

    /// Each thing that callers or readers of the current release would miss is a warning of its own.
    fn compatible(&mut self, current: Option<&Metadata>, new: &Metadata) {
        let Some(current) = current else {
            self.passed("there is no current release to compare with");
            return;
        };
        let breaks = compatibility::breaks(current, new);
        for one in &breaks {
            self.warning(Code::ComponentIncompatible, one.to_string());
        }
        if breaks.is_empty() {
            self.passed("whoever uses the current release can use this one");
        }
    }
}

async fn look(
    sandbox: &Sandbox,
    context: InspectionContext<'_>,
    bytes: Bytes,
    found: &mut Found<'_>,
) -> Result<()> {
    let size = bytes.len();
    let unread = bytes.clone();
    found.begin("component");
    if size > COMPONENT_BYTES_MAX {
        let detail = format!("the component has {size} bytes: {COMPONENT_BYTES_MAX} at most");
        return Err(Error::new(Code::ComponentTooLarge, detail));
    }
    let read = aside(move || Ok((Digest::of(&unread), Outline::read(&unread)?)));
    let (digest, outline) = read.await?;
    // What was compiled before was valid then, and its bytes are the same.
    if sandbox.find(digest).await.is_none() {
        let unread = bytes.clone();
        aside(move || outline::validate(&unread)).await?;
    }
    found.passed(format!("a valid component of {size} bytes, {digest}"));
    found.begin("imports");
    outline.check_imports()?;
    found.passed(imports_detail(&outline));
    found.begin("exports");
    outline.check_exports()?;
    found.passed(format!("exports {}", outline::listed(&outline.exports)));

    found.begin("compiles");
    let loaded = sandbox.load(digest, async { Ok(bytes) }).await?;
    found.passed(compiles_detail(&loaded));

    found.begin("instantiates");
    let owner = Arc::new(Owner {
        scope: inspection_scope()?,
        plugin: context.plugin.clone(),
        digest,
    });
    let granted = context.grants.limits.apply()?;
    let limits = Limits {
        activation_millis: granted.activation_millis.min(DESCRIBE_MILLIS),
        ..granted
    };
    let has_metadata = outline.has_export(METADATA);
    let described = describe::describe(
        &loaded,
        owner.clone(),
        Arc::new(limits.clone()),
        has_metadata,
    )
    .await?;
    let stage = Stage::new(owner, &limits, |limits, owner| {
        loaded.workflows(limits, owner)
    });
    match stage.clone() {
        Some(stage) => found.tried(stage.instantiate(&described).await?),
        None => found.passed("an instance without any capability answers within its limits"),
    }

    found.begin("metadata");
    let metadata = metadata::merge(context.plugin, &outline, described)?;
    found.passed(metadata_detail(&metadata));
    found.inspection.metadata = metadata.clone();
    found.begin("schemas");
    let schemas = schema::check_all(&metadata)?;
    found.passed(format!("{schemas} JSON Schemas are valid"));
    found.begin("grants");
    match wanted::not_granted(context.plugin, &metadata.wants, context.grants) {
        Some(missing) => found.warning(Code::ComponentGrantMissing, missing),
        None => found.passed("what it wants is granted"),
    }
    found.begin("determinism");
    match stage {
        Some(stage) => found.tried(stage.repeat(&metadata).await?),
        None => found.passed("there are no workflows"),
    }
    found.begin("compatibility");
    found.compatible(context.current, &metadata);
    Ok(())
}

/// A scope for log lines of a component that belongs to nobody yet.
fn inspection_scope() -> Result<Scope> {
    let tenant: TenantId = "host".parse()?;
    let environment: EnvironmentName = "inspection".parse()?;
    Ok(Scope::new(tenant, environment))
}

fn imports_detail(outline: &Outline) -> String {
    let all = match outline.imports.len() {
        0 => return "imports nothing".to_owned(),
        number => format!(
            "{number} imports, each offered by the host: {}",
            outline::listed(&outline.imports)
        ),
    };
    if outline
        .imports
        .iter()
        .any(|import| import.starts_with("wasi:sockets/"))
    {
        return format!(
            "{all}; calls of wasi:sockets will be refused: use wasi:http/outgoing-handler"
        );
    }
    all
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
