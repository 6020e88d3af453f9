//! Where a request came from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::accounts::Origin;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address, put into each request by the accept loop: that of the other end of the connection, or what trusted
/// proxies there say that it is.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub address: IpAddr,
    /// A trusted proxy is at the other end of the connection, and its word counts.
    pub is_behind_proxy: bool,
}

/// By which headers proxies say whom they ask for. Those of the other kind are what a client has written, and a proxy that does
/// not know them passes on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// The networks whose word on the client's address is taken.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// The client's address, of a request that has come from `peer`. Proxies add to the end of what they were told, so it is
    /// the last address that is no proxy's: what stands before it anybody could have written.
    pub fn client(&self, peer: IpAddr, kind: ProxyHeaders, headers: &HeaderMap) -> Peer {
        let mut client = peer.to_canonical();
        let is_behind_proxy = self.trust(client);
        if is_behind_proxy {
            for hop in hops(kind, headers).into_iter().rev() {
                let Some(address) = hop else { break };
                client = address;
                if !self.trust(client) {
                    break;
                }
            }
        }
        Peer { address: client, is_behind_proxy }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl TryFrom<String> for TrustedProxies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
        let parse = |network: &str| match IpAddr::from_str(network) {
            Ok(address) => Ok(address.into()),
            Err(_) => network.parse().map_err(|_| format!("{network} is no address and no network like 10.0.0.0/8")),
        };
        networks.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl From<TrustedProxies> for String {
    fn from(TrustedProxies(networks): TrustedProxies) -> Self {
        networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Whom each proxy was asked by, the nearest last; none where it does not say.
fn hops(kind: ProxyHeaders, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    match kind {
        ProxyHeaders::XForwarded => elements(headers, X_FORWARDED_FOR).map(address).collect(),
        ProxyHeaders::Forwarded => {
            elements(headers, header::FORWARDED).map(|element| address(value_of(element, "for")?)).collect()
        }
    }
}

/// What the nearest proxy says in the header `name`, or under `pair` in `Forwarded`. What stands before it anybody could have
/// written.
pub fn last_said<'a>(kind: ProxyHeaders, headers: &'a HeaderMap, name: HeaderName, pair: &str) -> Option<&'a str> {
    match kind {
        ProxyHeaders::XForwarded => elements(headers, name).last(),
        ProxyHeaders::Forwarded => elements(headers, header::FORWARDED).last().and_then(|said| value_of(said, pair)),
    }
}

/// An element that is no text is an empty one: those of proxies that stand behind it count all the same.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    values
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|said| str::from_utf8(said).unwrap_or_default().trim())
}

fn value_of<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

/// The client's address, for limits.
pub struct ClientAddress(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>();
        Ok(Self(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address)))
    }
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let user_agent = parts.headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
        Ok(Self::new(user_agent.unwrap_or_default(), address))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{ProxyHeaders, TrustedProxies};

    /// Who is taken for the client where `10.0.0.0/8` and `::1` are trusted.
    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        client_by(ProxyHeaders::XForwarded, peer, &headers)
    }

    fn client_by(kind: ProxyHeaders, peer: &str, headers: &[(&'static str, &[u8])]) -> String {
        let proxies = TrustedProxies::try_from("10.0.0.0/8, ::1".to_owned()).expect("two networks");
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a value")))
            .collect();
        proxies.client(peer.parse::<IpAddr>().expect("an address"), kind, &headers).address.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = [("x-forwarded-for", "192.0.2.7")];
        assert_eq!(client("198.51.100.1", &said), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &said), "192.0.2.7");
        assert_eq!(client("::ffff:10.1.2.3", &said), "192.0.2.7");
        assert_eq!(client("::1", &[]), "::1");
    }

    #[test]
    fn what_a_client_has_written_before_the_proxies_is_not_believed() {
        let said = [("x-forwarded-for", "203.0.113.9, 192.0.2.7, 10.9.9.9")];
        assert_eq!(client("10.1.2.3", &said), "192.0.2.7");
        let said = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(client("10.1.2.3", &said), "192.0.2.7");
        let said = [("x-forwarded-for", "10.5.5.5, 10.6.6.6")];
        assert_eq!(client("10.1.2.3", &said), "10.5.5.5", "all are proxies: the first of them has asked");
    }

    #[test]
    fn what_is_no_address_ends_what_is_believed() {
        for said in ["unknown", "", "192.0.2.7, nonsense", "192.0.2.7, _hidden", "999.1.1.1"] {
            assert_eq!(client("10.1.2.3", &[("x-forwarded-for", said)]), "10.1.2.3", "{said}");
        }
        assert_eq!(client("10.1.2.3", &[("x-forwarded-for", "x, 10.2.2.2")]), "10.2.2.2");
    }

    #[test]
    fn what_proxies_pass_on_as_a_client_has_written_it_changes_nothing() {
        let both: [(_, &[u8]); 2] = [("x-forwarded-for", b"192.0.2.7"), ("forwarded", b"for=198.51.100.2")];
        assert_eq!(client_by(ProxyHeaders::XForwarded, "10.1.2.3", &both), "192.0.2.7");
        assert_eq!(client_by(ProxyHeaders::Forwarded, "10.1.2.3", &both), "198.51.100.2");
        let no_text: [(_, &[u8]); 1] = [("x-forwarded-for", b"\xff, 192.0.2.7")];
        assert_eq!(client_by(ProxyHeaders::XForwarded, "10.1.2.3", &no_text), "192.0.2.7");
    }

    #[test]
    fn ports_brackets_and_the_standard_header_are_read() {
        for said in ["192.0.2.7:4711", "192.0.2.7", "::ffff:192.0.2.7"] {
            assert_eq!(client("10.1.2.3", &[("x-forwarded-for", said)]), "192.0.2.7", "{said}");
        }
        for said in ["for=192.0.2.1, For=\"[2001:db8::7]:4711\";proto=https", "proto=http;for=\"[2001:db8::7]\""] {
            let headers = [("forwarded", said.as_bytes())];
            assert_eq!(client_by(ProxyHeaders::Forwarded, "10.1.2.3", &headers), "2001:db8::7", "{said}");
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        let error = TrustedProxies::try_from("10.0.0.0/8, proxy.example".to_owned()).expect_err("no network");
        assert!(error.starts_with("proxy.example is no address"), "{error}");
        let shown = String::from(TrustedProxies::try_from(" 127.0.0.1,".to_owned()).expect("one address"));
        assert_eq!(shown, "127.0.0.1/32");
    }
}
