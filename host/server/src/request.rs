//! What handlers read of a request, each refusal a problem.

mod body;
mod condition;
mod duration;
mod path;
mod query;
mod signed;
mod upload;

pub(crate) use body::{Json, JsonOrNothing, LargeJson, given};
pub(crate) use condition::{IfMatch, TRIES_MAX, outdated};
pub(crate) use duration::duration;
pub(crate) use path::{
    AtMessage, AtPlugin, AtRelease, AtSchedule, AtScope, AtSecret, AtTenant, AtTenantToken,
    AtToken, AtWorkflow, path_invalid,
};
pub(crate) use query::{
    AgainstQuery, AuditQuery, HistoryQuery, NumberedQuery, PageQuery, Query, WaitQuery,
    WorkflowsQuery,
};
pub(crate) use signed::{COMPONENT_PART, SIGNATURE_PART, SignedUpload, signature_too_large};
pub(crate) use upload::Upload;

pub use body::{JSON_BYTES_MAX, PAYLOADS_BYTES_MAX};
pub use query::{PAGE_DEFAULT, WAIT_MAX};
