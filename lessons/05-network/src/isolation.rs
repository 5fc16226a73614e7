//! Walls between networks.
//!
//! A host that forwards packets does so between any two of its interfaces: containers of two
//! networks would reach each other by way of it. So what comes by one of our bridges and would
//! leave by another of them is dropped.
//!
//! ```text
//! table ip canoa {
//!     set bridges { type ifname; elements = { "canoa0", "br-5f2c…" } }
//!     chain isolate-canoa0 {
//!         type filter hook forward priority filter
//!         iifname "canoa0" oifname != "canoa0" oifname @bridges drop
//!     }
//! }
//! ```
//!
//! One rule for a network and one set for all, not a rule for each pair of them. A network without
//! a way out (`--internal`) has another: whatever would pass between its bridge and any other
//! interface is dropped, in both directions. What stays on the bridge never comes here, nor does
//! what is for the host itself.

use namespaces::{Result, step};

use crate::bridge::Bridge;
use crate::nat::way_out;
use crate::nftables::filter::Match;
use crate::nftables::{self, Batch};

/// The set's name.
pub(crate) const BRIDGES: &str = "bridges";

/// Puts the wall up around a network; `internal`: nothing leads out of it at all. A second call
/// changes nothing. `table` is the engine's own nftables table, the same for all of its networks.
pub fn ensure(table: &str, bridge: &Bridge, internal: bool) -> Result<()> {
    let name = bridge.name.as_str();
    let (chain, comment) = (chain_of(bridge), comment_of(bridge, internal));
    let known = step("list nftables rules", &chain, || nftables::comments(table, &chain)).map_err(way_out)?;
    if known.first() == Some(&comment) {
        return Ok(());
    }
    let mut batch = Batch::new(table, None);
    batch.add_table();
    batch.add_interface_set(BRIDGES);
    batch.add_interface(BRIDGES, name);
    batch.add_forward_chain(&chain);
    batch.flush(&chain);
    if internal {
        batch.add_drop(&chain, &[Match::ComesBy(name), Match::LeavesNotBy(name)], &comment);
        batch.add_drop(&chain, &[Match::ComesNotBy(name), Match::LeavesBy(name)], &comment);
    } else {
        let passes = [Match::ComesBy(name), Match::LeavesNotBy(name), Match::LeavesByOneOf(BRIDGES)];
        batch.add_drop(&chain, &passes, &comment);
    }
    step("isolate network", name, || batch.commit()).map_err(way_out)
}

/// Takes the wall of [`ensure`] away, and with the last chain the table. There being none is no
/// error.
pub fn remove(table: &str, bridge: &Bridge) -> Result<()> {
    let ours = chain_of(bridge);
    loop {
        let (chains, generation) = step("list nftables chains", table, nftables::chains).map_err(way_out)?;
        let mut chains = chains.iter().filter(|chain| chain.family == IP && chain.table == table);
        if !chains.clone().any(|chain| chain.name == ours) {
            return Ok(());
        }
        let mut batch = Batch::new(table, Some(generation));
        if chains.all(|chain| chain.name == ours) {
            batch.delete_table();
        } else {
            batch.delete_chain(&ours);
            batch.delete_interface(BRIDGES, &bridge.name);
        }
        match step("unisolate network", &bridge.name, || batch.commit()) {
            // Somebody has changed the rules since we looked: perhaps we aren't the last any more.
            Err(error) if error.errno == libc::ERESTART => continue,
            done => return done.map_err(way_out),
        }
    }
}

const IP: u8 = libc::AF_INET as u8;

fn chain_of(bridge: &Bridge) -> String {
    format!("isolate-{}", bridge.name)
}

/// What the rule says, in words, to know it by.
fn comment_of(bridge: &Bridge, internal: bool) -> String {
    match internal {
        true => format!("nothing leads out of {}", bridge.name),
        false => format!("from {} to no other network", bridge.name),
    }
}
