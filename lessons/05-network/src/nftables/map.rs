//! Maps: tables in which a rule looks something up.
//!
//! A rule can ask "is it TCP to port 8080?"; for a thousand ports that makes a thousand rules, and
//! each packet walks past all of them. With a map there is one rule, which looks the packet's
//! address and port up, as in a hash table. What is published comes and goes as *elements* of it.
//!
//! A key of several parts (a *concatenation*) is their bytes one after the other, each part filled
//! up to four: `192.0.2.1 . tcp . 8080` is `c0000201 06000000 1f900000`.

use netlink_bindings::nftables::{FibFlags, MetaKeys, PayloadBase, Request, SetFlags, SetelemListElemAttrs};
use netlink_socket2::NetlinkSocket;

use super::{Batch, CmpOps, Expressions, REGISTER, compare, header, load_meta, load_payload, refused};
use crate::netlink::Refused;

/// `NF_INET_PRE_ROUTING`: a packet that has just arrived.
const PREROUTING: u32 = 0;
/// `NF_INET_LOCAL_OUT`: a packet that this host sends.
const OUTPUT: u32 = 3;
/// `NF_IP_PRI_NAT_DST`: where destinations are rewritten, before the way is chosen.
const DESTINATION_NAT: i32 = -100;

/// The part of a key or value, as nft(8) numbers them (`enum datatypes`), so that it can show them.
const IPV4_ADDRESS: u32 = 7;
const PROTOCOL: u32 = 12;
const PORT: u32 = 13;

/// Which key a map has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Protocol and port, at whatever address.
    Port,
    /// Address, protocol and port.
    AddressAndPort,
}

/// Which packets a chain sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Those that come from elsewhere.
    Arriving,
    /// The host's own.
    Sent,
}

/// What a map leads to: address and port, in the bytes of the element.
pub(crate) type Element = (Vec<u8>, Vec<u8>);

impl Key {
    fn parts(self) -> &'static [u32] {
        match self {
            Key::Port => &[PROTOCOL, PORT],
            Key::AddressAndPort => &[IPV4_ADDRESS, PROTOCOL, PORT],
        }
    }
}

/// The elements of a map, and the generation of the rules that was seen; none, if there is no such map.
pub(crate) fn elements(table: &str, map: &str) -> Result<(Vec<Element>, u32), Refused> {
    let generation = super::generation()?;
    let mut socket = NetlinkSocket::new();
    let mut request = Request::new().op_getsetelem_dump(&header());
    request.encode().push_table_bytes(table.as_bytes()).push_set_bytes(map.as_bytes());
    let mut answers = socket.request(&request)?;
    let mut found = Vec::new();
    while let Some(answer) = answers.recv() {
        let (_, list) = match answer.map_err(refused) {
            Err(error) if error.errno == libc::ENOENT => return Ok((found, generation)),
            answer => answer?,
        };
        for element in list.get_elements().into_iter().flatten().flatten() {
            let SetelemListElemAttrs::Elem(element) = element;
            let key = element.get_key().and_then(|key| key.get_value());
            let value = element.get_data().and_then(|value| value.get_value());
            if let (Ok(key), Ok(value)) = (key, value) {
                found.push((key.to_vec(), value.to_vec()));
            }
        }
    }
    Ok((found, generation))
}

impl Batch<'_> {
    /// Makes a map to address and port, if there is none. `number`: another one for each of a batch.
    pub(crate) fn add_map(&mut self, map: &str, key: Key, number: u32) {
        // A type of several parts is one number, six bits for each of them.
        let kind = |parts: &[u32]| parts.iter().fold(0, |kind, part| kind << 6 | part);
        self.messages
            .request()
            .set_create()
            .op_newset_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_name_bytes(map.as_bytes())
            .push_flags(SetFlags::Map as u32)
            .push_key_type(kind(key.parts()))
            .push_key_len(4 * key.parts().len() as u32)
            .push_data_type(kind(&[IPV4_ADDRESS, PORT]))
            .push_data_len(8)
            .push_id(number);
    }

    /// Deletes a map and its elements; no rule may look into it any more.
    pub(crate) fn delete_map(&mut self, map: &str) {
        self.messages
            .request()
            .op_delset_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_name_bytes(map.as_bytes());
    }

    /// Adds an element. That it is there already is fine; another value for its key is not (`EBUSY`,
    /// `EEXIST`).
    pub(crate) fn add_element(&mut self, map: &str, (key, value): &Element) {
        self.messages
            .request()
            .set_create()
            .op_newsetelem_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_set_bytes(map.as_bytes())
            .nested_elements()
            .nested_elem()
            .nested_key()
            .push_value(key)
            .end_nested()
            .nested_data()
            .push_value(value)
            .end_nested()
            .end_nested()
            .end_nested();
    }

    /// Deletes the element of this key from a map or a set, where it must be (`ENOENT`).
    pub(crate) fn delete_element(&mut self, map: &str, key: &[u8]) {
        self.messages
            .request()
            .op_delsetelem_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_set_bytes(map.as_bytes())
            .nested_elements()
            .nested_elem()
            .nested_key()
            .push_value(key)
            .end_nested()
            .end_nested()
            .end_nested();
    }

    /// Makes a base chain which rewrites destinations, if there is none.
    pub(crate) fn add_destination_nat_chain(&mut self, chain: &str, seen: Seen) {
        let hook = if seen == Seen::Arriving { PREROUTING } else { OUTPUT };
        self.add_base_chain(chain, "nat", hook, DESTINATION_NAT);
    }

    /// Adds the rule `iifname != @BRIDGES fib daddr type local ip daddr != 127.0.0.0/8 dnat to KEY map
    /// @MAP`. (What the host itself sends has no `iifname`, so that it isn't asked for.)
    pub(crate) fn add_redirect(
        &mut self,
        chain: &str,
        seen: Seen,
        (map, key): (&str, Key),
        bridges: &str,
        comment: &str,
    ) {
        let mut expressions = self.begin_rule(chain, comment);
        if seen == Seen::Arriving {
            expressions = came_not_by_one_of(expressions, bridges);
        }
        expressions = to_this_host(expressions);
        expressions = not_to_loopback(expressions);
        look_up_and_redirect(expressions, map, key).end_nested();
    }
}

/// The packet has come by an interface whose name is not in the set.
fn came_not_by_one_of<'a>(expressions: Expressions<'a>, set: &str) -> Expressions<'a> {
    /// `NFT_LOOKUP_F_INV`: what is not there fits.
    const NOT: u32 = 1;
    load_meta(expressions, MetaKeys::Iifname, REGISTER)
        .nested_elem()
        .nested_data_lookup()
        .push_set_bytes(set.as_bytes())
        // The register of the key: see look_up_and_redirect.
        .push_set_id(REGISTER)
        .push_flags(NOT)
        .end_nested()
        .end_nested()
}

/// Its destination is an address of this host: so says its routing table (*fib*).
fn to_this_host(expressions: Expressions<'_>) -> Expressions<'_> {
    /// `NFT_FIB_RESULT_ADDRTYPE` (in netlink-bindings 0.3.5 it is one too low).
    const ADDRESS_TYPE: u32 = 3;
    let expressions = expressions
        .nested_elem()
        .nested_data_fib()
        .push_dreg(REGISTER)
        .push_result(ADDRESS_TYPE)
        .push_flags(FibFlags::Daddr as u32)
        .end_nested()
        .end_nested();
    compare(expressions, CmpOps::Eq, &u32::from(libc::RTN_LOCAL).to_ne_bytes())
}

/// … and none of 127.0.0.0/8: the first byte of the address (at 16 in the IPv4 header, RFC 791).
fn not_to_loopback(expressions: Expressions<'_>) -> Expressions<'_> {
    let expressions = load_payload(expressions, PayloadBase::NetworkHeader, (16, 1), REGISTER);
    compare(expressions, CmpOps::Neq, &[127])
}

/// Puts the key together, in registers that lie one after the other, looks it up, and sends the
/// packet where the map says. What isn't in the map goes on as if nothing had been asked.
fn look_up_and_redirect<'a>(mut expressions: Expressions<'a>, map: &str, key: Key) -> Expressions<'a> {
    // Registers of four bytes begin with number 8 (`NFT_REG32_00`); the first of them is also where
    // REGISTER begins.
    const FIRST: u32 = 8;
    let mut register = FIRST;
    if key == Key::AddressAndPort {
        expressions = load_payload(expressions, PayloadBase::NetworkHeader, (16, 4), register);
        register += 1;
    }
    let expressions = load_meta(expressions, MetaKeys::L4Proto, register);
    // The destination port is at the same place in TCP's header and in UDP's.
    let expressions = load_payload(expressions, PayloadBase::TransportHeader, (2, 2), register + 1);
    // netlink-bindings 0.3.5 counts these attributes wrongly: number 2 is the register of the key
    // (NFTA_LOOKUP_SREG), number 3 that of the value (NFTA_LOOKUP_DREG), in `enum nft_lookup_attributes`.
    let expressions = expressions
        .nested_elem()
        .nested_data_lookup()
        .push_set_bytes(map.as_bytes())
        .push_set_id(FIRST)
        .push_sreg(FIRST)
        .end_nested()
        .end_nested();
    /// `NFT_NAT_DNAT`
    const DNAT: u32 = 1;
    expressions
        .nested_elem()
        .nested_data_nat()
        .push_type(DNAT)
        .push_family(libc::AF_INET as u32)
        .push_reg_addr_min(FIRST)
        .push_reg_proto_min(FIRST + 1)
        .end_nested()
        .end_nested()
}
