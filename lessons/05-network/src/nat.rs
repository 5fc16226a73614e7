//! The way out: masquerading.
//!
//! A container's address means nothing outside. A packet that leaves gets the host's address as
//! its sender instead, and what comes back is turned around again: the kernel remembers each
//! connection (conntrack).
//!
//! An engine has a table of its own, and each network a chain of its own in it, hooked in by
//! itself: so a network comes and goes without a look at the others.
//!
//! ```text
//! table ip canoa {
//!     chain masquerade-canoa0 {
//!         type nat hook postrouting priority srcnat
//!         ip saddr 172.29.0.0/16 oifname != "canoa0" masquerade comment "containers of …"
//!     }
//! }
//! ```
//!
//! Published ports ([`crate::dnat`]) are in the same table.
//!
//! There are no rules here that let forwarded packets pass. They wouldn't help: in nftables an
//! `accept` ends the chain that says it, and the others are still asked; a `drop` is final. What
//! a firewall of the host drops has to be allowed there: [`forward_is_blocked`].

use namespaces::{Error, Result, step};

use crate::bridge::Bridge;
use crate::dnat;
use crate::nftables::{self, Batch};

/// Masquerades what leaves the bridge's subnet by any interface but the bridge. A second call
/// changes nothing. `table` is the engine's own nftables table: `canoa`.
// ANCHOR: ensure
pub fn ensure(table: &str, bridge: &Bridge) -> Result<()> {
    // ANCHOR: ex-05-4
    let (chain, comment) = (chain_of(bridge), comment_of(bridge));
    // 1. If the chain has just this rule, which is known by its comment, there is nothing to do. To
    //    replace a rule by its like would take 10 ms: the kernel waits until no packet is in it.
    let known = step("list nftables rules", &chain, || nftables::comments(table, &chain)).map_err(way_out)?;
    if known == [comment.as_str()] {
        return Ok(());
    }
    // 2. In one batch: the table and the chain, if they aren't there.
    let mut batch = Batch::new(table, None);
    batch.add_table();
    batch.add_source_nat_chain(&chain);
    // 3. What rules there were go, and the one that there should be comes, at the same moment.
    batch.flush(&chain);
    batch.add_masquerade(&chain, bridge.gateway.trunc(), &bridge.name, &comment);
    // 4. Hand the batch in, as the step "masquerade". An error says the way out.
    step("masquerade", bridge.gateway.trunc(), || batch.commit()).map_err(way_out)
    // ANCHOR_END: ex-05-4
}
// ANCHOR_END: ensure

/// Takes away all that a network has in the table: the rule of [`ensure`], and its published ports.
/// With the last chain the table goes, too. There being none is no error.
pub fn remove(table: &str, bridge: &Bridge) -> Result<()> {
    let (published, maps) = dnat::names(&bridge.name);
    loop {
        let (chains, generation) = step("list nftables chains", table, nftables::chains).map_err(way_out)?;
        let in_table = |chain: &&nftables::Chain| chain.family == IP && chain.table == table;
        let (mine, others): (Vec<_>, Vec<_>) = chains
            .iter()
            .filter(in_table)
            .partition(|chain| chain.name == chain_of(bridge) || published.contains(&chain.name));
        if mine.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new(table, Some(generation));
        if others.is_empty() {
            batch.delete_table();
        } else {
            mine.iter().for_each(|chain| batch.delete_chain(&chain.name));
            // They came with their chains, and go after them: rules look into them.
            if mine.iter().any(|chain| published.contains(&chain.name)) {
                maps.iter().for_each(|map| batch.delete_map(map));
            }
        }
        match step("unmasquerade", bridge.gateway.trunc(), || batch.commit()) {
            // Somebody has changed the rules since we looked: perhaps we aren't the last any more.
            Err(error) if error.errno == libc::ERESTART => continue,
            done => return done.map_err(way_out),
        }
    }
}

/// Whether a firewall of this host drops forwarded packets that it doesn't know of, as Docker's
/// and ufw's do: which chain, in words.
///
/// It sees nftables, and iptables where that writes nftables (`iptables -V` says `nf_tables`);
/// the policy of the older iptables is kept where only iptables looks.
pub fn forward_is_blocked() -> Result<Option<String>> {
    let (chains, _) = step("list nftables chains", "", nftables::chains).map_err(way_out)?;
    let blocks = |chain: &&nftables::Chain| {
        [IP, INET].contains(&chain.family)
            && chain.hook == Some(nftables::FORWARD)
            && chain.policy == Some(nftables::DROP)
    };
    Ok(chains.iter().find(blocks).map(|chain| {
        let family = if chain.family == IP { "ip" } else { "inet" };
        format!("chain {} of table {family} {} drops what it doesn't know", chain.name, chain.table)
    }))
}

const IP: u8 = libc::AF_INET as u8;
/// `NFPROTO_INET`
const INET: u8 = 1;

fn chain_of(bridge: &Bridge) -> String {
    format!("masquerade-{}", bridge.name)
}

/// What the rule says, in words, to know it by.
fn comment_of(bridge: &Bridge) -> String {
    format!("containers of {} on {}", bridge.gateway.trunc(), bridge.name)
}

pub(crate) fn way_out(error: Error) -> Error {
    match error.errno {
        libc::EPERM => error.hint("it takes CAP_NET_ADMIN"),
        libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT => error.hint(
            "the kernel lacks nftables or its NAT: modprobe nf_tables nft_masq nft_chain_nat nft_fib_ipv4",
        ),
        _ => error,
    }
}
