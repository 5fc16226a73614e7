//! nftables, spoken over netlink.
