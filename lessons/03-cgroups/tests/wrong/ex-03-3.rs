//! The tests say: each group above it has to pass it on, from the top down
    // From our group upwards, as `ancestors` has it.
    for parent in inside.ancestors().skip(1) {
        let group = home.join(parent);
        let there = files::read(&group.join("cgroup.controllers"))?;
        let passed_on = files::read(&group.join("cgroup.subtree_control"))?;
        for controller in CONTROLLERS {
            let has = |list: &str| list.split_whitespace().any(|word| word == controller);
            if has(&there) && !has(&passed_on) {
                let passed = pass_on(&group, controller);
                if needed.contains(&controller) {
                    passed?;
                }
            }
        }
    }
    Ok(())
