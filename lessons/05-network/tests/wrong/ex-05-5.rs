//! The tests say: of two that are only bound, both have it
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let kind = if protocol == Protocol::Tcp { SockType::Stream } else { SockType::Datagram };
        let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        if address.is_ipv6() {
            setsockopt(&socket, Ipv6V6Only, &true)?;
        }
        if protocol == Protocol::Tcp {
            setsockopt(&socket, ReuseAddr, &true)?;
        } else {
            match address {
                IpAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
                IpAddr::V6(_) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
            }
        }
        bind(socket.as_raw_fd(), &SockaddrStorage::from(place))?;
        let got: SockaddrStorage = getsockname(socket.as_raw_fd())?;
        let got = got.as_sockaddr_in().map(|got| got.port()).or(got.as_sockaddr_in6().map(|got| got.port()));
        Ok((socket, got.unwrap_or(port)))
