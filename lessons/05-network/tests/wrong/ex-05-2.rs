//! The tests say: the cable's end outside is down
    let mut inside = link::named(&interface.name);
    inside.attributes.push(LinkAttribute::Address(interface.mac.to_vec()));
    inside.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    let mut attempts = 3;
    loop {
        let name = random_name()?;
        let mut outside = link::named(&name);
        outside.attributes.push(LinkAttribute::Controller(bridge));
        outside.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inside.clone()))),
        ]));
        let request = Request::create("making the pair", RouteNetlinkMessage::NewLink(outside));
        attempts -= 1;
        match step("create veth", &interface.name, || host.send(vec![request])) {
            Ok(()) => return Ok(name),
            Err(error) if error.errno == libc::EEXIST && attempts > 0 => {}
            Err(error) => return Err(error),
        }
    }
