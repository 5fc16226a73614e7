//! `canoa network create`.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard_stubs::models::{ConfigReference, Ipam, IpamConfig, NetworkCreateRequest};
use clap::{ArgAction, Args as ClapArgs};
use ipnet::IpNet;
use serde::Deserialize;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::{output, parse};
use crate::client::{Client, Path};

/// Create a network
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: canoa network create --subnet 10.5.0.0/24 sea")]
pub struct Args {
    /// Driver
    #[arg(short, long, default_value = "bridge")]
    driver: String,
    /// Its addresses: 10.5.0.0/24
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    subnet: Vec<String>,
    /// The host's own address on it
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    gateway: Vec<String>,
    /// The part of the subnet from which containers get theirs
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    ip_range: Vec<String>,
    /// An address that is somebody else's already: printer=10.5.0.9
    #[arg(long, value_name = "NAME=ADDRESS")]
    aux_address: Vec<String>,
    /// Who chooses addresses
    #[arg(long, value_name = "DRIVER", default_value = "default")]
    ipam_driver: String,
    /// Option of whoever chooses addresses
    #[arg(long, value_name = "KEY=VALUE")]
    ipam_opt: Vec<String>,
    /// With IPv4 addresses, or without: --ipv4=false
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          action = ArgAction::Set, value_name = "BOOL")]
    ipv4: Option<bool>,
    /// With IPv6 addresses, too
    #[arg(long)]
    ipv6: bool,
    /// Nothing leads out of it
    #[arg(long)]
    internal: bool,
    /// Containers may be put on it by hand (of a swarm)
    #[arg(long)]
    attachable: bool,
    /// The swarm's own, for published ports
    #[arg(long)]
    ingress: bool,
    /// Only a configuration, for other networks
    #[arg(long)]
    config_only: bool,
    /// Take the configuration of that one
    #[arg(long, value_name = "NETWORK")]
    config_from: Option<String>,
    /// How far it reaches: local, swarm
    #[arg(long)]
    scope: Option<String>,
    /// Set a label
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Option of the driver: com.docker.network.bridge.name=sea0
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Its name
    #[arg(value_name = "NETWORK", value_parser = parse::name)]
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Created {
    id: String,
    warning: String,
}

/// Runs the command.
///
/// # Errors
/// The engine's; addresses that don't fit each other.
pub async fn run(client: &Client, args: Args) -> Outcome {
    let given = |set: bool| set.then_some(true);
    let ipam_options = pairs("--ipam-opt", &args.ipam_opt)?;
    let body = NetworkCreateRequest {
        ipam: Some(Ipam {
            driver: Some(args.ipam_driver),
            config: Some(addresses(&args.subnet, &args.gateway, &args.ip_range, &args.aux_address)?),
            options: (!ipam_options.is_empty()).then_some(ipam_options),
        }),
        name: args.name,
        driver: Some(args.driver),
        internal: Some(args.internal),
        attachable: given(args.attachable),
        ingress: given(args.ingress),
        config_only: given(args.config_only),
        config_from: args.config_from.map(|network| ConfigReference { network: Some(network) }),
        scope: args.scope,
        enable_ipv4: args.ipv4,
        enable_ipv6: given(args.ipv6),
        options: Some(pairs("--opt", &args.opt)?),
        labels: Some(parse::labels(&args.label, &[]).map_err(|failure| failure.code(1))?),
    };
    let created: Created = client.post(Path::new("/networks/create"), &body).await?;
    if !created.warning.is_empty() {
        output::note(&format!("WARNING: {}", created.warning));
    }
    output::line(&created.id)?;
    Ok(0)
}

/// `key=value`, several times.
///
/// # Errors
/// One without `=`.
pub fn pairs(flag: &str, given: &[String]) -> Result<HashMap<String, String>, Failure> {
    let pair = |option: &String| {
        let pair = option.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        pair.ok_or_else(|| Failure::new(format!("{flag} {option:?}: write key=value")))
    };
    given.iter().map(pair).collect()
}

/// Each gateway, range and foreign address goes to the subnet in which it lies; with a single subnet, or
/// none, it is for the engine to judge.
fn addresses(
    subnets: &[String],
    gateways: &[String],
    ranges: &[String],
    others: &[String],
) -> Result<Vec<IpamConfig>, Failure> {
    let mut configs: Vec<IpamConfig> = subnets
        .iter()
        .map(|subnet| IpamConfig { subnet: Some(subnet.clone()), ..IpamConfig::default() })
        .collect();
    if configs.is_empty() && gateways.len() + ranges.len() + others.len() > 0 {
        configs.push(IpamConfig::default());
    }
    for gateway in gateways {
        home("--gateway", gateway, &mut configs, |config| &mut config.gateway)?;
    }
    for range in ranges {
        home("--ip-range", range, &mut configs, |config| &mut config.ip_range)?;
    }
    for (name, address) in pairs("--aux-address", others)? {
        let config = find("--aux-address", &address, &mut configs)?;
        config.auxiliary_addresses.get_or_insert_default().insert(name, address);
    }
    Ok(configs)
}

fn home(
    flag: &str,
    text: &str,
    configs: &mut [IpamConfig],
    field: impl Fn(&mut IpamConfig) -> &mut Option<String>,
) -> Result<(), Failure> {
    match field(find(flag, text, configs)?) {
        empty @ None => {
            *empty = Some(text.to_owned());
            Ok(())
        }
        Some(other) => Err(Failure::new(format!("{flag} {text}: its subnet has {other} already"))),
    }
}

fn find<'a>(flag: &str, text: &str, configs: &'a mut [IpamConfig]) -> Result<&'a mut IpamConfig, Failure> {
    let nobody = || Failure::new(format!("{flag} {text}: no matching subnet for it: add one with --subnet"));
    if configs.len() == 1 {
        return configs.first_mut().ok_or_else(nobody);
    }
    let address: Option<IpAddr> = text.split('/').next().and_then(|address| address.parse().ok());
    let holds = |config: &IpamConfig| {
        let subnet = config.subnet.as_deref().and_then(|subnet| subnet.parse::<IpNet>().ok());
        subnet.zip(address).is_some_and(|(subnet, address)| subnet.contains(&address))
    };
    configs.iter_mut().find(|config| holds(config)).ok_or_else(nobody)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_address_goes_to_its_subnet() {
        let subnets = words(&["10.5.0.0/24", "fd00::/64"]);
        let gateways = words(&["fd00::1", "10.5.0.1"]);
        let found =
            addresses(&subnets, &gateways, &words(&["10.5.0.128/25"]), &words(&["p=10.5.0.9"])).unwrap();
        assert_eq!(found[0].gateway.as_deref(), Some("10.5.0.1"));
        assert_eq!(found[0].ip_range.as_deref(), Some("10.5.0.128/25"));
        assert_eq!(found[0].auxiliary_addresses.as_ref().unwrap()["p"], "10.5.0.9");
        assert_eq!(found[1].gateway.as_deref(), Some("fd00::1"));
    }

    #[test]
    fn an_address_without_a_subnet_is_told() {
        let two = words(&["10.5.0.0/24", "10.6.0.0/24"]);
        for gateways in [words(&["10.7.0.1"]), words(&["x"]), words(&["10.5.0.1", "10.5.0.2"])] {
            assert!(addresses(&two, &gateways, &[], &[]).is_err(), "{gateways:?}");
        }
        assert!(addresses(&[], &[], &[], &[]).unwrap().is_empty());
        assert!(addresses(&[], &[], &[], &words(&["10.5.0.9"])).is_err());
    }
}
