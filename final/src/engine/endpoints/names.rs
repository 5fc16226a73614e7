//! What containers are called on their networks: the files that the name servers read.

use std::collections::{BTreeMap, HashSet};
use std::fs;

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

/// What the container itself calls the other one: `db:database` is `database`, `db` is `db`.
pub(super) fn alias_of(link: &str) -> &str {
    link.rsplit_once(':').map_or(link, |(_, alias)| alias).trim_start_matches('/')
}

/// Whom a link is about, by name or id, if it is there.
fn linked<'a>(link: &str, entries: &'a [zone::Entry]) -> Option<&'a zone::Entry> {
    let target = link.split(':').next().unwrap_or_default().trim_start_matches('/');
    // Of an id, its first twelve digits are a name.
    let short = target.get(..12).filter(|_| target.len() == 64).unwrap_or(target);
    entries.iter().find(|(_, names)| names.iter().any(|name| name == short))
}

impl Networks {
    /// The networks of a container for its name server; none, if it is on none where containers are
    /// known by name. Names that it alone knows (`--link`) are in files of their own.
    pub fn zones(&self, owner: &str, networks: &BTreeMap<String, Endpoint>) -> Vec<Zone> {
        let on: Vec<(Network, &Endpoint)> = networks
            .values()
            .filter_map(|endpoint| Some((self.find(&endpoint.network).ok()?, endpoint)))
            .collect();
        if !on.iter().any(|(network, _)| network.has_names()) {
            return vec![];
        }
        let links = on.iter().filter(|(_, endpoint)| !endpoint.links.is_empty());
        let links = links.map(|(network, _)| self.links_zone(network, owner));
        on.iter().map(|(network, _)| self.zone(network)).chain(links).collect()
    }

    fn links_zone(&self, network: &Network, owner: &str) -> Zone {
        let zone = self.zone(network);
        Zone { file: zone.file.with_file_name(format!("links-{owner}")), ..zone }
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
        let mut links: Vec<(String, Vec<String>)> = Vec::new();
        for container in engine.containers.all() {
            container.with(|record| {
                let endpoint = record.config.networks.get(&network.name);
                let here = endpoint.filter(|endpoint| endpoint.network == network.id);
                if let Some((endpoint, address)) =
                    here.and_then(|endpoint| Some((endpoint, endpoint.address?)))
                {
                    entries.push((address.addr(), names_of(record, endpoint)));
                    if !endpoint.links.is_empty() {
                        links.push((record.id.clone(), endpoint.links.clone()));
                    }
                }
            });
        }
        entries.sort();
        for (owner, links) in &links {
            let own = |link: &String| Some((linked(link, &entries)?.0, vec![alias_of(link).to_owned()]));
            let own: Vec<zone::Entry> = links.iter().filter_map(own).collect();
            zone::write(&self.links_zone(network, owner).file, &own)?;
        }
        let zone = self.zone(network);
        let files = zone.file.parent().and_then(|folder| fs::read_dir(folder).ok());
        for file in files.into_iter().flatten().flatten() {
            let name = file.file_name();
            let owner = name.to_str().and_then(|name| name.strip_prefix("links-"));
            // That of one that has ended. Left behind it would be read by nobody.
            if owner.is_some_and(|owner| !links.iter().any(|(id, _)| id == owner)) {
                let _ = fs::remove_file(file.path());
            }
        }
        Ok(zone::write(&zone.file, &entries)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_another_container_and_what_it_is_called_here() {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        let entries = [("10.5.0.2".parse().unwrap(), names(&["db", "0123456789ab"]))];
        let found = |link: &str| linked(link, &entries).is_some();
        assert!(found("db") && found("db:database") && found("/db:/web/db") && found("0123456789ab:x"));
        assert!(found(&format!("0123456789ab{}:x", "0".repeat(52))) && !found("other:db"));
        assert_eq!((alias_of("db:database"), alias_of("db")), ("database", "db"));
    }
}
