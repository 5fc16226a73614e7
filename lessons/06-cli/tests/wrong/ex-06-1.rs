//! The tests say: ex-06-1: somebody has read a half
    let folder = path.parent().unwrap_or(Path::new("."));
    step("write file", path.display(), || File::create(path)?.write_all(text))?;
    if durably { sync(folder) } else { Ok(()) }
