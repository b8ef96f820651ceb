//! The client of many hosts, which tests that kill hosts rely on.

use reqwest::Method;
use tenterhook_tests::{
    echo::Echo,
    host::{Api, Fleet},
};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_request_to_a_host_that_died_goes_to_its_successor() {
    // It takes a connection and says nothing, as a host whose end the client does not hear of.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let echo = Echo::start().await.unwrap();
    let at = |address| Api::new(&format!("http://{address}"), "somebody");
    let fleet = Fleet::default();
    fleet.set(0, at(silent.local_addr().unwrap()));
    let succession = async {
        let connection = silent.accept().await.unwrap();
        fleet.set(0, at(echo.address));
        connection
    };
    let (answer, _connection) = tokio::join!(fleet.call(Method::GET, "/", None), succession);
    assert!(answer.unwrap().status.is_success());
    assert_eq!(fleet.retries(), 1);
    assert_eq!(echo.requests().len(), 1);
}
