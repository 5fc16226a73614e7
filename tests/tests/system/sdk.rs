//! Python's SDK (PyPI `docker`) can't tell that it isn't Docker. What it does is in `tests/clients/sdk`.

use e2e::case::Case;
use e2e::clients::{Script, python};
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::registry::{Behaviour, OwnRegistry};
use e2e::{case, script};

const SDK: &[Need] = &[Need::Python("docker")];

pub const CASES: &[Case] = &[
    case!(the_sdk_asks_the_engine_about_itself).needs(SDK),
    case!(the_sdk_runs_containers).needs(&[Need::Python("docker"), Need::Users]),
    case!(the_sdk_leads_a_container_through_its_life)
        .needs(&[Need::Python("docker"), Need::Controller("freezer")]),
    case!(the_sdk_reads_and_writes_streams).needs(&[Need::Python("docker"), Need::Users]),
    case!(the_sdk_copies_files).needs(SDK),
    case!(the_sdk_follows_events).needs(SDK),
    case!(the_sdk_handles_networks).needs(SDK),
    case!(the_sdk_handles_volumes).needs(SDK),
    case!(the_sdk_handles_images).needs(SDK),
];

fn passes(lab: &Lab, script: Script, arguments: &[&str]) {
    // Somebody asks for it before: with the API an image is there, or it isn't.
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    python(lab, script, arguments).ok();
}

fn the_sdk_asks_the_engine_about_itself(lab: &Lab) {
    passes(lab, script!("sdk/system.py"), &[]);
}

fn the_sdk_runs_containers(lab: &Lab) {
    passes(lab, script!("sdk/run.py"), &[]);
}

fn the_sdk_leads_a_container_through_its_life(lab: &Lab) {
    passes(lab, script!("sdk/life.py"), &[]);
}

fn the_sdk_reads_and_writes_streams(lab: &Lab) {
    passes(lab, script!("sdk/streams.py"), &[]);
}

fn the_sdk_copies_files(lab: &Lab) {
    passes(lab, script!("sdk/files.py"), &[]);
}

fn the_sdk_follows_events(lab: &Lab) {
    passes(lab, script!("sdk/events.py"), &[]);
}

fn the_sdk_handles_networks(lab: &Lab) {
    passes(lab, script!("sdk/networks.py"), &[]);
}

fn the_sdk_handles_volumes(lab: &Lab) {
    passes(lab, script!("sdk/volumes.py"), &[]);
}

fn the_sdk_handles_images(lab: &Lab) {
    let registry = OwnRegistry::with_busybox(Behaviour::Good);
    passes(lab, script!("sdk/images.py"), &[&registry.host]);
}
