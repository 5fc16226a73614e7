//! The three small files about names that each container gets, made anew at each start.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use lifecycle::record::Record;
use network::names::{self, Resolver};

use super::Engine;
use super::config::Config;
use super::error::{Error, Result};

/// Writes `hosts`, `hostname` and `resolv.conf` into a container's folder.
pub fn write(engine: &Engine, folder: &Path, record: &Record<Config>) -> Result<()> {
    let _ = engine;
    let config = &record.config;
    let host = config.host();
    let hostname = hostname(record);
    let on_host_network = config.network_mode() == "host";
    let endpoints = || config.networks.values();
    let gateway = endpoints().find_map(|endpoint| endpoint.gateway).map(IpAddr::from);
    let own: Vec<IpAddr> = endpoints().filter_map(|endpoint| Some(endpoint.address?.addr().into())).collect();
    let extra = host.extra_hosts.iter().flatten();
    let extra = extra.map(|text| names::parse_extra_host(text, gateway)).collect::<Result<Vec<_>, String>>();
    let extra = extra.map_err(Error::invalid)?;
    let domain = config.body.domainname.clone().unwrap_or_default();

    let mut hosts = names::hosts(&hostname, &domain, &own, &extra);
    let mut resolv = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if on_host_network {
        // There the host's own names hold, its loopback resolver included.
        let own_hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
        hosts = extra.iter().fold(own_hosts, |text, (name, address)| text + &format!("{address}\t{name}\n"));
    }
    let wanted = resolver(&host)?;
    if !on_host_network || wanted != Resolver::default() {
        resolv = names::resolv_conf(&resolv, &wanted);
    }
    for (name, text) in [("hosts", hosts), ("hostname", names::hostname(&hostname)), ("resolv.conf", resolv)]
    {
        let path = folder.join(name);
        fs::write(&path, text)
            .map_err(|error| Error::internal(format!("writing {}", path.display()), error))?;
    }
    Ok(())
}

/// What a container is called inside: as asked for, else the beginning of its id; on the host's
/// network the host's own name.
pub fn hostname(record: &Record<Config>) -> String {
    match record.config.body.hostname.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ if record.config.network_mode() == "host" => {
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
