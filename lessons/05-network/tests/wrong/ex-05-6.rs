//! The tests say: a server of the host's was asked about a name of ours
    match (question.qtype, address_of(&name)) {
        (QTYPE::TYPE(TYPE::PTR), Some(address)) => match zones.owner(address) {
            Some(owner) => pointer(&packet, question, &owner, limit),
            None => Reply::Ask,
        },
        (QTYPE::TYPE(TYPE::A), _) => match zones.addresses(&name) {
            Some(mut addresses) => {
                let first = usize::from(packet.id()) % addresses.len().max(1);
                addresses.rotate_left(first);
                let records = addresses.into_iter().map(|address| RData::A(A { address: address.into() }));
                Reply::Answer(answer(&packet, question, records.collect(), limit))
            }
            None => Reply::Ask,
        },
        _ => Reply::Ask,
    }
