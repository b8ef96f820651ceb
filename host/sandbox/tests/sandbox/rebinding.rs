//! Names that are somewhere else a moment later, and answers that point inside: tried by a real guest.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use tenterhook_sandbox::{ActivityModule, Resolver};

use crate::{
    Place,
    activity::LONG,
    guest, limits,
    outbound::{Access, Answer, Server, charge},
};

/// A name server that says something else each time it is asked; the last word stays.
struct Turns {
    says: Vec<IpAddr>,
    asked: Mutex<Vec<String>>,
}

impl Turns {
    fn new(says: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            says: says.iter().map(|text| text.parse().unwrap()).collect(),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait::async_trait]
impl Resolver for Turns {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut asked = self.asked.lock().unwrap();
        let at = asked.len().min(self.says.len() - 1);
        asked.push(host.to_owned());
        Ok(vec![SocketAddr::new(self.says[at], port)])
    }
}

async fn payment(resolver: &Arc<Turns>) -> (Place, Arc<ActivityModule>) {
    let place = Place::with_resolver(resolver.clone());
    let module = place.load(&guest("payment")).await.activities().unwrap();
    (place, module)
}

/// To `server` by a name.
fn by_name(server: &Server) -> Access {
    let mut access = Access::to(server);
    let host = format!("rebind.example:{}", server.address.port());
    access.url = format!("http://{host}");
    access.grants.http[0].host = host;
    access
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_judged_and_asks_once() {
    let server = Server::start(Answer::charged()).await;
    let other = format!("127.0.0.2:{}", server.address.port());
    let other = Server::start_at(&other, Answer::charged()).await;
    let names = Turns::new(&["127.0.0.1", "127.0.0.2"]);
    let (_place, module) = payment(&names).await;
    let access = by_name(&server);
    for _ in 0..3 {
        charge(&module, &access, LONG).await.unwrap().unwrap();
    }
    // The connection is kept, and where it goes was judged when it was made.
    assert_eq!((names.asked(), server.connections()), (1, 1));
    assert_eq!(other.connections(), 0);
    // Another scope has a connection of its own, and asks for itself.
    let globex = Access {
        scope: "globex/production",
        ..by_name(&server)
    };
    charge(&module, &globex, LONG).await.unwrap().unwrap();
    assert_eq!((names.asked(), other.connections()), (2, 1));
}

#[tokio::test]
async fn a_name_that_is_outside_first_and_inside_then_is_never_let_inside() {
    let server = Server::start(Answer::charged()).await;
    // An address outside that no packet gets to: a gateway to IPv4 is not there.
    let names = Turns::new(&["64:ff9b::101:101", "127.0.0.1"]);
    let (_place, module) = payment(&names).await;
    let mut access = by_name(&server);
    access.grants.private_network = false;
    access.limits = limits(|limits| limits.outbound_millis = 500);
    let first = charge(&module, &access, LONG).await.unwrap().unwrap_err();
    assert_eq!(names.asked(), 1, "{first:?}");
    assert!(!format!("{first:?}").contains("IpProhibited"), "{first:?}");
    let second = charge(&module, &access, LONG).await.unwrap().unwrap_err();
    assert_eq!(names.asked(), 2);
    assert!(format!("{second:?}").contains("IpProhibited"), "{second:?}");
    assert_eq!(server.connections(), 0);
    // With the grant it would have been let in: the name leads there.
    access.grants.private_network = true;
    access.limits = Arc::default();
    charge(&module, &access, LONG).await.unwrap().unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn no_way_to_write_an_address_inside_leads_there() {
    let server = Server::start(Answer::charged()).await;
    for inside in [
        "127.0.0.1",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "100.64.0.1",
        "10.0.0.1",
        "169.254.169.254",
    ] {
        let names = Turns::new(&[inside]);
        let (_place, module) = payment(&names).await;
        let mut access = by_name(&server);
        access.grants.private_network = false;
        let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
        assert!(
            format!("{failure:?}").contains("IpProhibited"),
            "{inside}: {failure:?}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_the_guests_to_follow_and_passes_every_gate_again() {
    let inside = Server::start(Answer::charged()).await;
    for (location, host) in [
        (
            format!("http://{}/", inside.address),
            inside.address.to_string(),
        ),
        (
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "169.254.169.254:80".to_owned(),
        ),
    ] {
        let head = format!("307 Temporary Redirect\r\nlocation: {location}");
        let server = Server::start(Answer::Head(head)).await;
        let names = Turns::new(&["127.0.0.1"]);
        let (_place, module) = payment(&names).await;
        let access = by_name(&server);
        let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
        assert!(format!("{failure:?}").contains("307"), "{failure:?}");
        // The host followed nothing: neither a name nor a connection.
        assert_eq!((names.asked(), server.requests().len()), (1, 1));
        assert_eq!(inside.connections(), 0);
        // A guest that follows has another request, that is judged as all are.
        let mut following = Access::to(&server);
        following.url = location;
        following.grants.private_network = false;
        let place = Place::new();
        let module = place.load(&guest("payment")).await.activities().unwrap();
        let denied = charge(&module, &following, LONG)
            .await
            .unwrap()
            .unwrap_err();
        assert!(
            format!("{denied:?}").contains("RequestDenied"),
            "{denied:?}"
        );
        following.grants.http[0].host = host;
        let denied = charge(&module, &following, LONG)
            .await
            .unwrap()
            .unwrap_err();
        assert!(format!("{denied:?}").contains("IpProhibited"), "{denied:?}");
        assert_eq!(inside.connections(), 0);
    }
}

#[tokio::test]
async fn what_tells_the_machines_credentials_is_out_of_reach_with_every_grant() {
    let server = Server::start(Answer::charged()).await;
    for metadata in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"] {
        let names = Turns::new(&[metadata]);
        let (_place, module) = payment(&names).await;
        let access = by_name(&server);
        assert!(access.grants.private_network);
        let failure = charge(&module, &access, LONG).await.unwrap().unwrap_err();
        assert!(
            format!("{failure:?}").contains("IpProhibited"),
            "{metadata}: {failure:?}"
        );
    }
}
