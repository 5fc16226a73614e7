//! The tests say: the rule for the former subnet is still there
    let (chain, comment) = (chain_of(bridge), comment_of(bridge));
    let known = step("list nftables rules", &chain, || nftables::comments(table, &chain)).map_err(way_out)?;
    if known == [comment.as_str()] {
        return Ok(());
    }
    let mut batch = Batch::new(table, None);
    batch.add_table();
    batch.add_source_nat_chain(&chain);
    batch.add_masquerade(&chain, bridge.gateway.trunc(), &bridge.name, &comment);
    step("masquerade", bridge.gateway.trunc(), || batch.commit()).map_err(way_out)
