//! # Lesson 5: a network of its own
//!
//! A process in a new network namespace has an interface `lo` which is down, and nothing else:
//! not even itself can be reached. This lesson lays the cable.
//!
//! ```text
//!   container                     host
//!   ┌──────────────────┐         ┌───────────────────────────────────────────┐
//!   │ eth0 172.29.0.2 ─┼──veth───┼─ ve1f0c… ─┐                               │
//!   └──────────────────┘         │           ├─ bridge 172.29.0.1 ── NAT ────┼── outside
//!   ┌──────────────────┐         │           │                               │
//!   │ eth0 172.29.0.3 ─┼──veth───┼─ ve92ab… ─┘                               │
//!   └──────────────────┘         └───────────────────────────────────────────┘
//! ```
//!
//! - [`netlink`]: how one talks to the kernel about interfaces, addresses and routes.
//! - [`namespace`]: doing something in another network namespace.
//! - [`bridge`]: the switch in the host, to which all containers of a network are plugged.
//! - [`subnet`]: which addresses the network may have, so that none of the host's are hidden.
//! - [`veth`]: the cable: a pair of interfaces, one end in the container.
//! - [`addresses`]: who has which address, also after a crash.
//! - [`nat`] and [`forwarding`]: the way out, behind the host's own address.
//! - [`isolation`]: walls between networks.
//! - [`publish`], [`ports`], [`dnat`], [`proxy`], and together [`Published`]: the way in, by ports of
//!   the host.
//! - [`Network`]: all that a network is made of, for a program without a daemon, and [`Member`]: one
//!   container's place in it.
//! - [`names`]: what a program in the container reads about names: hosts, hostname, resolv.conf.
//! - [`dns`]: names while containers come and go: a server at 127.0.0.11.

pub mod addresses;
pub mod bridge;
pub mod dnat;
pub mod dns;
pub mod forwarding;
pub mod isolation;
mod link;
mod member;
pub mod names;
pub mod namespace;
pub mod nat;
pub mod netlink;
mod network;
mod nftables;
pub mod ports;
pub mod proxy;
pub mod publish;
mod published;
pub mod subnet;
pub mod veth;

pub use addresses::Addresses;
pub use bridge::Bridge;
pub use dns::Zone;
pub use member::Member;
pub use network::Network;
pub use ports::Port;
pub use publish::Publish;
pub use published::Published;
pub use veth::{Interface, attach, detach, lo_up};
