//! The tests say: A folder can't be covered with a file
    let _ = (empty_folder, fstat::<OwnedFd>);
    let Some(target) = open_if_there(root, path)? else { return Ok(()) };
    let cover = dev_null(root)?;
    step("mask", path.display(), || move_mount(&cover, &target))
