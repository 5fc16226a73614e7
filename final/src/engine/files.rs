//! The three small files about names that each container gets, made anew at each start.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use lifecycle::record::Record;
use network::dns;
use network::dns::upstream::at_usual_port;
use network::names::{self, Resolver};

use super::Engine;
use super::config::Config;
use super::containers::Container;
use super::endpoints::{addresses, shares_with, way_out};
use super::error::{Error, Result};

/// Writes `hosts`, `hostname` and `resolv.conf` into a container's folder.
pub fn write(engine: &Engine, folder: &Path, record: &Record<Config>) -> Result<()> {
    let config = &record.config;
    if let Some(other) = shares_with(engine, config)? {
        return share(&other.folder, folder);
    }
    let host = config.host();
    let hostname = hostname(record);
    let on_host_network = config.network_mode() == "host";
    let gateway = way_out(&config.networks).and_then(|(_, endpoint)| endpoint.gateway).map(IpAddr::from);
    let own = addresses(&config.networks);
    let extra = host.extra_hosts.iter().flatten();
    let extra = extra.map(|text| names::parse_extra_host(text, gateway)).collect::<Result<Vec<_>, String>>();
    let extra = extra.map_err(Error::invalid)?;
    let domain = config.body.domainname.clone().unwrap_or_default();

    let mut hosts = names::hosts(&hostname, &domain, &own, &extra);
    if on_host_network {
        // There the host's own names hold, its loopback resolver included.
        let own_hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
        hosts = extra.iter().fold(own_hosts, |text, (name, address)| text + &format!("{address}\t{name}\n"));
    }
    let resolv = resolv_conf(engine, config)?;
    for (name, text) in [("hosts", hosts), ("hostname", names::hostname(&hostname)), ("resolv.conf", resolv)]
    {
        let path = folder.join(name);
        fs::write(&path, text)
            .map_err(|error| Error::internal(format!("writing {}", path.display()), error))?;
    }
    Ok(())
}

/// Who shares another's network shares its names: the same files, so that what changes there is
/// seen here.
fn share(others: &Path, own: &Path) -> Result<()> {
    for name in ["hosts", "hostname", "resolv.conf"] {
        let (from, to) = (others.join(name), own.join(name));
        let _ = fs::remove_file(&to);
        fs::hard_link(&from, &to)
            .map_err(|error| Error::internal(format!("linking {}", from.display()), error))?;
    }
    Ok(())
}

/// `/etc/resolv.conf`. On a network where containers are known by name it names the name server
/// inside, and single words are tried as they are first (`ndots:0`).
fn resolv_conf(engine: &Engine, config: &Config) -> Result<String> {
    let own = host_resolv_conf();
    let mut wanted = resolver(&config.host())?;
    if config.network_mode() == "host" && wanted == Resolver::default() {
        return Ok(own);
    }
    // Whose they are makes no difference to whether there are any.
    if !engine.networks.zones("", &config.networks).is_empty() {
        wanted.servers = vec![dns::ADDRESS.into()];
        if wanted.options.is_empty() {
            wanted.options = names::options(&own);
        }
        if !wanted.options.iter().any(|option| option.starts_with("ndots:")) {
            wanted.options.push("ndots:0".to_owned());
        }
    }
    Ok(names::resolv_conf(&own, &wanted))
}

fn host_resolv_conf() -> String {
    fs::read_to_string("/etc/resolv.conf").unwrap_or_default()
}

/// Whom the name server inside asks for what it doesn't know: `--dns`, else the host's own.
pub fn servers(config: &Config) -> Result<Vec<SocketAddr>> {
    let asked = resolver(&config.host())?.servers;
    Ok(at_usual_port(if asked.is_empty() { names::servers(&host_resolv_conf()) } else { asked }))
}

/// A container that runs was plugged into a network, or unplugged: `hosts` and `resolv.conf`, which
/// it sees, say so. What somebody has written into `hosts` inside stays.
pub fn network_changed(engine: &Engine, container: &Container) -> Result<()> {
    let record = container.record();
    let write = |name: &str, text: String| {
        // Into the file that is mounted there, not in its place.
        let path = container.folder.join(name);
        fs::write(&path, text).map_err(|error| Error::internal(format!("writing {}", path.display()), error))
    };
    let hostname = hostname(&record);
    let before = fs::read_to_string(container.folder.join("hosts")).unwrap_or_default();
    let is_own = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|address| address.parse::<std::net::Ipv4Addr>().is_ok())
            && words.last() == Some(&hostname)
    };
    let kept = before.lines().filter(|line| !is_own(line)).map(|line| format!("{line}\n"));
    let own = addresses(&record.config.networks);
    let own = own.iter().map(|address| format!("{address}\t{hostname}\n"));
    write("hosts", kept.chain(own).collect())?;
    write("resolv.conf", resolv_conf(engine, &record.config)?)
}

/// What a container is called inside: as asked for, else the beginning of its id; on the host's
/// network, or with its host name, the host's own.
pub fn hostname(record: &Record<Config>) -> String {
    match record.config.body.hostname.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ if record.config.network_mode() == "host"
            || record.config.host().uts_mode.as_deref() == Some("host") =>
        {
            nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
        }
        _ => record.id[..12].to_owned(),
    }
}

fn resolver(host: &bollard_stubs::models::HostConfig) -> Result<Resolver> {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let servers =
        host.dns.iter().flatten().map(|text| {
            text.parse().map_err(|_| Error::invalid(format!("{text} is not an IP address (--dns)")))
        });
    let servers = servers.collect::<Result<_>>()?;
    Ok(Resolver { servers, search: list(&host.dns_search), options: list(&host.dns_options) })
}

/// Whether what `--add-host` and `--dns` say makes sense: asked at `create`, so that the person who
/// typed it hears of it.
pub fn check(host: &bollard_stubs::models::HostConfig) -> Result<()> {
    resolver(host)?;
    let any = Some(IpAddr::from([127, 0, 0, 1]));
    for text in host.extra_hosts.iter().flatten() {
        names::parse_extra_host(text, any).map_err(Error::invalid)?;
    }
    Ok(())
}
