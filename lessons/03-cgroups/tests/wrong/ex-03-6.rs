//! The tests say: beside the line
    let text = read_if_there(path)?.unwrap_or_default();
    let mut table = BTreeMap::new();
    for line in text.lines() {
        // The first line of another kind ends it.
        let Some((name, value)) = line.split_once(' ') else { break };
        let Ok(value) = value.trim().parse() else { break };
        table.insert(name.to_owned(), value);
    }
    Ok(table)
