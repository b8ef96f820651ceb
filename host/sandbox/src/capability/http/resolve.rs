//! From a name to the addresses that may be connected to.
//!
//! A name is asked for once a connection, and each address of the answer is judged: the connection goes to one of those
//! and to nothing else. What the name is said to be a moment later, no connection in the making will hear.

use std::{io, net::SocketAddr, time::Duration};

use super::{Reach, address, connect::ConnectError};

/// Longest time to resolve a name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Says where hosts are.
#[async_trait::async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of `host`, each with `port`. `host` may be an address, in whichever way systems read one.
    ///
    /// # Errors
    /// When there is no such host, or nobody who knows.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// As the machine does it.
pub(super) struct System;

#[async_trait::async_trait]
impl Resolver for System {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// The addresses of `host` that may be reached, with TLS or `plain`.
///
/// # Errors
/// [`ConnectError`]; the reason for the last refused address where none may be reached.
pub(super) async fn resolve(
    resolver: &dyn Resolver,
    host: &str,
    port: u16,
    reach: Reach,
    plain: bool,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, resolver.addresses(host, port))
        .await
        .map_err(|_| ConnectError::ResolveTimeout)?
        .map_err(|_| ConnectError::NotFound)?;
    let mut allowed = Vec::new();
    let mut refused = None;
    for found in found {
        let address = found.ip();
        let inside = address::prohibited(address, false).is_some();
        match address::prohibited(address, reach.private_network) {
            None if plain && reach.inside_only && !inside => {
                refused = Some(ConnectError::Outside { address });
            }
            None => allowed.push(found),
            Some(why) => refused = Some(ConnectError::Prohibited { address, why }),
        }
    }
    allowed.truncate(ADDRESSES_MAX);
    match refused {
        Some(refused) if allowed.is_empty() => Err(refused),
        _ => Ok(allowed),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const OUTSIDE_ONLY: Reach = Reach {
        private_network: false,
        inside_only: false,
    };

    /// Answers with what it is made of, whatever it is asked.
    struct Says(Vec<&'static str>);

    #[async_trait::async_trait]
    impl Resolver for Says {
        async fn addresses(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), port);
            Ok(self.0.iter().map(address).collect())
        }
    }

    async fn allowed(says: &[&'static str], reach: Reach) -> Vec<String> {
        let resolver = Says(says.to_vec());
        let found = resolve(&resolver, "name", 80, reach, true).await;
        let found = found.unwrap_or_default();
        found.iter().map(|found| found.ip().to_string()).collect()
    }

    #[tokio::test]
    async fn of_a_mixed_answer_only_what_may_be_reached_is_tried() {
        let mixed = [
            "127.0.0.1",
            "1.1.1.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
        ];
        assert_eq!(allowed(&mixed, OUTSIDE_ONLY).await, ["1.1.1.1"]);
        let many = ["1.1.1.1"; 20];
        assert_eq!(allowed(&many, OUTSIDE_ONLY).await.len(), ADDRESSES_MAX);
        let inside = Reach {
            private_network: true,
            inside_only: true,
        };
        assert_eq!(
            allowed(&["1.1.1.1", "10.0.0.1"], inside).await,
            ["10.0.0.1"]
        );
    }

    #[tokio::test]
    async fn another_way_to_write_an_address_is_no_way_inside() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "0",
            "0.0.0.0",
            "localhost",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::7f00:1",
            "2852039166",
            "169.254.169.254",
            "100.64.0.1",
            "2002:7f00:1::",
        ] {
            // The machine may know no such name; what it knows may not be reached.
            let found = resolve(&System, host, 80, OUTSIDE_ONLY, false).await;
            assert!(
                matches!(
                    found,
                    Err(ConnectError::Prohibited { .. } | ConnectError::NotFound)
                ),
                "{host}: {found:?}"
            );
        }
        // Of these it is sure what the system makes of them.
        for host in ["127.1", "2130706433", "0177.0.0.1"] {
            let found = resolve(&System, host, 80, OUTSIDE_ONLY, false).await;
            assert!(
                matches!(found, Err(ConnectError::Prohibited { .. })),
                "{host}: {found:?}"
            );
        }
    }
}
