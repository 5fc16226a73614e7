//! Making a container: everything is checked and decided here, and nothing runs yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::images::Platform;
use bollard_stubs::models::{ContainerCreateBody, EndpointSettings};

use super::config::{self, Config};
use super::containers::Container;
use super::endpoints::Endpoint;
use super::error::{Error, Result, blocking};
use super::files::hostname;
use super::restart::Restarts;
use super::{Engine, images, limits, mounts, options, platform, sharing, volumes};

/// Makes a container from Docker's create body; and says what it will have to do without.
///
/// # Errors
/// No such image (clients then pull it and try again), a name in use, an option that makes no sense
/// or that this engine doesn't have. Nothing is left behind then.
pub async fn create(
    engine: &Arc<Engine>,
    name: Option<String>,
    body: ContainerCreateBody,
    platform: Option<Platform>,
) -> Result<(Arc<Container>, Vec<String>)> {
    let engine = engine.clone();
    blocking(move || {
        let _making = engine.making();
        let (container, warnings) = make(&engine, name.as_deref(), body, platform)?;
        engine.events.container("create", &container);
        Ok((container, warnings))
    })
    .await
}

fn make(
    engine: &Engine,
    name: Option<&str>,
    mut body: ContainerCreateBody,
    platform: Option<Platform>,
) -> Result<(Arc<Container>, Vec<String>)> {
    options::check(&body)?;
    sharing::resolve(engine, body.host_config.get_or_insert_default())?;
    let warnings = body.host_config.as_mut().map_or(Ok(vec![]), |host| limits::adapt(engine, host))?;
    if let Some(name) = name {
        engine.containers.check_free(name)?;
    }
    let wanted = body.image.clone().filter(|image| !image.is_empty());
    let wanted = wanted.ok_or_else(|| Error::invalid("no image specified"))?;
    let image = images::for_container(engine, &wanted)?;
    if let Some(platform) = &platform {
        platform::check(&image, &wanted, platform)?;
    }
    config::merge(&mut body, &image.config.config)?;
    let mut config = Config {
        body,
        image: wanted,
        image_id: image.id.to_string(),
        layers: image.layers,
        mounts: Vec::new(),
        networks: BTreeMap::new(),
        published: Vec::new(),
        restarts: Restarts::default(),
    };
    match config.network_mode().strip_prefix("container:") {
        Some(name) => share_network(engine, &mut config, name)?,
        None => config.networks = endpoints(engine, &config)?,
    }
    config.mounts = mounts::mounts(engine, &config)?;
    let made = config.mounts.clone();
    let created = engine.containers.create(name, config);
    let container = created.inspect_err(|_| volumes::discard(engine, &made))?;
    Ok((container, warnings))
}

/// `--network container:NAME`: it will have no network of its own, and the other's host name.
fn share_network(engine: &Engine, config: &mut Config, name: &str) -> Result<()> {
    let conflict = |what: &str| Err(Error::invalid(format!("conflicting options: {what}")));
    let host = config.host();
    if config.body.hostname.as_deref().is_some_and(|name| !name.is_empty()) {
        return conflict("hostname and the network mode");
    }
    if host.port_bindings.is_some_and(|ports| !ports.is_empty()) || host.publish_all_ports == Some(true) {
        return conflict("port publishing and the container type network mode");
    }
    if host.dns.is_some_and(|servers| !servers.is_empty()) {
        return conflict("dns and the network mode");
    }
    if host.extra_hosts.is_some_and(|hosts| !hosts.is_empty()) {
        return conflict("custom host-to-IP mapping and the network mode");
    }
    // Not "404": to clients that would mean that the image is missing, and they would pull it.
    let other = engine.containers.find(name).map_err(Error::invalid)?;
    // By its id: it may be renamed.
    config.body.host_config.get_or_insert_default().network_mode = Some(format!("container:{}", other.id));
    config.body.hostname = Some(other.with(hostname));
    Ok(())
}

/// The container's places: on the network that it is on in the first place, and on what others the
/// body names.
fn endpoints(engine: &Engine, config: &Config) -> Result<BTreeMap<String, Endpoint>> {
    let mode = config.network_mode();
    // Not "404": to clients that would mean that the image is missing, and they would pull it.
    let find = |name: &str| engine.networks.find(name).map_err(Error::invalid);
    let first = find(&mode)?;
    let mut all = BTreeMap::new();
    let named = config.body.networking_config.iter().flat_map(|config| &config.endpoints_config).flatten();
    for (name, settings) in named {
        let network = match name.as_str() {
            "default" => first.clone(),
            name => find(name)?,
        };
        all.insert(network.name.clone(), Endpoint::wanted(&network, settings)?);
    }
    if !all.contains_key(&first.name) {
        all.insert(first.name.clone(), Endpoint::wanted(&first, &EndpointSettings::default())?);
    }
    match all.len() > 1 && (first.driver != "bridge" || all.contains_key("host") || all.contains_key("none"))
    {
        true => Err(Error::invalid(format!("conflicting options: {mode} and another network"))),
        false => Ok(all),
    }
}
