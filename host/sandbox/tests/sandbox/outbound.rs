//! Outbound HTTP of real activities against a server of this process.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tenterhook_domain::{
    Code, Digest,
    component::WantedGrants,
    grant::{Grants, HttpGrant},
    limit::Limits,
};
use tenterhook_sandbox::{ActivityAccess, ActivityModule, ActivityResult, Owner};
use tenterhook_workflow::guest::Fault;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    Place,
    activity::{Host, LONG, task},
    guest, limits, plugin,
};

const CHARGED: &str = r#"{"charge_id":"ch-1"}"#;
const CHARGE: &str = r#"{"payment_id":"p","amount":5,"currency":"EUR","method":"card"}"#;

/// How the server answers.
#[derive(Clone)]
pub(crate) enum Answer {
    Body(String),
    /// This status line and these headers, and no body.
    Head(String),
    /// The head of a body of so many bytes, which never comes.
    Cut(usize),
    Never,
}

impl Answer {
    pub(crate) fn charged() -> Self {
        Self::Body(CHARGED.to_owned())
    }
}

/// A server that speaks just enough HTTP/1.1.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::start_at("127.0.0.1:0", answer).await
    }

    pub(crate) async fn start_at(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::<Seen>::default(), Arc::new(Mutex::new(answer)));
        let server = Self {
            address,
            seen: seen.clone(),
            answer: answer.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone(), seen.clone()));
            }
        });
        server
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

/// Answers every request on `stream`. Bodies here are short and come with their head.
async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, seen: Arc<Seen>) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let chunked = head.to_ascii_lowercase().contains("chunked");
        let whole = if chunked {
            body.ends_with("0\r\n\r\n")
        } else {
            body.ends_with('}')
        };
        if !whole {
            continue;
        }
        seen.requests.lock().unwrap().push(text);
        bytes.clear();
        let answer = match answer.lock().unwrap().clone() {
            Answer::Never => continue,
            Answer::Head(head) => format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n"),
            Answer::Cut(bytes) => format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
            ),
            Answer::Body(body) => format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What the payment plugin wants, and what is granted to it for one server.
pub(crate) struct Access {
    pub(crate) grants: Grants,
    pub(crate) limits: Arc<Limits>,
    pub(crate) url: String,
    pub(crate) scope: &'static str,
}

impl Access {
    pub(crate) fn to(server: &Server) -> Self {
        Self {
            grants: Grants {
                http: vec![HttpGrant {
                    host: server.address.to_string(),
                    methods: Vec::new(),
                }],
                private_network: true,
                config: true,
                ..Grants::default()
            },
            limits: Arc::default(),
            url: format!("http://{}", server.address),
            scope: "acme/production",
        }
    }

    fn build(&self) -> ActivityAccess {
        let keys = ["gateway_url", "inventory_url"];
        ActivityAccess {
            owner: Arc::new(Owner {
                scope: self.scope.parse().unwrap(),
                plugin: plugin("payment"),
                digest: Digest::of(b""),
            }),
            limits: self.limits.clone(),
            grants: Arc::new(self.grants.clone()),
            wants: Arc::new(WantedGrants {
                http: keys.iter().map(|key| format!("config:{key}")).collect(),
                keyvalue: false,
                config: keys.iter().map(|&key| key.to_owned()).collect(),
            }),
            config: Arc::new(BTreeMap::from([(
                "gateway_url".to_owned(),
                self.url.clone(),
            )])),
            weight: 1,
        }
    }
}

async fn payment() -> (Place, Arc<ActivityModule>) {
    let place = Place::new();
    let module = place.load(&guest("payment")).await.activities().unwrap();
    (place, module)
}

pub(crate) async fn charge(
    module: &ActivityModule,
    access: &Access,
    within: Duration,
) -> Result<ActivityResult, Fault> {
    let task = task("ProcessPaymentGateway", CHARGE);
    module
        .execute(task, access.build(), Arc::<Host>::default(), within)
        .await
}

#[tokio::test]
async fn a_granted_request_arrives_and_its_answer_comes_back() {
    let server = Server::start(Answer::Body(CHARGED.to_owned())).await;
    let (_place, module) = payment().await;
    let result = charge(&module, &Access::to(&server), LONG)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(result.data, CHARGED.as_bytes());
    let requests = server.requests();
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    let request = request.to_ascii_lowercase();
    assert!(
        request.starts_with("post /charges http/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("idempotency-key: key-1"), "{request}");
    assert!(
        request.contains(&format!("host: {}", server.address)),
        "{request}"
    );
    assert_eq!(request.matches("\r\nhost:").count(), 1, "{request}");
}

#[tokio::test]
async fn what_is_not_granted_is_not_sent() {
    let server = Server::start(Answer::Body(CHARGED.to_owned())).await;
    let (_place, module) = payment().await;
    let refuse: [fn(&mut Access); 6] = [
        |access| access.grants.http.clear(),
        |access| access.grants.http[0].methods = vec!["GET".to_owned()],
        |access| access.grants.http[0].host = "127.0.0.1:1".to_owned(),
        |access| access.grants.private_network = false,
        |access| access.grants.config = false,
        |access| access.url = access.url.replace("127.0.0.1", "user@127.0.0.1"),
    ];
    for refuse in refuse {
        let mut access = Access::to(&server);
        refuse(&mut access);
        let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
        assert!(!failure.error.message.is_empty());
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    let server = Server::start(Answer::Body(CHARGED.to_owned())).await;
    let (_place, module) = payment().await;
    let mut access = Access::to(&server);
    let port = server.address.port();
    access.url = format!("http://localhost:{port}");
    access.grants.http[0].host = format!("localhost:{port}");
    access.grants.private_network = false;
    charge(&module, &access, LONG).await.unwrap().unwrap_err();
    assert_eq!(server.connections(), 0);
    access.grants.private_network = true;
    charge(&module, &access, LONG).await.unwrap().unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn connections_are_kept_but_never_shared_between_scopes() {
    let server = Server::start(Answer::Body(CHARGED.to_owned())).await;
    let (_place, module) = payment().await;
    let mut access = Access::to(&server);
    for _ in 0..3 {
        charge(&module, &access, LONG).await.unwrap().unwrap();
    }
    assert_eq!(server.connections(), 1);
    access.scope = "globex/production";
    charge(&module, &access, LONG).await.unwrap().unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_is_bounded_in_size() {
    let padded = format!(r#"{{"charge_id":"{}"}}"#, "x".repeat(100_000));
    let server = Server::start(Answer::Body(padded)).await;
    let (_place, module) = payment().await;
    let mut access = Access::to(&server);
    charge(&module, &access, LONG).await.unwrap().unwrap();
    access.limits = limits(|limits| limits.outbound_body_bytes = 50_000);
    let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
    let words = format!("{failure:?}");
    for part in [
        Code::OutboundLimitExceeded.as_str(),
        "outbound_body_bytes is 50000",
        "raise outbound_body_bytes",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[tokio::test]
async fn requests_are_bounded_in_number_and_time() {
    let server = Server::start(Answer::Never).await;
    let (_place, module) = payment().await;
    let mut access = Access::to(&server);
    access.limits = limits(|limits| limits.outbound_millis = 100);
    charge(&module, &access, LONG).await.unwrap().unwrap_err();
    access.limits = limits(|limits| limits.outbound_requests = 0);
    let connections = server.connections();
    charge(&module, &access, LONG).await.unwrap().unwrap_err();
    assert_eq!(server.connections(), connections);
}

#[tokio::test]
async fn what_is_sent_is_bounded_and_the_refusal_says_by_what() {
    let server = Server::start(Answer::Body(CHARGED.to_owned())).await;
    let (_place, module) = payment().await;
    let mut access = Access::to(&server);
    type Set = fn(&mut Limits);
    let cases: [(Set, &str); 3] = [
        (
            |limits| limits.outbound_requests = 0,
            "outbound_requests is 0",
        ),
        (
            |limits| limits.outbound_per_second = 0,
            "outbound_per_second is 0",
        ),
        (
            |limits| limits.outbound_request_body_bytes = 20,
            "outbound_request_body_bytes is 20",
        ),
    ];
    for (set, says) in cases {
        access.limits = limits(set);
        let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
        let words = format!("{failure:?}");
        for part in [Code::OutboundLimitExceeded.as_str(), says, "raise"] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }
    assert!(server.requests().is_empty(), "no whole request arrives");
    // Just within them it arrives.
    let bytes = CHARGE.len() as u64 * 2;
    access.limits = limits(|limits| limits.outbound_request_body_bytes = bytes);
    charge(&module, &access, LONG).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_plugin_sends_no_faster_than_it_may_whichever_attempt_sends() {
    let server = Server::start(Answer::Body(CHARGED.to_owned())).await;
    let (_place, module) = payment().await;
    let mut access = Access::to(&server);
    access.limits = limits(|limits| limits.outbound_per_second = 2);
    let mut refused = 0;
    // However slow the machine is: two a second and no more.
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        refused += usize::from(charge(&module, &access, LONG).await.unwrap().is_err());
    }
    let may = 2 + 2 * usize::try_from(begun.elapsed().as_secs() + 1).unwrap();
    let sent = 10 - refused;
    assert!((2..=may).contains(&sent), "{sent} of {may}");
    access.scope = "globex/production";
    charge(&module, &access, LONG).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_attempt_that_waits_is_ended_in_time() {
    let server = Server::start(Answer::Never).await;
    let (_place, module) = payment().await;
    let ended = charge(&module, &Access::to(&server), Duration::from_millis(200)).await;
    let Err(Fault::Dead { code, .. }) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(code, Code::GuestDeadlineExceeded);
}
