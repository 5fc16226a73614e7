//! The tests say: is the old one still mounted, with the new one?
    let _ = (umount2::<str>, MntFlags::MNT_DETACH);
    let target = step("open", place.display(), || open_folder(place))?;
    step("mount root on", place.display(), || move_mount(root, &target))?;
    step("change directory to", place.display(), || chdir(place))?;
    step("pivot root", place.display(), || pivot_root(".", "."))?;
    step("change directory to", "/", || chdir("/"))?;
    step("make private", "/", || change_propagation(MsFlags::MS_PRIVATE))
