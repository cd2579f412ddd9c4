//! How private an address is, and which addresses a redirect may lead to.
//!
//! Judges the address that is connected to, never a text: every spelling of an address has become one value by then. Must
//! not know names, nor what is spoken over the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::report::{Failure, Phase, Reason};

/// The metadata services of cloud providers that are not link-local: they hand out credentials to whoever asks. IPv4: Oracle
/// Cloud, Alibaba Cloud, Azure; IPv6: Amazon, Google Cloud.
const METADATA_IPV4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];
const METADATA_IPV6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Who can be reached at an address. IPv6 addresses that embed an IPv4 address are of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AddressClass {
    /// Anybody on the internet.
    Public,
    /// The network of an internet provider (RFC 6598), or of a VPN that borrows it.
    CarrierGrade,
    /// A network of one's own (RFC 1918, RFC 4193), or one that nobody public has.
    Private,
    /// This machine.
    Loopback,
    /// The same cable (RFC 3927, RFC 4291), and the metadata services of clouds.
    LinkLocal,
    /// Nobody in particular: multicast, unspecified, and what is not assigned.
    Reserved,
}

impl AddressClass {
    /// The class of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_ipv4(address),
            IpAddr::V6(address) => of_ipv6(address),
        }
    }

    /// Whether a probe that began at an address of this class may be redirected to one of the other, which must not be more
    /// private. To this machine, a cable or a metadata service leads only what is there itself.
    fn may_lead_to(self, other: Self) -> bool {
        match other {
            Self::Public => true,
            Self::CarrierGrade => self != Self::Public,
            Self::Private => !matches!(self, Self::Public | Self::CarrierGrade),
            Self::Loopback | Self::LinkLocal | Self::Reserved => self == other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::CarrierGrade => "carrier-grade",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Reserved => "reserved",
        }
    }
}

/// Whether an address may be connected to, in a probe that began at an address of the class `floor`; the first address of
/// a probe has none, because the user chose it.
///
/// # Errors
/// `redirect/denied_address`.
pub(crate) fn check(address: SocketAddr, floor: Option<AddressClass>) -> Result<(), Failure> {
    let class = AddressClass::of(address.ip());
    let Some(floor) = floor.filter(|floor| !floor.may_lead_to(class)) else { return Ok(()) };
    let (class, floor) = (class.as_str(), floor.as_str());
    let detail =
        format!("a {floor} address must not redirect to {address}, which is a {class} one");
    Err(Failure::new(Phase::Redirect, Reason::DeniedAddress, detail))
}

/// By the IANA IPv4 Special-Purpose Address Registry (RFC 6890).
fn of_ipv4(address: Ipv4Addr) -> AddressClass {
    if METADATA_IPV4.contains(&address) {
        return AddressClass::LinkLocal;
    }
    match address.octets() {
        [127, ..] => AddressClass::Loopback,
        [169, 254, ..] => AddressClass::LinkLocal,
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        // For protocols, documentation and benchmarks: nobody public is there, and some networks borrow them.
        | [192, 0, 0 | 2, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => AddressClass::Private,
        [100, 64..=127, ..] => AddressClass::CarrierGrade,
        // This network, retired relays, multicast, the future.
        [0 | 224..=255, ..] | [192, 88, 99, _] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

/// By the IANA IPv6 Special-Purpose Address Registry (RFC 6890).
fn of_ipv6(address: Ipv6Addr) -> AddressClass {
    if METADATA_IPV6.contains(&address) {
        return AddressClass::LinkLocal;
    }
    if let Some(class) = of_embedded(address) {
        return class;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        // Unique local, the older site-local, NAT64 within one's own network (RFC 8215), documentation.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..] => AddressClass::Private,
        // Special protocols within the global unicast range.
        [0x2001, 0..=0x1ff, ..] => AddressClass::Reserved,
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

/// The class of the IPv4 address within an IPv6 address, where packets end up at it.
fn of_embedded(address: Ipv6Addr) -> Option<AddressClass> {
    let ipv4 =
        |high: u16, low: u16| of_ipv4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // Unspecified and loopback look like the next ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible (RFC 4291 §2.5.5.1), mapped (§2.5.5.2), translated (RFC 2765) and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4 (RFC 3056).
        | [0x2002, high, low, ..] => Some(ipv4(high, low)),
        // Teredo (RFC 4380 §4): the server in clear and the client inverted. A server that is not public is not valid.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            let server = ipv4(server_high, server_low);
            Some(if server == AddressClass::Public { ipv4(!high, !low) } else { server })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::{Host, Url};

    use super::{AddressClass::*, *};

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn every_address_has_its_class() {
        for (texts, expected) in [
            (&["8.8.8.8", "2606:4700::1", "172.32.0.1", "100.128.0.1", "169.253.0.1"][..], Public),
            (&["64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"], Public),
            (&["2001:0:808:808:0:0:f7f7:f7f7"], Public),
            (&["100.64.0.1", "100.127.255.255", "64:ff9b::6440:1"], CarrierGrade),
            (&["10.0.0.1", "172.31.255.255", "192.168.1.1", "fd12::1", "fec0::1"], Private),
            (&["192.0.2.1", "2001:db8::1", "198.18.0.1", "3fff::1"], Private),
            (&["2002:a00:1::1", "2001:0:808:808:0:0:f5ff:fffe", "64:ff9b:1::1"], Private),
            (&["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1"], Loopback),
            (&["64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:0:7f00:1"], Loopback),
            (&["169.254.169.254", "fe80::1", "febf::1", "fd00:ec2::254"], LinkLocal),
            (&["64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "168.63.129.16"], LinkLocal),
            (&["100.100.100.200", "fd20:ce::254", "192.0.0.192"], LinkLocal),
            (&["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "240.0.0.1"], Reserved),
            (&["4000::1", "2001:20::1", "100::1", "192.88.99.1"], Reserved),
            (&["2001:0:a00:1:0:0:f7f7:f7f7"], Private),
        ] {
            for text in texts {
                assert_eq!(class(text), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_redirect_leads_to_nothing_more_private() {
        let all = [Public, CarrierGrade, Private, Loopback, LinkLocal, Reserved];
        for (floor, allowed) in [
            (Public, &[Public][..]),
            (CarrierGrade, &[Public, CarrierGrade]),
            (Private, &[Public, CarrierGrade, Private]),
            (Loopback, &[Public, CarrierGrade, Private, Loopback]),
            (LinkLocal, &[Public, CarrierGrade, Private, LinkLocal]),
            (Reserved, &[Public, CarrierGrade, Private, Reserved]),
        ] {
            for other in all {
                assert_eq!(
                    floor.may_lead_to(other),
                    allowed.contains(&other),
                    "{floor:?} {other:?}"
                );
            }
        }
        let metadata = SocketAddr::from(([169, 254, 169, 254], 80));
        assert_eq!(check(metadata, None), Ok(()));
        let failure = check(metadata, Some(Private)).unwrap_err();
        assert_eq!((failure.phase, failure.reason), (Phase::Redirect, Reason::DeniedAddress));
    }

    /// Ways to write an IPv4 address in a URL, each of which some resolver or browser understands.
    fn spellings(address: Ipv4Addr) -> Vec<String> {
        let [first, second, third, fourth] = address.octets();
        let number = u32::from(address);
        let low = number & 0xff_ffff;
        let (high16, low16) = (number >> 16, number & 0xffff);
        let inverted = !number;
        vec![
            format!("{number}"),
            format!("{number:#x}"),
            format!("0{number:o}"),
            format!("{first}.{low}"),
            format!("{first:#x}.{second}.{low16}"),
            format!("0{first:o}.0{second:o}.0{third:o}.0{fourth:o}"),
            format!("{first:#X}.{second:#x}.{third:#x}.{fourth:#x}").replace("0X", "0x"),
            format!("{address}."),
            format!("{first}%2e{second}%2E{third}.{fourth}"),
            format!("{first}。{second}．{third}｡{fourth}"),
            format!("[::ffff:{address}]"),
            format!("[::{address}]"),
            format!("[0:0:0:0:0:FFFF:{high16:x}:{low16:x}]"),
            format!("[::ffff:0:{high16:x}:{low16:x}]"),
            format!("[64:ff9b::{address}]"),
            format!("[2002:{high16:x}:{low16:x}::1]"),
            format!("[2001:0:808:808:0:ffff:{:x}:{:x}]", inverted >> 16, inverted & 0xffff),
        ]
    }

    proptest! {
        /// No way to write an address that is denied gets past the check: each becomes the address, or is no URL.
        #[test]
        fn no_spelling_of_a_denied_address_passes(
            network in prop::sample::select(vec![
                (0x7f00_0000, 8), (0xa9fe_0000, 16), (0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16),
                (0x6440_0000, 10), (0xa9fe_a9fe, 32), (0xe000_0000, 4), (0xf000_0000, 4),
            ]),
            host in any::<u32>(),
        ) {
            let (prefix, bits): (u32, u32) = network;
            let address = Ipv4Addr::from(prefix | host.checked_shr(bits).unwrap_or(0));
            let mut parsed = 0;
            for text in spellings(address) {
                let Ok(url) = Url::parse(&format!("http://{text}/")) else { continue };
                let ip = match url.host() {
                    Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
                    Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
                    other => return Err(TestCaseError::fail(format!("{text} is {other:?}"))),
                };
                parsed += 1;
                let checked = check(SocketAddr::new(ip, 80), Some(Public));
                prop_assert!(checked.is_err(), "{} is {} and passes", text, ip);
            }
            prop_assert!(parsed >= 15, "only {} spellings are URLs", parsed);
        }
    }
}
