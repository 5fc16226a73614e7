//! Published ports: which were asked for, and who has them.
//!
//! The engine decides and reserves: it opens the sockets, in the host's network namespace, before
//! anything else is made for a start (lesson 5's `ports`). The monitor gets them, and owns them for the
//! container's life: they need no engine, and are free when the monitor is gone, in whatever way.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use bollard_stubs::models::{ContainerCreateBody, PortBinding};
use lifecycle::record::Status;
use network::publish::{Binding, Mapping, PortRange, Protocol, host_address, host_ports};
use network::{Port, dnat, namespace, nat, ports};

use super::Engine;
use super::config::Config;
use super::containers::Container;
use super::error::{Error, Result, blocking};
use super::networks::TABLE;

/// Makes "is the port free?" and "it is this container's" one step.
#[derive(Debug, Default)]
pub struct Ports(Mutex<()>);

/// What a start hands to its monitor.
#[derive(Debug, Default)]
pub struct Reserved {
    /// The sockets.
    pub ports: Vec<Port>,
    /// The nftables table into which their rules go, where rules help.
    pub table: Option<String>,
}

/// A port of a container as people write it: `80/tcp`, `53/udp`, `80`, `8000-8005/tcp`.
fn parse_exposed(text: &str) -> Result<(PortRange, Protocol)> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.parse().map_err(Error::invalid)?;
    let range = range.parse().map_err(|_| Error::invalid(format!("invalid port specification: {text:?}")))?;
    Ok((range, protocol))
}

/// The ports that a container's image or its owner speaks of (`EXPOSE`, `--expose`, `-p`).
pub fn exposed(body: &ContainerCreateBody) -> Result<Vec<(u16, Protocol)>> {
    let mut all = Vec::new();
    for text in body.exposed_ports.iter().flatten() {
        let (range, protocol) = parse_exposed(text)?;
        all.extend((range.first..=range.last).map(|port| (port, protocol)));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The ports of the host that are asked for: `-p`, and with `-P` whatever is exposed beside.
///
/// # Errors
/// A port or an address that is none.
pub fn wanted(body: &ContainerCreateBody) -> Result<Vec<Binding>> {
    let Some(host) = &body.host_config else { return Ok(vec![]) };
    let mut all = Vec::new();
    for (port, bindings) in host.port_bindings.iter().flatten() {
        let (range, protocol) = parse_exposed(port)?;
        for (binding, port) in
            bindings.iter().flatten().flat_map(|one| (range.first..=range.last).map(move |port| (one, port)))
        {
            all.push(wish(binding, port, protocol)?);
        }
    }
    if host.publish_all_ports == Some(true) {
        for (port, protocol) in exposed(body)? {
            if !all.iter().any(|one| (one.port, one.protocol) == (port, protocol)) {
                all.push(Binding { address: None, host: None, port, protocol });
            }
        }
    }
    // In a fixed order, and those with a port of their choice first: one that may be any must not take it.
    all.sort_by_key(|one| (one.host.is_none(), one.host, one.port, one.protocol, one.address));
    Ok(all)
}

fn wish(binding: &PortBinding, port: u16, protocol: Protocol) -> Result<Binding> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Ok(Binding {
        address: host_address(&text(&binding.host_ip)).map_err(Error::invalid)?,
        host: host_ports(&text(&binding.host_port)).map_err(Error::invalid)?,
        port,
        protocol,
    })
}

/// Whether a container has its network to itself, so that ports of it can be published at all.
fn has_ports(engine: &Engine, config: &Config) -> bool {
    engine.networks.find(&config.network_mode()).is_ok_and(|network| network.driver == "bridge")
}

/// What is to be said when a container is created whose ports can't be published.
pub fn warnings(config: &Config) -> Vec<&'static str> {
    let asked = config.host().port_bindings.is_some_and(|ports| !ports.is_empty());
    match asked && config.network_mode() == "host" {
        true => vec!["Published ports are discarded when using host network mode"],
        false => vec![],
    }
}

/// Takes the ports for a container that is about to start, all or none, and writes down which it got.
///
/// # Errors
/// In Docker's words, that another container or another program has one of them.
pub async fn reserve(engine: &Arc<Engine>, container: &Arc<Container>) -> Result<Reserved> {
    let wanted = container.with(|record| wanted(&record.config.body))?;
    if wanted.is_empty() || !container.with(|record| has_ports(engine, &record.config)) {
        return Ok(Reserved::default());
    }
    let (engine, container) = (engine.clone(), container.clone());
    blocking(move || {
        let _one_at_a_time = engine.ports.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ports =
            ports::reserve(&wanted).map_err(|error| refused(&engine, &container, &wanted, &error))?;
        let mappings: Vec<Mapping> = ports.iter().map(|port| port.mapping).collect();
        ports.extend(beside_the_bridge(&engine, &mappings)?);
        engine.containers.change(&container, |record| record.config.published = mappings)?;
        Ok(Reserved { ports, table: table(&engine)? })
    })
    .await
}

/// Without root the bridges are in a network namespace apart, and the host's sockets can't be reached
/// from there: so the same ports are taken in there, too, for containers that call each other, or
/// themselves, by the bridge's address.
fn beside_the_bridge(engine: &Engine, mappings: &[Mapping]) -> Result<Vec<Port>> {
    let Some(netns) = &engine.settings.netns else { return Ok(vec![]) };
    let everywhere = mappings.iter().filter(|port| port.address.is_unspecified() && port.address.is_ipv4());
    let wanted: Vec<Binding> = everywhere
        .map(|port| Binding {
            address: Some(port.address),
            host: Some(PortRange::one(port.host)),
            port: port.port,
            protocol: port.protocol,
        })
        .collect();
    Ok(namespace::in_namespace(netns.as_fd(), || ports::reserve(&wanted))?)
}

/// Rules help where the bridge is in the host's own network namespace, and the host forwards. Where its
/// firewall drops what is forwarded, what arrives at the host's sockets is still accepted.
fn table(engine: &Engine) -> Result<Option<String>> {
    if engine.settings.netns.is_some() {
        return Ok(None);
    }
    Ok(match nat::forward_is_blocked()? {
        None => Some(TABLE.to_owned()),
        Some(chain) => {
            tracing::warn!("published ports go through a proxy only, which is slower: {chain}");
            None
        }
    })
}

/// Why a port could not be had.
fn refused(engine: &Engine, container: &Container, wanted: &[Binding], error: &namespaces::Error) -> Error {
    let (place, protocol) = error.on.rsplit_once('/').unwrap_or((&error.on, ""));
    let taken: Option<SocketAddr> = place.parse().ok().filter(|_| error.errno == libc::EADDRINUSE);
    // Asked for twice by the container itself.
    let twice = |place: &SocketAddr| {
        let same = |one: &&Binding| {
            one.host.is_some_and(|range| (range.first..=range.last).contains(&place.port()))
                && one.protocol.to_string() == protocol
        };
        wanted.iter().filter(same).count() > 1
    };
    let why = match taken {
        Some(place) if is_a_containers(engine, place, protocol) || twice(&place) => {
            format!("Bind for {place} failed: port is already allocated")
        }
        Some(place) => format!("failed to bind host port {place}/{protocol}: address already in use"),
        None => format!("failed to bind host port: {error}"),
    };
    let (name, id) = (container.name(), &container.id);
    Error::internal(format!("driver failed programming external connectivity on endpoint {name} ({id})"), why)
}

fn is_a_containers(engine: &Engine, place: SocketAddr, protocol: &str) -> bool {
    let meets = |port: &Mapping| {
        port.host == place.port()
            && port.protocol.to_string() == protocol
            && port.address.is_ipv4() == place.is_ipv4()
            && (port.address == place.ip() || port.address.is_unspecified() || place.ip().is_unspecified())
    };
    engine.containers.all().iter().any(|one| one.with(|record| record.config.published.iter().any(meets)))
}

/// The container has ended, or never ran, and its monitor is gone: its ports are nobody's. What a monitor
/// that was killed has left in the kernel goes, too, before another container gets its address.
pub async fn release(engine: &Arc<Engine>, container: &Arc<Container>) {
    if container.with(|record| record.config.published.is_empty()) {
        return;
    }
    let (engine, container) = (engine.clone(), container.clone());
    let done = blocking(move || {
        let own = container.with(|record| addresses(&record.config));
        sweep(&engine, |address| !own.contains(&address))?;
        engine.containers.change(&container, |record| record.config.published = vec![])
    });
    if let Err(error) = done.await {
        tracing::warn!("giving ports back: {error}");
    }
}

/// What an engine does at its start: the rules of containers that are no more are swept away.
pub fn reconcile(engine: &Engine) -> Result<()> {
    let running = engine.containers.all().into_iter().filter(|one| one.is_running());
    let living: Vec<_> = running.flat_map(|one| one.with(|record| addresses(&record.config))).collect();
    sweep(engine, |address| living.contains(&address))?;
    for container in engine.containers.all() {
        if !container.is_running() && container.with(|record| !record.config.published.is_empty()) {
            engine.containers.change(&container, |record| record.config.published = vec![])?;
        }
    }
    Ok(())
}

fn addresses(config: &Config) -> Vec<std::net::Ipv4Addr> {
    config.networks.values().filter_map(|endpoint| Some(endpoint.address?.addr())).collect()
}

fn sweep(engine: &Engine, lives: impl Fn(std::net::Ipv4Addr) -> bool) -> Result<()> {
    if engine.settings.netns.is_some() {
        return Ok(());
    }
    for bridge in engine.networks.all().iter().filter_map(|network| network.bridge.as_ref()) {
        dnat::sweep(TABLE, &bridge.name, &lives)?;
    }
    Ok(())
}

/// The ports of a container as its clients see them: those that are published while it runs, and those
/// that are only exposed.
pub fn shown(config: &Config, status: Status) -> Vec<(u16, Protocol, Vec<Mapping>)> {
    if !matches!(status, Status::Running | Status::Paused | Status::Restarting) {
        return vec![];
    }
    let mut all = exposed(&config.body).unwrap_or_default();
    all.extend(config.published.iter().map(|port| (port.port, port.protocol)));
    all.sort_unstable();
    all.dedup();
    let of = |(port, protocol)| {
        let mine = config.published.iter().filter(|one| (one.port, one.protocol) == (port, protocol));
        (port, protocol, mine.copied().collect())
    };
    all.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> ContainerCreateBody {
        let mut body: ContainerCreateBody = serde_json::from_str(text).unwrap();
        body.exposed_ports = Some(vec!["80/tcp".into(), "53/udp".into(), "7000-7001".into()]);
        body
    }

    fn lines(text: &str) -> Vec<String> {
        let line = |one: Binding| {
            let address = one.address.map_or("any".to_owned(), |address| address.to_string());
            let host = one.host.map_or("free".to_owned(), |host| host.to_string());
            format!("{address} {host} {}/{}", one.port, one.protocol)
        };
        wanted(&body(text)).unwrap().into_iter().map(line).collect()
    }

    #[test]
    fn a_wish_is_read_as_clients_write_it() {
        let bindings = r#"{"HostConfig":{"PortBindings":{
            "80/tcp":[{"HostIp":"","HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"9090"}],
            "53/UDP":[{"HostPort":"0"}], "81":[{"HostIp":"::1","HostPort":"8000-8005"}], "82/tcp":null, "83/tcp":[]
        }}}"#;
        let all = ["::1 8000-8005 81/tcp", "any 8080 80/tcp", "127.0.0.1 9090 80/tcp", "any free 53/udp"];
        assert_eq!(lines(bindings), all);
        assert_eq!(lines("{}"), [""; 0]);
    }

    #[test]
    fn all_that_is_exposed_is_published_unless_a_wish_was_said() {
        let all =
            r#"{"HostConfig":{"PublishAllPorts":true,"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}}}"#;
        let got = ["any 8080 80/tcp", "any free 53/udp", "any free 7000/tcp", "any free 7001/tcp"];
        assert_eq!(lines(all), got);
    }

    #[test]
    fn what_is_no_port_is_refused_by_name() {
        for (port, binding, named) in [
            ("80a/tcp", "{}", "80a"),
            ("80/sctp", "{}", "sctp"),
            ("", "{}", "\"\""),
            ("80/tcp", r#"{"HostPort":"http"}"#, "http"),
            ("80/tcp", r#"{"HostPort":"65536"}"#, "65536"),
            ("80/tcp", r#"{"HostIp":"localhost"}"#, "localhost"),
        ] {
            let text = format!(r#"{{"HostConfig":{{"PortBindings":{{"{port}":[{binding}]}}}}}}"#);
            let error = wanted(&body(&text)).unwrap_err();
            assert!(error.message.contains(named), "{error}");
            assert_eq!(error.kind, crate::engine::error::Kind::Invalid);
        }
    }
}
