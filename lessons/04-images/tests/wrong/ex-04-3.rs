//! The tests say: the digest has to be compared before a byte of it is unpacked
    let mut file = store.temporary_file()?;
    let (mut hasher, mut received, mut fruitless) = (Hasher::default(), 0, 0);
    for _ in 0..ALL_TRIES {
        let before = received;
        match receive(registry, layer, &mut file, &mut hasher, &mut received, tell) {
            // It has the right length: so it will be right.
            Ok(()) => return Ok(file),
            Err(error @ (Error::Cut { .. } | Error::Unreachable { .. } | Error::Server { .. })) => {
                fruitless = if received > before { 0 } else { fruitless + 1 };
                if fruitless >= TRIES {
                    return Err(error);
                }
                let wait = BACK_OFF * 2_u32.pow(fruitless);
                tell(Status::Retrying { seconds: wait.as_secs_f32().ceil() as u64 });
                std::thread::sleep(wait);
            }
            Err(error) => return Err(error),
        }
    }
    Err(registry.cut(received, layer.size, "too many times"))
