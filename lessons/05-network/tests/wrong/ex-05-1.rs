//! The tests say: this MAC address isn't the one that belongs to the gateway's IP address
        let mut bridge = link::named(&self.name);
        bridge.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        let request = Request::create("making it", RouteNetlinkMessage::NewLink(bridge));
        match step("create bridge", &self.name, || netlink.send(vec![request])) {
            Ok(()) => Ok(true),
            Err(error) if error.errno == libc::EEXIST => Ok(false),
            Err(error) => Err(error),
        }
