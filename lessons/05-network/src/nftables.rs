//! nftables, the kernel's packet filter, spoken over netlink: no more of it than [`crate::nat`] and
//! [`crate::dnat`] need.
//!
//! Tables hold chains, chains hold rules. A *base chain* is hooked into the path of each packet;
//! a rule is a list of small expressions, which load something into a register and compare it,
//! until one fails, or the last one acts.
//!
//! Changes travel as one *batch*: all of it happens at one moment, or nothing. A batch may name
//! the generation of the rules that it was thought out for; if they have changed since then, the
//! kernel refuses it (`ERESTART`), and one looks again.
//!
//! This, with [`filter`] and [`map`], is all that knows netlink-bindings and netlink-socket2. See nft(8), and
//! `include/uapi/linux/netfilter/nf_tables.h`.

pub(crate) mod filter;
pub(crate) mod map;

use ipnet::Ipv4Net;
use netlink_bindings::nftables::{
    Chained, CmpOps, MetaKeys, Nfgenmsg, PayloadBase, PushExprListAttrs, PushRuleAttrs, Registers, Request,
};
use netlink_bindings::utils::RequestBuf;
use netlink_socket2::{NetlinkSocket, ReplyError};

use crate::netlink::Refused;

/// `NF_INET_FORWARD`: a packet on its way through this host.
pub(crate) const FORWARD: u32 = 2;
/// `NF_INET_POST_ROUTING`: a packet that is about to leave.
const POSTROUTING: u32 = 4;
/// `NF_IP_PRI_NAT_SRC`: where source addresses are rewritten, after all filters.
const SOURCE_NAT: i32 = 100;
/// `NF_DROP`: the policy of a chain that drops what none of its rules has accepted.
pub(crate) const DROP: u32 = 0;

/// A chain that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// `AF_INET` (`ip`), `NFPROTO_INET` (`inet`: IPv4 and IPv6) and others.
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) name: String,
    /// Where it is hooked in; `None` for a chain that others jump to.
    pub(crate) hook: Option<u32>,
    pub(crate) policy: Option<u32>,
}

/// The generation of the rules: another one after each change.
pub(crate) fn generation() -> Result<u32, Refused> {
    let mut socket = NetlinkSocket::new();
    let request = Request::new().op_getgen_do(&Nfgenmsg::new());
    let mut answer = socket.request(&request)?;
    let (_, generation) = answer.recv_one().map_err(refused)?;
    generation.get_id().map_err(|error| refused(error.into()))
}

/// Every chain of this network namespace, and the generation of the rules that was seen.
pub(crate) fn chains() -> Result<(Vec<Chain>, u32), Refused> {
    let generation = generation()?;
    let mut socket = NetlinkSocket::new();
    let request = Request::new().op_getchain_dump(&Nfgenmsg::new());
    let mut answers = socket.request(&request)?;
    let mut chains = Vec::new();
    while let Some(answer) = answers.recv() {
        let (header, chain) = answer.map_err(refused)?;
        let (Ok(table), Ok(name)) = (chain.get_table(), chain.get_name()) else { continue };
        chains.push(Chain {
            family: header.nfgen_family,
            table: table.to_string_lossy().into_owned(),
            name: name.to_string_lossy().into_owned(),
            hook: chain.get_hook().and_then(|hook| hook.get_num()).ok(),
            policy: chain.get_policy().ok(),
        });
    }
    Ok((chains, generation))
}

/// The comments of a chain's rules, in their order; none, if there is no such chain.
pub(crate) fn comments(table: &str, chain: &str) -> Result<Vec<String>, Refused> {
    let mut socket = NetlinkSocket::new();
    let mut request = Request::new().op_getrule_dump(&header());
    request.encode().push_table_bytes(table.as_bytes()).push_chain_bytes(chain.as_bytes());
    let mut answers = socket.request(&request)?;
    let mut comments = Vec::new();
    while let Some(answer) = answers.recv() {
        let (_, rule) = answer.map_err(refused)?;
        let comment = rule.get_userdata().ok().and_then(|data| data.get(2..));
        let text = String::from_utf8_lossy(comment.unwrap_or_default());
        comments.push(text.trim_end_matches('\0').to_owned());
    }
    Ok(comments)
}

/// Changes to one table of family `ip`, made together by [`Batch::commit`].
pub(crate) struct Batch<'a> {
    table: &'a [u8],
    messages: Chained<'static>,
}

impl<'a> Batch<'a> {
    /// `generation`: only if the rules are still those that [`chains`] saw.
    pub(crate) fn new(table: &'a str, generation: Option<u32>) -> Batch<'a> {
        let mut messages = Chained::new(1);
        let mut begin = messages.request().op_batch_begin_do(&batch_header());
        if let Some(generation) = generation {
            begin.encode().push_genid(generation);
        }
        drop(begin);
        Batch { table: table.as_bytes(), messages }
    }

    /// Makes the table, if there is none.
    pub(crate) fn add_table(&mut self) {
        self.messages.request().set_create().op_newtable_do(&header()).encode().push_name_bytes(self.table);
    }

    /// Deletes the table with all that it holds.
    pub(crate) fn delete_table(&mut self) {
        self.messages.request().op_deltable_do(&header()).encode().push_name_bytes(self.table);
    }

    /// Makes a base chain which rewrites the sources of what leaves, if there is none.
    pub(crate) fn add_source_nat_chain(&mut self, chain: &str) {
        self.add_base_chain(chain, "nat", POSTROUTING, SOURCE_NAT);
    }

    /// Makes a chain of this type, hooked into the path of packets at `hook` (there may be several; those of
    /// a lower priority see a packet first), if there is none.
    fn add_base_chain(&mut self, chain: &str, kind: &str, hook: u32, priority: i32) {
        self.messages
            .request()
            .set_create()
            .op_newchain_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_name_bytes(chain.as_bytes())
            .push_type_bytes(kind.as_bytes())
            .nested_hook()
            .push_num(hook)
            .push_priority(priority)
            .end_nested();
    }

    /// Begins a rule at the end of a chain; what is pushed to the answer is what it does.
    fn begin_rule(&mut self, chain: &str, comment: &str) -> Expressions<'_> {
        let request = self.messages.request().set_create().set_append();
        request
            .op_newrule_do(&header())
            .into_encoder()
            .push_table_bytes(self.table)
            .push_chain_bytes(chain.as_bytes())
            .push_userdata(&userdata(comment))
            .nested_expressions()
    }

    /// Deletes all rules of a chain.
    pub(crate) fn flush(&mut self, chain: &str) {
        self.messages
            .request()
            .op_delrule_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_chain_bytes(chain.as_bytes());
    }

    /// Deletes a chain and its rules.
    pub(crate) fn delete_chain(&mut self, chain: &str) {
        self.messages
            .request()
            .op_delchain_do(&header())
            .encode()
            .push_table_bytes(self.table)
            .push_name_bytes(chain.as_bytes());
    }

    /// Adds the rule `ip saddr SUBNET oifname != BRIDGE masquerade comment COMMENT`.
    pub(crate) fn add_masquerade(&mut self, chain: &str, subnet: Ipv4Net, bridge: &str, comment: &str) {
        let request = self.messages.request().set_create().set_append();
        let expressions = request
            .op_newrule_do(&header())
            .into_encoder()
            .push_table_bytes(self.table)
            .push_chain_bytes(chain.as_bytes())
            .push_userdata(&userdata(comment))
            .nested_expressions();
        let expressions = source_in(expressions, subnet);
        let expressions = leaves_not_by(expressions, bridge);
        // An expression without arguments is no more than its name.
        expressions.nested_elem().push_name_bytes(b"masq").end_nested().end_nested();
    }

    /// Sends the batch; all of it happens, or nothing.
    pub(crate) fn commit(mut self) -> Result<(), Refused> {
        drop(self.messages.request().op_batch_end_do(&batch_header()));
        NetlinkSocket::new().request_chained(&self.messages.finalize())?.recv_all().map_err(refused)
    }
}

/// The kernel keeps a rule's user data without a look at it; nft(8) reads it as attributes of one
/// byte for the type (0: the comment), one for the length, and a text that ends with a NUL.
fn userdata(comment: &str) -> Vec<u8> {
    let text = &comment.as_bytes()[..comment.len().min(127)];
    [&[0, text.len() as u8 + 1], text, &[0]].concat()
}

type Expressions<'a> = PushExprListAttrs<PushRuleAttrs<RequestBuf<'a>>>;

/// The register that everything here is loaded into.
const REGISTER: u32 = Registers::Reg1 as u32;

/// Loads what the kernel knows of the packet beside its bytes.
fn load_meta(expressions: Expressions<'_>, key: MetaKeys, register: u32) -> Expressions<'_> {
    let meta = expressions.nested_elem().nested_data_meta();
    meta.push_dreg(register).push_key(key as u32).end_nested().end_nested()
}

/// Loads so many bytes from a place of one of the packet's headers: `(offset, length)`.
fn load_payload(
    expressions: Expressions<'_>,
    header: PayloadBase,
    (offset, length): (u32, u32),
    register: u32,
) -> Expressions<'_> {
    expressions
        .nested_elem()
        .nested_data_payload()
        .push_dreg(register)
        .push_base(header as u32)
        .push_offset(offset)
        .push_len(length)
        .end_nested()
        .end_nested()
}

/// The packet's source address, at byte 12 of the IPv4 header (RFC 791), lies in the subnet.
fn source_in(expressions: Expressions<'_>, subnet: Ipv4Net) -> Expressions<'_> {
    let expressions = load_payload(expressions, PayloadBase::NetworkHeader, (12, 4), REGISTER)
        .nested_elem()
        .nested_data_bitwise()
        .push_sreg(REGISTER)
        .push_dreg(REGISTER)
        .push_len(4)
        .nested_mask()
        .push_value(&subnet.netmask().octets())
        .end_nested()
        .nested_xor()
        .push_value(&[0; 4])
        .end_nested()
        .end_nested()
        .end_nested();
    compare(expressions, CmpOps::Eq, &subnet.network().octets())
}

/// The packet leaves by an interface of another name.
fn leaves_not_by<'a>(expressions: Expressions<'a>, interface: &str) -> Expressions<'a> {
    let expressions = load_meta(expressions, MetaKeys::Oifname, REGISTER);
    compare(expressions, CmpOps::Neq, &interface_name(interface))
}

/// The kernel compares all bytes that a name can have (IFNAMSIZ), which are zero at its end.
fn interface_name(interface: &str) -> [u8; libc::IFNAMSIZ] {
    let mut name = [0; libc::IFNAMSIZ];
    for (place, byte) in name.iter_mut().zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
        *place = byte;
    }
    name
}

fn compare<'a>(expressions: Expressions<'a>, how: CmpOps, value: &[u8]) -> Expressions<'a> {
    expressions
        .nested_elem()
        .nested_data_cmp()
        .push_sreg(REGISTER)
        .push_op(how as u32)
        .nested_data()
        .push_value(value)
        .end_nested()
        .end_nested()
        .end_nested()
}

fn header() -> Nfgenmsg {
    Nfgenmsg { nfgen_family: libc::AF_INET as u8, ..Nfgenmsg::default() }
}

/// The marks of a batch are for nftables among all subsystems of netfilter.
fn batch_header() -> Nfgenmsg {
    let mut header = Nfgenmsg::new();
    header.set_res_id(libc::NFNL_SUBSYS_NFTABLES as u16);
    header
}

fn refused(error: ReplyError) -> Refused {
    let words =
        error.ext_ack().and_then(|said| said.get_msg().ok().map(|text| text.to_string_lossy().into_owned()));
    let mut refused = Refused::from(std::io::Error::from(error));
    if let Some(words) = words {
        refused.detail = words;
    }
    refused
}
