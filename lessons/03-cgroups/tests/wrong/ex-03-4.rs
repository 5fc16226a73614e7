//! The tests say: limits that were made hold for nobody until it joins
    let cgroup = Cgroup::create(PARENT, &own_name()?, &limits)?;
    // A group with limits, and nobody in it.
    let child = Isolation::container().spawn(|| {
        own_namespace()?;
        foreground.enter()?;
        set_hostname(flags.value("hostname").unwrap_or(OsStr::new("container")))?;
        rootfs.enter()?;
        privileges.drop_to(&User::look_up(user)?)?;
        exec(&command)
    });
    let status = child.and_then(|child| foreground.wait(&child.release()?));
    if cgroup.oom_kills().is_ok_and(|kills| kills > 0) {
        eprintln!("lesson-03: out of memory: the kernel killed a process of this container");
    }
    cgroup.remove()?;
    remove_parent(PARENT)?;
    status
