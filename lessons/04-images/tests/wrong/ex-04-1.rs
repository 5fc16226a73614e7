//! The tests say: a colon before a slash begins a port, not a tag
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // The last colon, whatever follows it.
    let (rest, tag) = match rest.rsplit_once(':') {
        Some((rest, tag)) => (rest, Some(tag)),
        None => (rest, None),
    };
    let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
    let (registry, path) = match rest.split_once('/') {
        Some(("index.docker.io", path)) => (DOCKER_HUB, path),
        Some((first, path)) if could_only_be_a_host(first) => (first, path),
        _ => (DOCKER_HUB, rest),
    };
    let one_word = registry == DOCKER_HUB && !path.is_empty() && !path.contains('/');
    let repository = if one_word { format!("library/{path}") } else { path.to_owned() };
    Parts { registry, repository, tag, digest }
