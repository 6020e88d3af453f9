//! Where somebody signs in from.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

/// With which program and from which address somebody signs in, for the list of their devices.
pub struct Origin {
    /// A short name of the program. It is the program's own word, and proves nothing.
    pub client: String,
    pub address: IpAddr,
}

impl Origin {
    /// `user_agent` is what the program says of itself (RFC 9110, section 10.1.5), in whatever bytes.
    pub fn new(user_agent: &[u8], address: IpAddr) -> Self {
        Self { client: name_of(&String::from_utf8_lossy(user_agent)), address }
    }

    /// What the name of a browser is made of, to say it in another language.
    pub fn browser_and_system(client: &str) -> Option<(&str, &str)> {
        let is_in = |names: &[(&str, &str)], name: &str| names.iter().any(|(_, known)| *known == name);
        let parts = client.split_once(" on ")?;
        Some(parts).filter(|(browser, system)| is_in(&BROWSERS, browser) && is_in(&SYSTEMS, system))
    }
}

/// What of an address counts as one for limits: whoever has an IPv6 address mostly has all of its /64 network
/// (RFC 6177, section 2).
pub fn network_of(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(address) => IpNet::V4(address.into()),
        IpAddr::V6(address) => IpNet::V6(Ipv6Net::new_assert(address, 64).trunc()),
    }
}

const MAX_CHARACTERS: usize = 40;

/// By what their names contain, the first that fits: most browsers name those as well that they are like.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// Programs that say less than they could.
const PROGRAMS: [(&str, &str); 3] =
    [("node-XMLHttpRequest", "socket.io client (Node.js)"), ("node", "Node.js"), ("undici", "Node.js")];

fn name_of(user_agent: &str) -> String {
    let contained = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
    };
    if user_agent.starts_with("Mozilla/")
        && let Some(browser) = contained(&BROWSERS)
    {
        return contained(&SYSTEMS).map_or(browser.to_owned(), |system| format!("{browser} on {system}"));
    }
    let program = PROGRAMS.iter().find(|(whole, _)| *whole == user_agent);
    program.map_or_else(|| first_words(user_agent), |(_, name)| (*name).to_owned())
}

fn first_words(text: &str) -> String {
    let mut words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut name: String = words.next().unwrap_or_default().chars().take(MAX_CHARACTERS).collect();
    for word in words {
        if name.chars().count() + 1 + word.chars().count() > MAX_CHARACTERS {
            break;
        }
        name.push(' ');
        name.push_str(word);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARACTERS, name_of, network_of};

    #[test]
    fn one_client_is_told_from_another_by_its_network() {
        let network = |address: &str| network_of(address.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.1"), "192.0.2.1/32");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1/32");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
    }

    #[test]
    fn browsers_are_told_by_name_and_system() {
        let cases = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 \
                 Safari/537.36 Edg/138.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("Mozilla/5.0 Firefox/1.0", "Firefox"),
        ];
        for (user_agent, name) in cases {
            assert_eq!(name_of(user_agent), name, "{user_agent}");
        }
    }

    #[test]
    fn other_programs_are_told_by_their_first_words() {
        let cases = [
            ("node-XMLHttpRequest", "socket.io client (Node.js)"),
            ("node", "Node.js"),
            ("curl/8.14.1", "curl/8.14.1"),
            ("python-requests/2.32.4", "python-requests/2.32.4"),
            (
                "Mozilla/5.0 (compatible; Finder/2.1; and something that is long)",
                "Mozilla/5.0 (compatible; Finder/2.1; and",
            ),
            ("  a\t b\u{85}c  ", "a b c"),
            ("", ""),
        ];
        for (user_agent, name) in cases {
            assert_eq!(name_of(user_agent), name, "{user_agent}");
        }
    }

    #[test]
    fn a_name_is_short_whatever_it_is_made_of() {
        for user_agent in ["x".repeat(10_000), "é ".repeat(5_000), "<script> ".repeat(1_000)] {
            let length = name_of(&user_agent).chars().count();
            assert!((1..=MAX_CHARACTERS).contains(&length), "{length}");
        }
    }
}
