//! Pruning: removing what nobody uses.
//!
//! What somebody is just about to use is not "unused". Images and volumes are guarded by
//! [`Engine::making`]: a container that is being made has them already. A container that was made a moment ago
//! is about to be started, and so are its networks about to be joined: those get a moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::images::{Image, Removed, usage};
use jiff::Timestamp;
use lifecycle::record::Status;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use super::containers::Container;
use super::error::{Error, Result, blocking};
use super::{Engine, images, stop, volumes};

/// So long after its making a container is believed to be about to be started.
const MOMENT: Duration = Duration::from_millis(500);

/// … and so long if somebody waits for its end already.
const RUN: Duration = Duration::from_secs(10);

/// Held by whoever prunes: one at a time, the others are told so.
#[derive(Debug, Default)]
pub struct Pruning {
    containers_and_networks: AsyncMutex<()>,
    images: AsyncMutex<()>,
    volumes: AsyncMutex<()>,
}

fn one_at_a_time(mutex: &AsyncMutex<()>) -> Result<MutexGuard<'_, ()>> {
    mutex.try_lock().map_err(|_| Error::conflict("a prune operation is already running"))
}

/// Which of what nobody uses is meant.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// `label`: each `key` or `key=value` must be there.
    pub labels: Vec<String>,
    /// `label!`: what has all of these stays.
    pub without: Vec<String>,
    /// `until`: what was made later stays.
    pub until: Option<Timestamp>,
}

impl Chosen {
    /// Whether a thing is meant that was made at `created` (RFC 3339) and has these labels.
    fn means<'a>(&self, created: &str, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => label(key) == Some(value),
            None => label(wanted).is_some(),
        };
        let old = |until| created.parse::<Timestamp>().is_ok_and(|created| created <= until);
        self.labels.iter().all(has)
            && (self.without.is_empty() || !self.without.iter().all(has))
            && self.until.is_none_or(old)
    }
}

/// Removes containers that don't run. Their ids, and how many bytes are free now.
///
/// # Errors
/// Somebody else prunes.
pub async fn containers(engine: &Arc<Engine>, chosen: &Chosen) -> Result<(Vec<String>, u64)> {
    let _one = one_at_a_time(&engine.pruning.containers_and_networks)?;
    let (mut deleted, mut space) = (Vec::new(), 0);
    let idle = |container: &Arc<Container>| {
        let labels = container.with(|record| record.config.body.labels.clone()).unwrap_or_default();
        let made = container.with(|record| record.created_at.clone());
        !container.is_running()
            && !container.is_restarting()
            && chosen.means(&made, |name| labels.get(name).map(String::as_str))
    };
    // Chosen before the wait: who comes meanwhile isn't meant.
    let idle: Vec<_> = engine.containers.all().into_iter().filter(idle).collect();
    a_moment(&idle).await;
    for container in idle {
        // Whoever runs one waits for its end before it has begun. (That such a client has vanished is not
        // noticed, so it is not believed for long.)
        if container.is_awaited() && is_younger(&container, RUN) {
            continue;
        }
        let upper = container.folder.join("upper");
        let size = blocking(move || Ok(usage(&upper))).await?;
        match stop::remove(engine, &container, false, false).await {
            Ok(()) => {
                deleted.push(container.id.clone());
                space += size;
            }
            // It was started meanwhile, or somebody else has removed it.
            Err(error) => tracing::debug!("pruning container {}: {error}", container.id),
        }
    }
    engine.events.pruned("container", space);
    Ok((deleted, space))
}

/// Removes people's own networks that nobody is on. Their names.
///
/// # Errors
/// Somebody else prunes.
pub async fn networks(engine: &Arc<Engine>, chosen: &Chosen) -> Result<Vec<String>> {
    let _one = one_at_a_time(&engine.pruning.containers_and_networks)?;
    let mut networks = engine.networks.all();
    networks.retain(|network| {
        !network.is_predefined()
            && chosen.means(&network.created_at, |name| network.labels.get(name).map(String::as_str))
    });
    a_moment(&engine.containers.all()).await;
    let pruning = engine.clone();
    blocking(move || {
        let mut deleted = Vec::new();
        for network in networks {
            let _nobody_comes = pruning.alone();
            let joins = |one: &Arc<Container>| {
                is_younger(one, MOMENT)
                    && one.with(|record| record.config.networks.contains_key(&network.name))
            };
            if pruning.containers.all().iter().any(joins) {
                continue;
            }
            match pruning.networks.remove(&pruning, &network) {
                Ok(()) => deleted.push(network.name),
                Err(error) => tracing::debug!("pruning network {}: {error}", network.name),
            }
        }
        pruning.events.pruned("network", 0);
        Ok(deleted)
    })
    .await
}

/// Removes volumes that no container has, only those without a name unless `all`. Their names, and how many
/// bytes are free now.
///
/// # Errors
/// Somebody else prunes.
pub async fn volumes(engine: &Arc<Engine>, chosen: &Chosen, all: bool) -> Result<(Vec<String>, u64)> {
    let _one = one_at_a_time(&engine.pruning.volumes)?;
    let (pruning, chosen) = (engine.clone(), chosen.clone());
    blocking(move || {
        let (mut deleted, mut space) = (Vec::new(), 0);
        for volume in pruning.volumes.all() {
            let meant = (all || volume.anonymous)
                && chosen.means(&volume.created_at, |name| volume.labels.get(name).map(String::as_str));
            if !meant || !volumes::users(&pruning, &volume.name).is_empty() {
                continue;
            }
            let size = usage(&pruning.volumes.data(&volume.name));
            match volumes::remove(&pruning, &volume.name, false) {
                Ok(()) => {
                    deleted.push(volume.name);
                    space += size;
                }
                Err(error) => tracing::debug!("pruning volume {}: {error}", volume.name),
            }
        }
        pruning.events.pruned("volume", space);
        Ok((deleted, space))
    })
    .await
}

/// Removes images that no container is made of, only those without a tag if `dangling`. What was removed, and
/// how many bytes are free now.
///
/// # Errors
/// Somebody else prunes; the images can't be read.
pub async fn images(engine: &Arc<Engine>, chosen: &Chosen, dangling: bool) -> Result<(Vec<Removed>, u64)> {
    let _one = one_at_a_time(&engine.pruning.images)?;
    let (pruning, chosen) = (engine.clone(), chosen.clone());
    blocking(move || {
        let all = pruning.images.store.list()?;
        let sizes: HashMap<_, _> = all
            .iter()
            .flat_map(|image| image.config.rootfs.diff_ids.iter().zip(image.layer_sizes.iter().copied()))
            .collect();
        let mut removed = Vec::new();
        for image in &all {
            let labels = &image.config.config.labels;
            let made = image.config.created.as_deref().unwrap_or_default();
            let meant = (!dangling || image.tags.is_empty())
                && chosen.means(made, |name| labels.get(name).map(String::as_str));
            if meant {
                removed.extend(remove_image(&pruning, image));
            }
        }
        // Layers are among what was deleted.
        let freed = |one: &Removed| match one {
            Removed::Deleted(digest) => sizes.get(digest).copied(),
            Removed::Untagged(_) => None,
        };
        let space = removed.iter().filter_map(freed).sum();
        pruning.events.pruned("image", space);
        Ok((removed, space))
    })
    .await
}

/// All names of an image, and so itself; nothing of one that a container is made of.
fn remove_image(engine: &Engine, image: &Image) -> Vec<Removed> {
    let id = image.id.to_string();
    if images::user(engine, &id).is_some() {
        return Vec::new();
    }
    let mut names: Vec<String> = image.tags.iter().map(|tag| tag.familiar()).collect();
    if names.is_empty() {
        names.push(id);
    }
    let mut removed = Vec::new();
    for name in names {
        match images::remove(engine, &name, false) {
            Ok(gone) => removed.extend(gone),
            Err(error) => tracing::debug!("pruning image {name}: {error}"),
        }
    }
    removed
}

/// Waits until none of these containers is new any more.
async fn a_moment(containers: &[Arc<Container>]) {
    if containers.iter().any(|one| is_younger(one, MOMENT)) {
        tokio::time::sleep(MOMENT).await;
    }
}

/// Whether it was made less than so long ago, and has not been started yet.
fn is_younger(container: &Container, age: Duration) -> bool {
    container.state().status == Status::Created
        && container
            .with(|record| record.created_at.parse::<Timestamp>())
            .is_ok_and(|made| Timestamp::now().duration_since(made) < age.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_pruning_are_dockers() {
        let label =
            |name: &str| [("a", "1"), ("b", "")].into_iter().find(|(n, _)| *n == name).map(|(_, v)| v);
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        for (labels, without, meant) in [
            (&[][..], &[][..], true),
            (&["a"], &[], true),
            (&["a=1", "b"], &[], true),
            (&["a=2"], &[], false),
            (&["a", "c"], &[], false),
            (&[], &["a"], false),
            (&[], &["a=2"], true),
            // What has only one of two stays among what is meant.
            (&[], &["a", "c"], true),
        ] {
            let chosen = Chosen { labels: words(labels), without: words(without), until: None };
            assert_eq!(chosen.means("", label), meant, "{labels:?} {without:?}");
        }
        let until = Some(Timestamp::from_second(60).unwrap());
        let chosen = Chosen { until, ..Chosen::default() };
        assert!(chosen.means("1970-01-01T00:00:59.5Z", label));
        assert!(!chosen.means("1970-01-01T00:01:00.5Z", label));
        assert!(!chosen.means("", label));
    }
}
