//! testcontainers (PyPI) gets its containers from us. What it does is in `tests/clients`.

use e2e::case::Case;
use e2e::clients::python;
use e2e::lab::Lab;
use e2e::need::Need;
use e2e::{case, script};

pub const CASES: &[Case] = &[case!(testcontainers_starts_waits_for_and_cleans_up).needs(&[
    Need::Python("testcontainers"),
    Need::Tool("busybox"),
    Need::Controller("memory"),
])];

fn testcontainers_starts_waits_for_and_cleans_up(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    python(lab, script!("generic_container.py"), &[]).ok();
}
