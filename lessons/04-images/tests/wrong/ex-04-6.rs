//! The tests say: the kernel wants the uppermost first
        let mut options: Vec<_> =
            self.lower.iter().map(|layer| ("lowerdir+", Value::Folder(layer))).collect();
        options.push(("upperdir", Value::Folder(&self.upper)));
        options.push(("workdir", Value::Folder(&self.work)));
        options.extend(OPTIONS.map(|(key, value)| (key, Value::Word(value))));
        if in_user_namespace {
            options.push(("userxattr", Value::Nothing));
        }
        options
