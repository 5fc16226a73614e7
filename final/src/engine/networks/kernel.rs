//! What of the networks is in the kernel: bridges, rules, forwarding.

use std::fs;
use std::os::fd::AsFd;
use std::sync::PoisonError;

use lifecycle::record::replace;
use network::{Bridge, forwarding, isolation, nat};

use super::super::Settings;
use super::super::error::{Error, Result};
use super::choose::with_first_address;
use super::{MASQUERADE, Network, Networks, TABLE};

impl Networks {
    /// Leaves the host's network as it was found: no bridge, no rule, no switch of ours.
    pub fn take_down(&self, settings: &Settings) -> Result<()> {
        let noted = self.root.join("forwarding.json");
        let before = fs::read(&noted).ok().and_then(|text| serde_json::from_slice(&text).ok());
        for network in self.all() {
            self.unmake(settings, &network)?;
        }
        in_netns(settings, || before.as_ref().map_or(Ok(()), forwarding::restore))?;
        let _ = fs::remove_file(noted);
        Ok(())
    }

    /// The network with its bridge there and in order.
    pub(in crate::engine) fn bridge(
        &self,
        settings: &Settings,
        network: &Network,
    ) -> Result<(Network, Bridge)> {
        // One at a time: two first containers must not choose two subnets.
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let mut network = self.find(&network.id)?;
        let bridge = match network.bridge.clone() {
            Some(bridge) => bridge,
            None => {
                let bridge = with_first_address("canoa0".to_owned(), self.free_subnet(settings)?)?;
                network.bridge = Some(bridge.clone());
                self.save(network.clone())?;
                bridge
            }
        };
        let first = !ready.contains(&network.id);
        let changed = in_netns(settings, || {
            bridge.ensure()?;
            if !first {
                return Ok(None);
            }
            isolation::ensure(TABLE, &bridge, network.internal)?;
            if network.internal {
                return Ok(None);
            }
            if network.options.get(MASQUERADE).is_none_or(|value| value == "true") {
                nat::ensure(TABLE, &bridge)?;
            }
            if let Some(chain) = nat::forward_is_blocked()? {
                tracing::warn!("containers may not get out: {chain}: allow what comes from {}", bridge.name);
            }
            forwarding::enable()
        })?;
        if let Some(before) = changed {
            tracing::info!("IPv4 forwarding was off and is on now: \"canoa system stop\" restores it");
            let noted = self.root.join("forwarding.json");
            let text = serde_json::to_vec(&before).unwrap_or_default();
            replace(&noted, &text, false)
                .map_err(|error| Error::internal(format!("writing {}", noted.display()), error))?;
        }
        if first {
            ready.push(network.id.clone());
        }
        Ok((network, bridge))
    }

    /// Takes what is in the kernel of a network away.
    pub(super) fn unmake(&self, settings: &Settings, network: &Network) -> Result<()> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bridge) = &network.bridge {
            in_netns(settings, || {
                // The bridge first: it looks whether it is really ours, and not another engine's.
                bridge.remove()?;
                nat::remove(TABLE, bridge)?;
                isolation::remove(TABLE, bridge)
            })?;
        }
        ready.retain(|id| *id != network.id);
        Ok(())
    }
}

/// Does something in the network namespace in which the bridges are.
pub fn in_netns<T: Send>(
    settings: &Settings,
    action: impl FnOnce() -> namespaces::Result<T> + Send,
) -> Result<T> {
    Ok(match &settings.netns {
        Some(netns) => network::namespace::in_namespace(netns.as_fd(), action)?,
        None => action()?,
    })
}
