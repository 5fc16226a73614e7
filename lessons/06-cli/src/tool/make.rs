//! `create`: from an image and flags to a record.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use images::{Image, PullOptions, Reference, Store, base, pull};
use lifecycle::record::{Record, State, VERSION, new_id, now};

use super::{Config, Tool};
use crate::Create;

impl Tool {
    /// Makes a container, which doesn't run yet, and gives its id.
    pub fn create(&self, wanted: Create) -> Result<String> {
        self.become_root()?;
        let image = self.image(&wanted.image)?;
        let its = &image.config.config;
        let command =
            if wanted.command.is_empty() { its.cmd.clone().unwrap_or_default() } else { wanted.command };
        let mut env = its.env.clone();
        env.extend(wanted.env);
        let id = new_id()?;
        let record = Record {
            version: VERSION,
            name: wanted.name.unwrap_or_else(|| id[..12].to_owned()),
            id: id.clone(),
            created_at: now(),
            state: State::default(),
            config: Config {
                image: wanted.image,
                layers: image.layers,
                args: its.entrypoint.clone().unwrap_or_default().into_iter().chain(command).collect(),
                env,
                directory: match wanted.workdir {
                    Some(folder) => folder.into(),
                    None if its.working_dir.is_empty() => "/".into(),
                    None => its.working_dir.clone().into(),
                },
                user: wanted.user.unwrap_or_else(|| its.user.clone()),
                interactive: wanted.interactive,
                tty: wanted.tty,
                volumes: wanted.volume.iter().map(|text| volume(text)).collect::<Result<_>>()?,
                memory: wanted.memory,
                nano_cpus: wanted.cpus.map(|cpus| (cpus * 1e9) as u64),
                pids: wanted.pids_limit,
                init: wanted.init,
            },
        };
        self.records.create(&record)?;
        Ok(id)
    }

    /// The image of this name; pulled, or borrowed from the host, if it isn't here.
    fn image(&self, name: &str) -> Result<Image> {
        let store = Store::open(&self.root.join("images"))?;
        let reference: Reference = name.parse()?;
        match store.resolve(name) {
            Ok(image) => Ok(image),
            Err(_) if base::is_base(&reference) => Ok(base::base(&store)?),
            Err(_) => {
                eprintln!("Pulling {}", reference.canonical());
                let pulled = pull(&store, &reference, &PullOptions::default(), &|_| {});
                Ok(pulled.with_context(|| format!("pulling {name}"))?.image)
            }
        }
    }
}

/// `/from:/to[:ro]`
fn volume(text: &str) -> Result<(PathBuf, PathBuf, bool)> {
    let mut parts = text.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(from), Some(to), mode, None) if from.starts_with('/') && to.starts_with('/') => match mode {
            None | Some("rw") => Ok((from.into(), to.into(), false)),
            Some("ro") => Ok((from.into(), to.into(), true)),
            Some(other) => Err(anyhow!("volume {text}: there is no mode {other}, only ro and rw")),
        },
        _ => Err(anyhow!("volume {text}: write /on/the/host:/inside or /on/the/host:/inside:ro")),
    }
}
