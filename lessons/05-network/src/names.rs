//! What a program in the container reads about names: the texts of `/etc/hosts`, `/etc/hostname`
//! and `/etc/resolv.conf`.
//!
//! They are made outside, for each container, and mounted over the image's own: an address isn't
//! known when an image is built.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use namespaces::{Result, step};
use rootfs::Mount;

/// Where to ask when the host has nobody that a container could reach: Google's resolvers, as
/// Docker does.
const PUBLIC: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4))];

/// The resolver's settings of a container: resolv.conf(5). What is empty comes from the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// `--dns`
    pub servers: Vec<IpAddr>,
    /// `--dns-search`; a single `.` means: none at all.
    pub search: Vec<String>,
    /// `--dns-option`
    pub options: Vec<String>,
}

/// `/etc/hosts`: hosts(5). `extra` is what `--add-host` says; `own` the container's addresses,
/// one for each of its networks.
pub fn hosts(hostname: &str, domain: &str, own: &[IpAddr], extra: &[(String, IpAddr)]) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n",
    );
    for (name, address) in extra {
        text += &format!("{address}\t{name}\n");
    }
    // The first name is the canonical one: with a domain, the full one.
    let names =
        if domain.is_empty() { hostname.to_owned() } else { format!("{hostname}.{domain} {hostname}") };
    for address in own {
        text += &format!("{address}\t{names}\n");
    }
    text
}

/// `/etc/hostname`: hostname(5).
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}

/// `/etc/resolv.conf`, from the host's own text and what was asked for.
///
/// A server of the host at a loopback address (a local cache, 127.0.0.53) is left out: in the
/// container that address is the container's own. Link-local IPv6 servers, too: their `%eth0`
/// is an interface of the host. With none left, [public ones](PUBLIC).
pub fn resolv_conf(host: &str, wanted: &Resolver) -> String {
    let found = parse(host);
    let mut servers = if wanted.servers.is_empty() {
        found.servers.into_iter().filter(|server| !server.is_loopback()).collect()
    } else {
        wanted.servers.clone()
    };
    if servers.is_empty() {
        servers = PUBLIC.to_vec();
    }
    let mut search = if wanted.search.is_empty() { found.search } else { wanted.search.clone() };
    search.retain(|domain| domain != ".");
    let options = if wanted.options.is_empty() { found.options } else { wanted.options.clone() };

    let mut text = String::new();
    for server in servers {
        text += &format!("nameserver {server}\n");
    }
    if !search.is_empty() {
        text += &format!("search {}\n", search.join(" "));
    }
    if !options.is_empty() {
        text += &format!("options {}\n", options.join(" "));
    }
    text
}

/// An argument of `--add-host`: `name:address`, or `name=address`. `host-gateway` as the address
/// is the host as the container sees it.
///
/// # Errors
/// In words, what is wrong with it.
pub fn parse_extra_host(text: &str, gateway: Option<IpAddr>) -> Result<(String, IpAddr), String> {
    let bad = || format!("bad format for add-host: {text:?} is not name:address");
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(bad)?;
    if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || letter == '#') {
        return Err(bad());
    }
    if address == "host-gateway" {
        let reason = "this network has no gateway to the host";
        return gateway.map(|gateway| (name.to_owned(), gateway)).ok_or(format!("{text}: {reason}"));
    }
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse().map_err(|_| format!("invalid IP address in add-host: {address:?}"))?;
    Ok((name.to_owned(), address))
}

/// The name servers that a resolv.conf(5) names, those at a loopback address as well: for whoever
/// asks from where they are. With none, [public ones](PUBLIC).
pub fn servers(text: &str) -> Vec<IpAddr> {
    let found = parse(text).servers;
    if found.is_empty() { PUBLIC.to_vec() } else { found }
}

/// The options that a resolv.conf(5) sets.
pub fn options(text: &str) -> Vec<String> {
    parse(text).options
}

/// What resolv.conf(5) says; of `search` and `domain` the last one counts.
fn parse(text: &str) -> Resolver {
    let mut found = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            // A zone (`fe80::1%eth0`) doesn't parse, and is left out.
            Some("nameserver") => {
                found.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()))
            }
            Some("search" | "domain") => found.search = words.map(str::to_owned).collect(),
            Some("options") => found.options.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    found
}

/// The three texts as files, for a program without a daemon.
#[derive(Debug)]
pub struct Files(PathBuf);

impl Files {
    /// Writes them into the container's own folder, for a container with these addresses on a host
    /// whose resolv.conf is as it is.
    pub fn write(folder: &Path, name: &str, own: &[IpAddr]) -> Result<Files> {
        let files = Files(folder.to_owned());
        let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let texts = [hosts(name, "", own, &[]), hostname(name), resolv_conf(&host, &Resolver::default())];
        for ((from, _), text) in files.places().iter().zip(texts) {
            step("write file", from.display(), || fs::write(from, text))?;
        }
        Ok(files)
    }

    /// The mounts that show them in the container.
    pub fn mounts(&self) -> [Mount; 3] {
        self.places().map(|(from, to)| Mount::bind(from, to, false))
    }

    fn places(&self) -> [(PathBuf, &'static str); 3] {
        ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]
            .map(|to| (self.0.join(to.trim_start_matches("/etc/")), to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_has_the_usual_lines_then_the_extra_ones_then_the_containers_own() {
        let extra = [("db".to_owned(), IpAddr::from([10, 0, 0, 9]))];
        let text = hosts("web", "", &[IpAddr::from([172, 29, 0, 2])], &extra);
        assert!(text.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"));
        assert!(text.ends_with("\n10.0.0.9\tdb\n172.29.0.2\tweb\n"), "{text}");
    }

    #[test]
    fn with_a_domain_the_full_name_comes_first() {
        let text = hosts("web", "example.org", &[IpAddr::from([172, 29, 0, 2])], &[]);
        assert!(text.ends_with("172.29.0.2\tweb.example.org web\n"), "{text}");
    }

    #[test]
    fn the_hosts_nameservers_are_kept_but_those_at_a_loopback_address_are_not() {
        let host = "# made by hand\nnameserver 127.0.0.53\nnameserver 10.1.2.3\nnameserver ::1\n\
                    search a.example b.example\noptions edns0\noptions ndots:2\n";
        let text = resolv_conf(host, &Resolver::default());
        assert_eq!(text, "nameserver 10.1.2.3\nsearch a.example b.example\noptions edns0 ndots:2\n");
    }

    #[test]
    fn a_host_that_only_asks_itself_leaves_the_public_nameservers() {
        let public = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
        for host in ["", "nameserver 127.0.0.53\n", "nameserver fe80::1%eth0\n", "nameserver\n", "\0\u{fffd}"]
        {
            assert_eq!(resolv_conf(host, &Resolver::default()), public, "{host:?}");
        }
    }

    #[test]
    fn what_is_asked_for_replaces_what_the_host_has() {
        let host = "nameserver 10.1.2.3\nsearch a.example\n";
        let wanted = Resolver { servers: vec![IpAddr::from([127, 0, 0, 11])], ..Resolver::default() };
        assert_eq!(resolv_conf(host, &wanted), "nameserver 127.0.0.11\nsearch a.example\n");
        let wanted = Resolver { search: vec![".".into()], ..Resolver::default() };
        assert_eq!(resolv_conf(host, &wanted), "nameserver 10.1.2.3\n");
    }

    #[test]
    fn add_host_takes_both_forms_and_host_gateway_and_refuses_the_rest() {
        let gateway = IpAddr::from([172, 29, 0, 1]);
        let parse = |text: &str| parse_extra_host(text, Some(gateway));
        assert_eq!(parse("db:10.0.0.9"), Ok(("db".into(), IpAddr::from([10, 0, 0, 9]))));
        assert_eq!(parse("db=[::1]").unwrap().1.to_string(), "::1");
        assert_eq!(parse("db:fd00::1").unwrap().1.to_string(), "fd00::1");
        assert_eq!(parse("me:host-gateway").unwrap().1, gateway);
        for bad in ["", "db", ":10.0.0.9", "d b:10.0.0.9", "d\nb:10.0.0.9", "db:", "db:10.0.0"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
