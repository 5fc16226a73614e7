//! The tests say: case doesn't matter, and unknown schemes are passed over
        // The first challenge alone, as Docker Hub writes it.
        let (scheme, after) = header.split_once(' ')?;
        let (parameters, _) = parameters(after);
        let get =
            |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        match scheme {
            "Basic" => Some(Challenge::Basic),
            "Bearer" => Some(Challenge::Bearer {
                realm: get("realm")?,
                service: get("service"),
                scope: get("scope"),
            }),
            _ => None,
        }
