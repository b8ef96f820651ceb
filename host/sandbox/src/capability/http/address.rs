//! Which addresses outbound requests may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why `address` may not be connected to; `None` if it may.
///
/// With `private_network`, addresses that are only reachable from inside are allowed. What is no host's address at
/// all never is, and what tells the machine's own credentials neither.
pub(super) fn prohibited(address: IpAddr, private_network: bool) -> Option<&'static str> {
    if is_metadata(address) {
        return Some("a metadata service, which gives out the credentials of the machine");
    }
    let (never, private) = match address {
        IpAddr::V4(address) => (never_v4(address), private_v4(address)),
        IpAddr::V6(address) => (never_v6(address), private_v6(address)),
    };
    never.or(private.filter(|_| !private_network))
}

/// What can be done about `address`, which [`prohibited`] refuses.
pub(super) fn advice(address: IpAddr) -> &'static str {
    match prohibited(address, true) {
        Some(_) => "no grant allows it",
        None => "an operator may grant private_network",
    }
}

/// Where clouds tell a machine who it is, and with which keys.
const METADATA: &[IpAddr] = &[
    // Most clouds; containers of AWS; pods of AWS.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Google; Alibaba; Oracle; Azure.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

fn is_metadata(address: IpAddr) -> bool {
    let inner = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
    };
    METADATA.contains(&address) || inner.is_some_and(|inner| METADATA.contains(&inner))
}

fn never_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    if first == 0 {
        return Some("an unspecified address");
    }
    if address.is_multicast() {
        return Some("a multicast address");
    }
    (first >= 240).then_some("a reserved or broadcast address")
}

fn private_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if address.is_private() {
        return Some("a private address");
    }
    if address.is_link_local() {
        return Some("a link-local address");
    }
    match (a, b, c) {
        (100, 64..=127, _) => Some("an address of a carrier's inner network"),
        (192, 0, 0) => Some("an address for protocols"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Some("an address for documentation"),
        (192, 88, 99) => Some("a relay address"),
        (198, 18..=19, _) => Some("an address for benchmarks"),
        _ => None,
    }
}

fn never_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("an unspecified address");
    }
    if address.is_multicast() {
        return Some("a multicast address");
    }
    embedded_v4(address).and_then(never_v4)
}

fn private_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = address.segments();
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if address.to_ipv4_mapped().is_some() {
        return Some("an IPv4 address in IPv6's clothes");
    }
    if let Some(why) = embedded_v4(address).and_then(private_v4) {
        return Some(why);
    }
    match first {
        0xfc00..=0xfdff => Some("a unique local address"),
        0xfe80..=0xfeff => Some("a link-local or site-local address"),
        0x2001 if second == 0x0db8 => Some("an address for documentation"),
        // Teredo and other special purposes; 2001:200::/23 and above are ordinary.
        0x2001 if second < 0x0200 => Some("a special purpose address"),
        0x3fff if second < 0x1000 => Some("an address for documentation"),
        // NAT64 by everybody's prefix leads to the IPv4 address that was looked at above.
        0x0064 if second == 0xff9b && embedded_v4(address).is_some() => None,
        0x2000..=0x3fff => None,
        _ => Some("no global address"),
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64, 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let [.., high, low] = segments;
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    if address.is_loopback() || address.is_unspecified() {
        return None;
    }
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x0064, 0xff9b, 0, 0, 0, 0, ..] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_what_would_help() {
        for (address, helps) in [
            ("10.0.0.1", true),
            ("127.0.0.1", true),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
        ] {
            let advice = advice(address.parse().unwrap());
            assert_eq!(advice.contains("private_network"), helps, "{address}");
        }
    }

    #[test]
    fn only_global_addresses_without_a_grant() {
        for allowed in [
            "1.1.1.1",
            "93.184.216.34",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert_eq!(
                prohibited(allowed.parse().unwrap(), false),
                None,
                "{allowed}"
            );
        }
        for private in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "64:ff9b:1::7f00:1",
            "64:ff9b:1::101:101",
            "4000::1",
        ] {
            let address = private.parse().unwrap();
            assert!(prohibited(address, false).is_some(), "{private}");
            assert_eq!(prohibited(address, true), None, "{private}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "ff02::1",
            "::ffff:0.0.0.0",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "169.254.170.2",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
        ] {
            assert!(
                prohibited(never.parse().unwrap(), true).is_some(),
                "{never}"
            );
        }
    }
}
