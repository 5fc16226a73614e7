//! A packet made by hand, as no socket would send it: packet(7).

use std::ffi::CString;
use std::os::fd::AsRawFd;

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Sends UDP (from, to, to which port) in a frame to this MAC address.
pub fn send_udp(interface: &str, mac: &[u8], (from, to, port): ([u8; 4], [u8; 4], u16), text: &[u8]) {
    let udp_length = (8 + text.len()) as u16;
    // RFC 791: version and length, …, time to live, protocol 17.
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
    packet[2..4].copy_from_slice(&(20 + udp_length).to_be_bytes());
    packet.extend(from.iter().chain(&to));
    let mut sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    // RFC 768: from port, to port, length, and no checksum.
    for number in [40000, port, udp_length, 0] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(text);

    let socket = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).unwrap();
    // SAFETY: plain numbers, of which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
    address.sll_ifindex = if_nametoindex(CString::new(interface).unwrap().as_c_str()).unwrap() as i32;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(mac);
    // SAFETY: both pointers are to what they are said to be, of that length, and live until it returns.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            0,
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    };
    assert_eq!(sent, packet.len() as isize, "{}", std::io::Error::last_os_error());
}
