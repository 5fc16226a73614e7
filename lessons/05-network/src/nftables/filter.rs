//! Chains that drop packets on their way through the host, and sets: lists in which a rule looks
//! something up.

use netlink_bindings::nftables::MetaKeys;

use super::{
    Batch, CmpOps, DROP, Expressions, FORWARD, REGISTER, compare, header, interface_name, load_meta,
};

/// `NF_IP_PRI_FILTER`: where filters look at packets, between the rewriting of destinations and that of sources.
const FILTER: i32 = 0;
/// The name of an interface, as nft(8) numbers the types of a set's elements (`enum datatypes`).
const INTERFACE_NAME: u32 = 41;

/// What must be so of a packet that is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Match<'a> {
    /// It has come by this interface.
    ComesBy(&'a str),
    /// … by another.
    ComesNotBy(&'a str),
    /// It leaves by this one.
    LeavesBy(&'a str),
    /// … by another.
    LeavesNotBy(&'a str),
    /// It leaves by one in this set.
    LeavesByOneOf(&'a str),
}

impl Batch<'_> {
    /// Makes a base chain which sees what passes through the host, if there is none.
    pub(crate) fn add_forward_chain(&mut self, chain: &str) {
        self.add_base_chain(chain, "filter", FORWARD, FILTER);
    }

    /// Makes a set of interfaces' names, if there is none. The user data is for nft(8): it says that
    /// the keys are in this machine's order of bytes, without which it shows none of the names.
    pub(crate) fn add_interface_set(&mut self, set: &str) {
        self.messages
            .request()
            .set_create()
            .op_newset_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_name_bytes(set.as_bytes())
            .push_flags(0)
            .push_key_type(INTERFACE_NAME)
            .push_key_len(libc::IFNAMSIZ as u32)
            .push_id(1)
            .push_userdata(&[&[0, 4][..], &1u32.to_ne_bytes()].concat());
    }

    /// Adds a name to the set. That it is there already is fine.
    pub(crate) fn add_interface(&mut self, set: &str, interface: &str) {
        self.messages
            .request()
            .set_create()
            .op_newsetelem_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_set_bytes(set.as_bytes())
            .nested_elements()
            .nested_elem()
            .nested_key()
            .push_value(&interface_name(interface))
            .end_nested()
            .end_nested()
            .end_nested();
    }

    /// Takes a name out of the set, where it must be (`ENOENT`).
    pub(crate) fn delete_interface(&mut self, set: &str, interface: &str) {
        self.delete_element(set, &interface_name(interface));
    }

    /// Adds a rule which drops what fits all of these.
    pub(crate) fn add_drop(&mut self, chain: &str, matches: &[Match<'_>], comment: &str) {
        let mut expressions = self.begin_rule(chain, comment);
        for one in matches {
            expressions = match *one {
                Match::ComesBy(name) => interface(expressions, MetaKeys::Iifname, CmpOps::Eq, name),
                Match::ComesNotBy(name) => interface(expressions, MetaKeys::Iifname, CmpOps::Neq, name),
                Match::LeavesBy(name) => interface(expressions, MetaKeys::Oifname, CmpOps::Eq, name),
                Match::LeavesNotBy(name) => interface(expressions, MetaKeys::Oifname, CmpOps::Neq, name),
                Match::LeavesByOneOf(set) => leaves_by_one_of(expressions, set),
            };
        }
        // Register 0 is the verdict's.
        expressions
            .nested_elem()
            .nested_data_immediate()
            .push_dreg(0)
            .nested_data()
            .nested_verdict()
            .push_code(DROP)
            .end_nested()
            .end_nested()
            .end_nested()
            .end_nested()
            .end_nested();
    }
}

fn interface<'a>(expressions: Expressions<'a>, key: MetaKeys, how: CmpOps, name: &str) -> Expressions<'a> {
    compare(load_meta(expressions, key, REGISTER), how, &interface_name(name))
}

fn leaves_by_one_of<'a>(expressions: Expressions<'a>, set: &str) -> Expressions<'a> {
    // netlink-bindings 0.3.5 counts these attributes wrongly: number 2, which it calls set_id, is the
    // register of the key (NFTA_LOOKUP_SREG).
    load_meta(expressions, MetaKeys::Oifname, REGISTER)
        .nested_elem()
        .nested_data_lookup()
        .push_set_bytes(set.as_bytes())
        .push_set_id(REGISTER)
        .end_nested()
        .end_nested()
}
