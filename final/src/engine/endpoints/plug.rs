//! `network connect` and `disconnect`: one more network, or one less, for a container that may be running.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_stubs::models::EndpointSettings;

use super::super::containers::Container;
use super::super::error::{Error, Result, blocking};
use super::super::networks::{Network, Networks};
use super::super::{Engine, files, monitor};
use super::{Endpoint, way_out};
use crate::bundle::Request;

impl Networks {
    /// `network connect`: puts a container on one more network; one that runs at once.
    ///
    /// # Errors
    /// It is there already, or shares its network with somebody.
    pub async fn plug(
        &self,
        engine: &Arc<Engine>,
        network: &Network,
        container: &Arc<Container>,
        settings: &EndpointSettings,
    ) -> Result<()> {
        let _operation = container.operation.lock().await;
        check_private(network, container)?;
        let wish = Endpoint::wanted(network, settings)?;
        let (engine, network, container) = (engine.clone(), network.clone(), container.clone());
        blocking(move || {
            let running = container.is_running();
            let mut networks = container.with(|record| record.config.networks.clone());
            if running && networks.contains_key(&network.name) {
                return Err(Error::forbidden(format!(
                    "endpoint with name {} already exists in network {}",
                    container.name(),
                    network.name
                )));
            }
            let mut endpoint = wish;
            if running {
                let taken = |name: &str| networks.values().any(|other| other.interface == name);
                let interface = (0..).map(|number| format!("eth{number}")).find(|name| !taken(name));
                endpoint = engine.networks.lease(
                    &engine,
                    &endpoint,
                    &container.id,
                    &interface.unwrap_or_default(),
                )?;
            }
            networks.insert(network.name.clone(), endpoint.clone());
            if running && let Err(error) = engine.networks.lay(&engine, &container, &networks, &endpoint) {
                engine.networks.give_back(&endpoint, &container.id)?;
                return Err(error);
            }
            engine.containers.change(&container, |record| record.config.networks = networks)?;
            engine.networks.write_names(&engine, [&endpoint].into_iter())?;
            if running {
                engine.events.network("connect", &network, &container.id);
                files::network_changed(&engine, &container)?;
            }
            Ok(())
        })
        .await
    }

    /// `network disconnect`: takes a container off a network; one that runs at once.
    ///
    /// # Errors
    /// It isn't on it.
    pub async fn unplug(
        &self,
        engine: &Arc<Engine>,
        network: &Network,
        container: &Arc<Container>,
    ) -> Result<()> {
        let _operation = container.operation.lock().await;
        let (engine, network, container) = (engine.clone(), network.clone(), container.clone());
        blocking(move || {
            if network.driver == "host" {
                return Err(Error::invalid(
                    "container cannot be disconnected from host network or connected to host network",
                ));
            }
            let mut networks = container.with(|record| record.config.networks.clone());
            let Some(endpoint) = networks.remove(&network.name) else {
                return Err(Error::forbidden(format!(
                    "container {} is not connected to network {}",
                    container.name(),
                    network.name
                )));
            };
            let runs = !endpoint.id.is_empty();
            if runs {
                let next = way_out(&networks).and_then(|(_, next)| {
                    Some((next.interface.clone(), next.gateway?)).filter(|_| endpoint.gateway.is_some())
                });
                let interface = endpoint.interface.clone();
                let zones = engine.networks.zones(&container.id, &networks);
                let request = Request::Unplug { interface, next, zones };
                // Without an interface (`none`) there is nothing to unplug.
                if !endpoint.interface.is_empty() {
                    monitor::tell(&engine.socket(&container.id), &request)?;
                }
                engine.networks.give_back(&endpoint, &container.id)?;
            }
            engine.containers.change(&container, |record| record.config.networks = networks)?;
            engine.networks.write_names(&engine, [&endpoint].into_iter())?;
            if runs {
                engine.events.network("disconnect", &network, &container.id);
                files::network_changed(&engine, &container)?;
            }
            Ok(())
        })
        .await
    }

    /// Lets the monitor lay the cable to one of the container's networks.
    fn lay(
        &self,
        engine: &Engine,
        container: &Container,
        networks: &BTreeMap<String, Endpoint>,
        endpoint: &Endpoint,
    ) -> Result<()> {
        let all = self.interfaces(networks)?;
        let interface = all.into_iter().find(|one| one.name == endpoint.interface);
        let interface =
            interface.ok_or_else(|| Error::internal("connecting", "the network has no bridge"))?;
        monitor::tell(
            &engine.socket(&container.id),
            &Request::Plug { interface, zones: self.zones(&container.id, networks) },
        )
    }
}

/// A container that has the host's network or another's, or wants none, can't have one more.
fn check_private(network: &Network, container: &Container) -> Result<()> {
    let mode = container.with(|record| record.config.network_mode());
    if network.driver == "host" {
        return Err(Error::invalid(
            "container cannot be disconnected from host network or connected to host network",
        ));
    }
    if mode == "host" || mode.starts_with("container:") {
        return Err(Error::invalid(
            "container sharing network namespace with another container or host cannot be connected to any \
             other network",
        ));
    }
    let none = container.with(|record| record.config.networks.contains_key("none"));
    if network.driver == "null" || none {
        return Err(Error::invalid(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode",
        ));
    }
    Ok(())
}
