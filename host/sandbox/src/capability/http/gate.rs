//! What one attempt's requests pass: whether they may be sent, and how they are.

use std::{sync::Arc, time::Duration};

use ::http::{Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tenterhook_domain::{
    Code, Error as Refused, SecretName,
    grant::{Grants, HostPattern},
    limit::Limits,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{
    Reach, Sent, Shared, SharedLog, address,
    body::{AnswerBody, AnswerBounds},
    breaker::Destination,
    connect::ConnectError,
    notice::Notices,
    port_of,
    request_body::bounded,
    secret::{Handled, Vault},
};
use crate::{
    activity::{ActivityAccess, Ending},
    fault::Refusal,
    owner::Owner,
};

/// Longest URI that is sent, in bytes.
const URI_BYTES_MAX: usize = 8 * 1024;
/// Longest host in it, in bytes: no name is longer.
const HOST_BYTES_MAX: usize = 255;

/// What decides on the requests of one attempt.
pub(super) struct Gate {
    owner: Arc<Owner>,
    weight: u16,
    limits: Arc<Limits>,
    grants: Arc<Grants>,
    wanted: Vec<HostPattern>,
    shared: Arc<Shared>,
    notices: Arc<Notices>,
    slots: Arc<Semaphore>,
    vault: Vault,
    ending: Arc<Ending>,
}

impl Gate {
    /// For an attempt that may do what `access` says, whose plugin asks for the hosts `wanted`.
    pub(super) fn new(
        access: &ActivityAccess,
        wanted: Vec<HostPattern>,
        shared: &Arc<Shared>,
        log: &SharedLog,
    ) -> Self {
        let slots = usize::try_from(access.limits.outbound_concurrency)
            .unwrap_or(Semaphore::MAX_PERMITS)
            .min(Semaphore::MAX_PERMITS);
        let ActivityAccess { owner, grants, .. } = access;
        let notices = Notices::new(owner.clone(), log.clone(), shared.tally.clone());
        Self {
            owner: owner.clone(),
            weight: access.weight,
            limits: access.limits.clone(),
            grants: grants.clone(),
            wanted,
            shared: shared.clone(),
            notices: Arc::new(notices),
            slots: Arc::new(Semaphore::new(slots)),
            vault: Vault::new(owner.clone(), grants.clone(), shared.secrets.clone()),
            ending: Arc::default(),
        }
    }

    /// Where a request with a secret that may not be sent ends the attempt.
    pub(super) fn ending(&self) -> Arc<Ending> {
        self.ending.clone()
    }

    /// Holds the number of requests against its limits, of which this is number `sent`.
    pub(super) fn check_count(&self, sent: u64) -> Result<(), Error> {
        let limit = self.limits.outbound_requests;
        if sent > limit {
            let what = format!("this would be request {sent} of one attempt");
            return Err(self.notices.over_limit(&what, "outbound_requests", limit));
        }
        let limit = self.limits.outbound_per_second;
        if self.shared.outbound_rates.take(&self.owner, limit) {
            return Ok(());
        }
        let what = "the plugin sends requests faster than it may on one host";
        Err(self.notices.over_limit(what, "outbound_per_second", limit))
    }

    /// Checks that `method` on `uri` is well formed, wanted and granted.
    pub(super) fn check(&self, method: &Method, uri: &Uri) -> Result<(), Error> {
        if method == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        if uri.to_string().len() > URI_BYTES_MAX {
            return Err(Error::HttpRequestUriTooLong);
        }
        // `user:password@` would stand in the Host header.
        let plain = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        let fits = |host: &&str| plain && (1..=HOST_BYTES_MAX).contains(&host.len());
        let Some(host) = uri.host().filter(fits) else {
            return Err(Error::HttpRequestUriInvalid);
        };
        let port = port_of(uri);
        if !self
            .wanted
            .iter()
            .any(|pattern| pattern.matches(host, port))
        {
            self.notices.say(&format!(
                "{}: {method} to {host}:{port}: the plugin's metadata does not ask for this host (wants.http)",
                Code::OutboundDenied
            ));
            return Err(Error::HttpRequestDenied);
        }
        if !self.grants.allows(method.as_str(), host, port) {
            self.notices.say(&format!(
                "{}: {method} to {host}:{port}: not granted; an operator adds the host to the plugin's grants (http)",
                Code::OutboundDenied
            ));
            return Err(Error::HttpRequestDenied);
        }
        Ok(())
    }

    /// Sends a request that was admitted, and answers as soon as the answer's head is there.
    pub(super) async fn send(
        self: Arc<Self>,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Sent, Error> {
        let millis = self.limits.outbound_millis;
        let total = Duration::from_millis(millis);
        let deadline = Instant::now() + total;
        let failed = |error| self.notices.failed(error, deadline, millis);
        let (tenant, to) = (&self.owner.scope.tenant, Destination::of(request.uri()));
        let breakers = &self.shared.breakers;
        let left_alone = |refused| self.notices.circuit_open(&to, refused);
        breakers.look(tenant, &to).map_err(left_alone)?;
        let slot = timeout_at(deadline, self.slots.clone().acquire_owned()).await;
        let Ok(Ok(slot)) = slot else {
            return Err(self.too_many_at_once());
        };
        let secrets = timeout_at(deadline, self.vault.put(&mut request))
            .await
            .map_err(|_| failed(Error::ConnectionTimeout))?
            .map_err(|refused| self.end(&refused))?;
        let limit = self.limits.outbound_request_body_bytes;
        let request = bounded(request, limit, &self.notices)?;
        // Once more: it may have opened while the request waited for its turn.
        let ticket = breakers.admit(tenant, &to).map_err(left_alone)?;
        let answer = self.head(request, &options, deadline, &secrets).await;
        ticket.tell(&answer);
        let answer = answer.map_err(failed)?;
        let bounds = AnswerBounds {
            millis,
            bytes: self.limits.outbound_body_bytes,
            between: options.between_bytes_timeout.unwrap_or(total),
            deadline,
        };
        let answer =
            answer.map(|incoming| AnswerBody::new(incoming, bounds, slot, self.notices.clone()));
        let answer = match secrets.masks {
            None => answer.map(AnswerBody::boxed_unsync),
            Some(masks) => masks
                .answer(answer)
                .map_err(|coding| self.unsearchable(coding))?
                .map(http_body_util::BodyExt::boxed_unsync),
        };
        Ok((answer, Box::new(async { Ok(()) })))
    }

    /// No other request of the attempt ended for as long as one may take.
    fn too_many_at_once(&self) -> Error {
        let limit = self.limits.outbound_concurrency;
        let what =
            "as many requests of one attempt were under way as may be, for as long as one may take";
        self.notices.over_limit(what, "outbound_concurrency", limit)
    }

    /// Ends the attempt: the guest cannot mend what is wrong with a secret.
    fn end(&self, refused: &Refused) -> Error {
        self.notices
            .say(&format!("{}: {}", refused.code(), refused.detail()));
        if !refused.source_text().is_empty() {
            tracing::warn!(
                code = %refused.code(), cause = refused.source_text(), scope = %self.owner.scope,
                plugin = %self.owner.plugin, "a secret could not be read"
            );
        }
        self.ending
            .end(Refusal::new(refused.code(), refused.detail()));
        Error::HttpRequestDenied
    }

    /// The far side compressed its answer though it was asked not to.
    fn unsearchable(&self, coding: String) -> Error {
        self.notices.say(&format!(
            "an answer with content-encoding {coding:?} is refused: a secret is granted for the host, and could not be \
             found in it"
        ));
        Error::HttpResponseContentCoding(Some(coding))
    }

    /// The answer's head. Connecting and waiting for it each have the time that the guest gives them, if it does.
    async fn head(
        &self,
        mut request: Request<WasiBody>,
        options: &RequestOptions,
        deadline: Instant,
        secrets: &Handled,
    ) -> Result<Response<Incoming>, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let port = port_of(request.uri());
        let within = |given: Option<Duration>| {
            let given = given.and_then(|given| Instant::now().checked_add(given));
            given.map_or(deadline, |given| given.min(deadline))
        };
        let mut connection = capture_connection(&mut request);
        let reach = Reach {
            private_network: self.grants.private_network,
            inside_only: secrets.stays_inside(request.uri()),
        };
        let client = self.shared.outbound.client(&self.owner, self.weight, reach);
        let mut answer = client.request(request);
        let connected = async {
            connection.wait_for_connection_metadata().await;
        };
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            connected = timeout_at(within(options.connect_timeout), connected) => {
                connected.map_err(|_| Error::ConnectionTimeout)?;
                timeout_at(within(options.first_byte_timeout), answer)
                    .await
                    .map_err(|_| Error::ConnectionReadTimeout)?
            }
        };
        answer.map_err(|error| self.failed(&error, &host, port, secrets.carries.as_ref()))
    }

    /// What the guest is told of a request that could not be sent or answered.
    fn failed(
        &self,
        error: &hyper_util::client::legacy::Error,
        host: &str,
        port: u16,
        carries: Option<&SecretName>,
    ) -> Error {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<ConnectError>() {
                if let ConnectError::Prohibited { address, why } = refused {
                    self.notices.say(&format!(
                        "{}: {host}:{port} is at {address}, which is {why}; {}",
                        Code::OutboundDenied,
                        address::advice(*address)
                    ));
                }
                if let ConnectError::NoPlace = refused {
                    return self.notices.no_connection(host, port);
                }
                if let (ConnectError::Outside { address }, Some(name)) = (refused, carries) {
                    let Owner { scope, plugin, .. } = &*self.owner;
                    return self.end(&Refused::new(
                        Code::SecretNotGranted,
                        format!(
                            "plugin {plugin} of {scope} may not send secret {name} to {host}:{port}: without TLS it \
                             stays inside, and {address} is outside; use https"
                        ),
                    ));
                }
                return refused.to_wasi();
            }
            // The guest's own body, refused half-way or broken off by the guest.
            if let Some(own) = cause.downcast_ref::<Error>() {
                return match own {
                    Error::InternalError(Some(words)) => Error::InternalError(Some(words.clone())),
                    _ => Error::HttpProtocolError,
                };
            }
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return match io.kind() {
                    std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                    _ => Error::ConnectionTerminated,
                };
            }
            source = cause.source();
        }
        tracing::debug!(%error, host, port, "an outbound request failed");
        Error::ConnectionTerminated
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use http_body_util::Empty;
    use tenterhook_domain::{Digest, PluginName, TenantId, tally::Tally};

    use super::*;
    use crate::{
        capability::Means,
        guest_log::{GuestLog, Subject},
    };

    #[derive(Default)]
    struct Hits(Mutex<Vec<String>>);

    impl Tally for Hits {
        fn limit_hit(&self, tenant: &TenantId, plugin: &PluginName, limit: &'static str) {
            let mut hits = self.0.lock().unwrap();
            hits.push(format!("{tenant} {plugin} {limit}"));
        }

        fn quota_refused(&self, _: &TenantId, _: &'static str) {}

        fn circuit_refused(&self, _: &TenantId) {}
    }

    #[tokio::test]
    async fn a_request_that_never_gets_its_turn_is_told_by_which_limit() {
        let hits = Arc::<Hits>::default();
        let access = ActivityAccess {
            owner: Arc::new(Owner {
                scope: "acme/production".parse().unwrap(),
                plugin: "payment".parse().unwrap(),
                digest: Digest::of(b""),
            }),
            limits: Arc::new(Limits {
                outbound_concurrency: 1,
                outbound_millis: 10,
                ..Limits::default()
            }),
            grants: Arc::default(),
            wants: Arc::default(),
            config: Arc::default(),
            weight: 1,
        };
        let shared = Shared::new(Means {
            keyvalue: None,
            secrets: None,
            resolver: None,
            connections: 8,
            memory_bytes: u64::MAX,
            tally: hits.clone(),
        });
        let log = GuestLog::new(
            access.owner.clone(),
            Subject::Inspection,
            &access.limits,
            hits.clone(),
        );
        let log = Arc::new(Mutex::new(log));
        let gate = Gate::new(&access, Vec::new(), &Arc::new(shared.unwrap()), &log);
        let _under_way = gate.slots.clone().try_acquire_owned().unwrap();
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get("http://api.example.com/").body(body).unwrap();
        let sent = Arc::new(gate).send(request, RequestOptions::default());
        let Err(Error::InternalError(Some(words))) = sent.await.map(|_| ()) else {
            panic!("it was sent")
        };
        for part in [
            Code::OutboundLimitExceeded.as_str(),
            "outbound_concurrency is 1",
            "raise outbound_concurrency",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert_eq!(
            *hits.0.lock().unwrap(),
            ["acme payment outbound_concurrency"]
        );
    }
}
