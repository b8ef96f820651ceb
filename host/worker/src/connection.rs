//! The connection to Temporal that the gateway and every lane share.

use std::time::Duration;

use temporalio_client::{
    Connection, ConnectionOptions, GrpcCompression, Url,
    envconfig::LoadClientConfigProfileOptions,
    grpc::WorkflowService,
    tonic::{Code as GrpcCode, Request, Status},
};
use temporalio_protos::temporal::api::{
    enums::v1::IndexedValueType, operatorservice::v1::AddSearchAttributesRequest,
};
use tenterhook_domain::{Code, Error, Result};

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call on behalf of a caller is tried again while Temporal is away or busy: a moment's trouble is nobody's
/// business, and who waits is to hear of a longer one soon. Core's own calls are tried for as long as it sees fit.
const RETRY_WITHIN: Duration = Duration::from_secs(5);

/// The search attributes that every execution carries. All are keywords.
pub const SEARCH_ATTRIBUTES: [&str; 3] = ["Tenant", "Environment", "Plugin"];

/// Where Temporal is.
#[derive(Clone)]
pub struct Target {
    options: ConnectionOptions,
    namespace: String,
}

impl Target {
    /// A server on this machine, without TLS.
    ///
    /// # Errors
    /// `host-config-invalid` when `address` is no `host:port`.
    pub fn local(address: &str, namespace: &str, identity: &str) -> Result<Self> {
        let url = Url::parse(&format!("http://{address}")).map_err(|error| {
            Error::new(
                Code::HostConfigInvalid,
                format!("{address:?} is not the address of a Temporal server"),
            )
            .caused_by(error)
        })?;
        // Compressing on loopback costs about 0.3 CPU ms a workflow and saves nothing.
        let options = ConnectionOptions::new(url)
            .identity(identity.to_owned())
            .grpc_compression(GrpcCompression::None)
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_load_balancing(None)
            .build();
        Ok(Self {
            options,
            namespace: namespace.to_owned(),
        })
    }

    /// The server that Temporal's own settings name: `TEMPORAL_*` variables and `temporal.toml`.
    ///
    /// # Errors
    /// `host-config-invalid` when they cannot be read.
    pub fn from_environment(identity: &str) -> Result<Self> {
        let (mut options, client) =
            temporalio_client::ClientOptions::load_from_config(LoadClientConfigProfileOptions::default()).map_err(
                |error| {
                    Error::new(
                        Code::HostConfigInvalid,
                        format!("Temporal's settings (TEMPORAL_* variables, temporal.toml) cannot be used: {error}"),
                    )
                },
            )?;
        identity.clone_into(&mut options.identity);
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        if is_loopback(&options.target) {
            options.grpc_compression = GrpcCompression::None;
        }
        Ok(Self {
            options,
            namespace: client.namespace,
        })
    }

    /// Uses another namespace than the settings name.
    #[must_use]
    pub fn with_namespace(mut self, namespace: String) -> Self {
        self.namespace = namespace;
        self
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    })
}

/// An open connection and the namespace it works in. Cheap to clone.
#[derive(Clone)]
pub struct Temporal {
    connection: Connection,
    /// The same one, for calls on behalf of callers.
    calls: Connection,
    namespace: String,
    identity: String,
}

impl Temporal {
    /// Connects.
    ///
    /// # Errors
    /// `temporal-unavailable` when nothing answers.
    pub async fn connect(target: &Target) -> Result<Self> {
        let connection = Connection::connect(target.options.clone())
            .await
            .map_err(|error| {
                Error::new(
                    Code::TemporalUnavailable,
                    format!(
                        "Temporal does not answer at {}: start it, or set TEMPORAL_ADDRESS",
                        target.options.target
                    ),
                )
                .caused_by(error)
            })?;
        let mut calls = connection.clone();
        calls.retry_options_mut().max_elapsed_time = Some(RETRY_WITHIN);
        Ok(Self {
            connection,
            calls,
            namespace: target.namespace.clone(),
            identity: target.options.identity.clone(),
        })
    }

    /// The same connection, for another namespace.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    /// Makes sure that the search attributes exist that every execution carries.
    ///
    /// # Errors
    /// `temporal-unavailable` when Temporal refuses, saying which command an administrator can run instead.
    pub async fn ensure_search_attributes(&self) -> Result<()> {
        let search_attributes = SEARCH_ATTRIBUTES
            .map(|name| (name.to_owned(), IndexedValueType::Keyword as i32))
            .into();
        let request = AddSearchAttributesRequest {
            search_attributes,
            namespace: self.namespace.clone(),
        };
        match self.connection.operator_service().add_search_attributes(Request::new(request)).await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == GrpcCode::AlreadyExists => Ok(()),
            Err(status) => Err(Error::new(
                Code::TemporalUnavailable,
                format!(
                    "the search attributes {} cannot be added to namespace {:?}: add them as keywords with `temporal operator search-attribute create`",
                    SEARCH_ATTRIBUTES.join(", "),
                    self.namespace
                ),
            )
            .caused_by(status)),
        }
    }

    /// True if Temporal answers.
    pub async fn is_ready(&self) -> bool {
        use temporalio_protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
        let mut service = self.service();
        let probe = service.get_system_info(Request::new(GetSystemInfoRequest {}));
        matches!(
            tokio::time::timeout(Duration::from_secs(2), probe).await,
            Ok(Ok(_))
        )
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Who this host is to Temporal.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Calls that are tried again where it is worth it. Those that change something carry an id, by which Temporal
    /// knows one that it has done already; but for terminations, which then say that the execution is closed.
    pub(crate) fn service(&self) -> impl WorkflowService + use<> {
        self.calls.clone()
    }
}

/// What a caller is told when Temporal refuses: `id` is the caller's workflow id.
pub(crate) fn refusal(status: &Status, id: &str) -> Error {
    let error = match status.code() {
        GrpcCode::NotFound if status.message().contains("already completed") => {
            Error::new(Code::WorkflowClosed, format!("workflow {id:?} is closed"))
        }
        GrpcCode::NotFound => Error::new(
            Code::WorkflowNotFound,
            format!("there is no workflow {id:?}"),
        ),
        GrpcCode::AlreadyExists => Error::new(
            Code::WorkflowAlreadyStarted,
            format!("workflow {id:?} is already running: use another id"),
        ),
        GrpcCode::InvalidArgument => Error::new(
            Code::RequestInvalid,
            format!("Temporal refuses the request: {}", status.message()),
        ),
        GrpcCode::FailedPrecondition => Error::new(
            Code::WorkflowClosed,
            format!(
                "workflow {id:?} is not in a state for this: {}",
                status.message()
            ),
        ),
        GrpcCode::Unavailable
        | GrpcCode::DeadlineExceeded
        | GrpcCode::Cancelled
        | GrpcCode::ResourceExhausted => Error::new(
            Code::TemporalUnavailable,
            "Temporal does not answer now: try again",
        ),
        _ => Error::new(
            Code::Internal,
            format!("Temporal failed: {}", status.message()),
        ),
    };
    error.caused_by(status.clone())
}
