//! What containers are called on their networks: the files that the name servers read.

use std::collections::{BTreeMap, HashSet};

use lifecycle::record::Record;
use network::Zone;
use network::dns::zone;

use super::super::config::Config;
use super::super::containers::Container;
use super::super::error::Result;
use super::super::networks::{Network, Networks};
use super::super::{Engine, files};
use super::Endpoint;

/// What a container is called on a network, its name first.
pub fn names_of(record: &Record<Config>, endpoint: &Endpoint) -> Vec<String> {
    let mut all = vec![record.name.clone()];
    all.extend(endpoint.aliases.iter().cloned());
    all.push(record.id[..12].to_owned());
    all.push(files::hostname(record));
    let mut seen = HashSet::new();
    all.retain(|name| zone::is_name(name) && seen.insert(name.clone()));
    all
}

impl Networks {
    /// The networks of a container for its name server; none, if it is on none where containers are
    /// known by name.
    pub fn zones(&self, networks: &BTreeMap<String, Endpoint>) -> Vec<Zone> {
        let on: Vec<Network> =
            networks.values().filter_map(|endpoint| self.find(&endpoint.network).ok()).collect();
        match on.iter().any(Network::has_names) {
            true => on.iter().map(|network| self.zone(network)).collect(),
            false => vec![],
        }
    }

    /// Writes the names of all networks down: an engine that comes back has perhaps missed something.
    pub fn write_all_names(&self, engine: &Engine) -> Result<()> {
        self.all().iter().try_for_each(|network| self.write_names_of(engine, network))
    }

    /// The container is called something else now.
    pub fn renamed(&self, engine: &Engine, container: &Container) -> Result<()> {
        let networks = container.with(|record| record.config.networks.clone());
        self.write_names(engine, networks.values())
    }

    pub(super) fn write_names<'a>(
        &self,
        engine: &Engine,
        changed: impl Iterator<Item = &'a Endpoint>,
    ) -> Result<()> {
        for endpoint in changed {
            if let Ok(network) = self.find(&endpoint.network) {
                self.write_names_of(engine, &network)?;
            }
        }
        Ok(())
    }

    fn write_names_of(&self, engine: &Engine, network: &Network) -> Result<()> {
        let _changing = self.changing();
        // It may have been removed meanwhile, and its folder with it.
        if !network.has_names() || self.find(&network.id).is_err() {
            return Ok(());
        }
        let mut entries: Vec<zone::Entry> = Vec::new();
        for container in engine.containers.all() {
            container.with(|record| {
                let endpoint = record.config.networks.get(&network.name);
                let here = endpoint.filter(|endpoint| endpoint.network == network.id);
                if let Some((endpoint, address)) =
                    here.and_then(|endpoint| Some((endpoint, endpoint.address?)))
                {
                    entries.push((address.addr(), names_of(record, endpoint)));
                }
            });
        }
        entries.sort();
        Ok(zone::write(&self.zone(network).file, &entries)?)
    }
}
