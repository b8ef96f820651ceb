//! Circuits of destinations that fail, met by a real guest.

use std::time::{Duration, Instant};

use tenterhook_domain::{
    Code,
    circuit::{CircuitReport, CircuitState, FAILURES_TO_OPEN},
};
use tenterhook_sandbox::ActivityModule;

use crate::{
    Place,
    activity::LONG,
    guest, limits,
    outbound::{Access, Answer, Server, charge},
};

/// Longer than a circuit is open the first time.
const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    place: Place,
    module: std::sync::Arc<ActivityModule>,
    server: Server,
}

impl Stage {
    async fn new(answer: Answer) -> Self {
        let place = Place::new();
        let module = place.load(&guest("payment")).await.activities().unwrap();
        let server = Server::start(answer).await;
        Self {
            place,
            module,
            server,
        }
    }

    /// What the guest says of a charge that fails.
    async fn failure(&self, access: &Access) -> String {
        let ended = charge(&self.module, access, LONG).await.unwrap();
        format!("{:?}", ended.unwrap_err())
    }

    /// Has the circuit of `access` opened.
    async fn open(&self, access: &Access) {
        for _ in 0..FAILURES_TO_OPEN {
            let words = self.failure(access).await;
            assert!(!words.contains("circuit"), "{words}");
        }
    }

    fn circuits(&self, tenant: &str) -> Vec<CircuitReport> {
        self.place
            .sandbox
            .circuits()
            .of_tenant(&tenant.parse().unwrap())
    }
}

fn failing() -> Answer {
    Answer::Head("503 Service Unavailable".to_owned())
}

#[tokio::test]
async fn a_destination_that_fails_is_left_alone_and_then_tried_once() {
    let stage = Stage::new(failing()).await;
    let mut access = Access::to(&stage.server);
    // What is refused at once is asked for again at once.
    access.limits = limits(|limits| limits.outbound_per_second = 100_000);
    stage.open(&access).await;
    let destination = format!("http://{}", stage.server.address);
    let [circuit] = &stage.circuits("acme")[..] else {
        panic!("{:?}", stage.circuits("acme"))
    };
    assert_eq!(circuit.destination, destination);
    assert_ne!(circuit.state, CircuitState::Closed);

    // Refused at once, with the reason; nothing arrives but probes, each when its time has come.
    let begun = Instant::now();
    let sent = FAILURES_TO_OPEN as usize;
    let (mut refused, mut probes) = (0, 0);
    while refused == 0 || probes == 0 {
        let words = stage.failure(&access).await;
        if stage.server.requests().len() > sent + probes {
            probes += 1;
            continue;
        }
        refused += 1;
        for part in [
            Code::OutboundCircuitOpen.as_str(),
            &destination,
            "tried again in",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(begun.elapsed() < PATIENCE, "no probe went out");
    }
    assert_ne!(stage.circuits("acme")[0].state, CircuitState::Closed);

    // Once the far side is well, the next probe closes it.
    stage.server.answer(Answer::charged());
    let begun = Instant::now();
    while charge(&stage.module, &access, LONG).await.unwrap().is_err() {
        assert!(begun.elapsed() < PATIENCE, "it never closed");
    }
    assert_eq!(stage.circuits("acme"), []);
    assert_eq!(stage.server.requests().len(), sent + probes + 1);
}

#[tokio::test]
async fn a_tenants_circuit_is_no_other_tenants() {
    let stage = Stage::new(failing()).await;
    let mut access = Access::to(&stage.server);
    stage.open(&access).await;
    access.scope = "globex/production";
    stage.server.answer(Answer::charged());
    charge(&stage.module, &access, LONG).await.unwrap().unwrap();
    assert_eq!(stage.circuits("globex"), []);
    assert_eq!(stage.circuits("acme").len(), 1);
}

#[tokio::test]
async fn who_does_not_answer_at_all_fails_too() {
    let stage = Stage::new(failing()).await;
    let mut access = Access::to(&stage.server);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    access.grants.http[0].host = address.to_string();
    access.url = format!("http://{address}");
    stage.open(&access).await;
    let [circuit] = &stage.circuits("acme")[..] else {
        panic!("{:?}", stage.circuits("acme"))
    };
    assert_eq!(circuit.destination, format!("http://{address}"));
    assert_eq!(circuit.failures, FAILURES_TO_OPEN);
}
